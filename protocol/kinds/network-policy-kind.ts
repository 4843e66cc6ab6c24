import { ageColumn, nameColumn, selectorText, text } from '../print/cells.ts';
import {
  at,
  forbidden,
  invalidEach,
  invalidValue,
  notSupported,
  required,
  unless,
} from '../validate/field-errors.ts';
import { validateLabelSelector } from '../validate/label-selector.ts';
import { ipErrors, portNameErrors, portNumberErrors } from '../validate/names.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from './network.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['Egress', 'Ingress'];

function setDefaults(policy: Loose<NetworkPolicy>): void {
  policy.spec ??= {};
  const { spec } = policy;
  spec.podSelector ??= {};
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
    for (const port of rule.ports ?? []) port.protocol ||= 'TCP';
  if ((spec.policyTypes ?? []).length > 0) return;
  spec.policyTypes = (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

/** True for an address and a prefix length that fits it. */
function isCidr(text: string): boolean {
  const [address = '', bits = '', ...more] = text.split('/');
  if (more.length > 0 || !/^\d{1,3}$/.test(bits) || ipErrors(address).length > 0) return false;
  return Number(bits) <= (address.includes(':') ? 128 : 32);
}

const CIDR_ERROR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

function peerErrors(peer: Loose<NetworkPolicyPeer>, path: string): FieldError[] {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  const bySelector = podSelector !== undefined || namespaceSelector !== undefined;
  if (!bySelector && ipBlock === undefined) return [required(path, 'must specify a peer')];
  if (bySelector && ipBlock !== undefined)
    return [forbidden(path, 'may not specify both ipBlock and another peer')];
  const cidr = ipBlock?.cidr ?? '';
  return [
    ...validateLabelSelector(podSelector, `${path}.podSelector`),
    ...validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`),
    ...(ipBlock === undefined
      ? []
      : cidr === ''
        ? [required(`${path}.ipBlock.cidr`)]
        : unless(isCidr(cidr), () => invalidValue(`${path}.ipBlock.cidr`, cidr, CIDR_ERROR))),
    ...(ipBlock?.except ?? []).flatMap((except, i) =>
      unless(isCidr(except), () => invalidValue(at(`${path}.ipBlock.except`, i), except, CIDR_ERROR)),
    ),
  ];
}

function portErrors(entry: Loose<NetworkPolicyPort>, path: string): FieldError[] {
  const { protocol = '', port, endPort } = entry;
  const texts =
    port === undefined ? [] : typeof port === 'string' ? portNameErrors(port) : portNumberErrors(port);
  return [
    ...unless(PROTOCOLS.includes(protocol), () => notSupported(`${path}.protocol`, protocol, PROTOCOLS)),
    ...invalidEach(`${path}.port`, port, texts),
    ...unless(endPort === undefined || (typeof port === 'number' && endPort >= port), () =>
      typeof port === 'number'
        ? invalidValue(`${path}.endPort`, endPort, 'must be greater than or equal to `port`')
        : required(`${path}.port`, 'must be specified when `endPort` is set'),
    ),
  ];
}

function validate({ spec = {} }: Loose<NetworkPolicy>): FieldError[] {
  const types = spec.policyTypes ?? [];
  const rules = [
    ...(spec.ingress ?? []).map((r, i) => ({ r, peers: r.from, side: 'from', path: at('spec.ingress', i) })),
    ...(spec.egress ?? []).map((r, i) => ({ r, peers: r.to, side: 'to', path: at('spec.egress', i) })),
  ];
  return [
    ...validateLabelSelector(spec.podSelector, 'spec.podSelector'),
    ...rules.flatMap(({ r, peers, side, path }) => [
      ...(r.ports ?? []).flatMap((port, i) => portErrors(port, at(`${path}.ports`, i))),
      ...(peers ?? []).flatMap((peer, i) => peerErrors(peer, at(`${path}.${side}`, i))),
    ]),
    ...unless(types.length <= 2, () =>
      invalidValue('spec.policyTypes', types, 'may not specify more than two policyTypes'),
    ),
    ...types.flatMap((type, i) =>
      unless(TYPES.includes(type), () => notSupported(at('spec.policyTypes', i), type, TYPES)),
    ),
  ];
}

/** networking.k8s.io/v1 NetworkPolicy. */
export const networkPolicyKind = defineKind<NetworkPolicy>(
  {
    kind: 'NetworkPolicy',
    group: 'networking.k8s.io',
    plural: 'networkpolicies',
    shortNames: ['netpol'],
    hasGeneration: true,
    columns: [
      nameColumn(),
      text('Pod-Selector', 'Which pods it is about.', ({ spec }) => selectorText(spec?.podSelector)),
      ageColumn(),
    ],
  },
  { setDefaults, validate },
);
