import { ageColumn, nameColumn, orNone, selectorText, text, wide } from '../print/cells.ts';
import {
  at,
  duplicate,
  forbidden,
  invalidEach,
  invalidValue,
  notSupported,
  required,
  unless,
} from '../validate/field-errors.ts';
import { validateLabels } from '../validate/metadata.ts';
import {
  ipErrors,
  labelNameErrors,
  portNameErrors,
  portNumberErrors,
  serviceNameErrors,
  subdomainErrors,
} from '../validate/names.ts';
import { inRange } from '../validate/numbers.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { IngressAddress, Service, ServicePort } from './network.ts';

type Spec = Loose<Service['spec']>;
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const AFFINITY_SECONDS = 10_800;

function setDefaults(service: Loose<Service>): void {
  service.spec ??= {};
  const { spec } = service;
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  else {
    spec.sessionAffinityConfig ??= {};
    spec.sessionAffinityConfig.clientIP ??= {};
    spec.sessionAffinityConfig.clientIP.timeoutSeconds ??= AFFINITY_SECONDS;
  }
  spec.type ||= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    if (
      (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') &&
      port.port !== undefined
    )
      port.targetPort = port.port;
  }
  const isOutside = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  if (isOutside) spec.externalTrafficPolicy ||= 'Cluster';
  if (spec.type === 'LoadBalancer') spec.allocateLoadBalancerNodePorts ??= true;
  if (spec.type === 'ExternalName') return;
  spec.internalTrafficPolicy ??= 'Cluster';
  if (spec.clusterIP && spec.clusterIPs === undefined) spec.clusterIPs = [spec.clusterIP];
  if (spec.clusterIPs?.[0] && !spec.clusterIP) [spec.clusterIP] = spec.clusterIPs;
  if ((spec.ipFamilies ?? []).length === 0)
    spec.ipFamilies = [spec.clusterIP?.includes(':') ? 'IPv6' : 'IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
}

function portErrors(port: Loose<ServicePort>, path: string, spec: Spec): FieldError[] {
  const { port: number = 0, targetPort, protocol = '', name = '', nodePort = 0 } = port;
  const target =
    typeof targetPort === 'string' ? portNameErrors(targetPort) : portNumberErrors(targetPort ?? number);
  const hasNodePorts = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  return [
    ...(name === '' && (spec.ports ?? []).length > 1 ? [required(`${path}.name`)] : []),
    ...(name === '' ? [] : invalidEach(`${path}.name`, name, labelNameErrors(name))),
    ...invalidEach(`${path}.port`, number, portNumberErrors(number)),
    ...unless(PROTOCOLS.includes(protocol), () => notSupported(`${path}.protocol`, protocol, PROTOCOLS)),
    ...invalidEach(`${path}.targetPort`, targetPort ?? number, target),
    ...unless(nodePort === 0 || hasNodePorts, () =>
      forbidden(`${path}.nodePort`, `may not be used when \`type\` is '${spec.type ?? ''}'`),
    ),
    ...(nodePort === 0 ? [] : inRange(`${path}.nodePort`, nodePort, 1, 65_535)),
  ];
}

function portsErrors(spec: Spec): FieldError[] {
  const ports = spec.ports ?? [];
  const isOptional = spec.type === 'ExternalName' || spec.clusterIP === 'None';
  if (ports.length === 0 && !isOptional) return [required('spec.ports')];
  const repeated = (i: number, same: (a: Loose<ServicePort>, b: Loose<ServicePort>) => boolean): boolean =>
    ports.slice(0, i).some((other) => same(other, ports[i] ?? {}));
  return ports.flatMap((port, i) => [
    ...portErrors(port, at('spec.ports', i), spec),
    ...unless(!port.name || !repeated(i, (a, b) => a.name === b.name), () =>
      duplicate(`${at('spec.ports', i)}.name`, port.name),
    ),
    ...unless(!repeated(i, (a, b) => a.port === b.port && a.protocol === b.protocol), () =>
      duplicate(at('spec.ports', i), { port: port.port, protocol: port.protocol }),
    ),
  ]);
}

function addressErrors(spec: Spec): FieldError[] {
  if (spec.type === 'ExternalName') {
    const name = (spec.externalName ?? '').replace(/\.$/, '');
    return [
      ...unless(!spec.clusterIP, () =>
        forbidden('spec.clusterIPs[0]', 'may not be set for ExternalName services'),
      ),
      ...(name === ''
        ? [required('spec.externalName')]
        : invalidEach('spec.externalName', name, subdomainErrors(name))),
    ];
  }
  if (spec.clusterIP === 'None')
    return unless(spec.type === 'ClusterIP', () =>
      invalidValue('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type ?? ''} services`),
    );
  return (spec.clusterIPs ?? []).flatMap((ip, i) => invalidEach(at('spec.clusterIPs', i), ip, ipErrors(ip)));
}

function validate({ spec = {} }: Loose<Service>): FieldError[] {
  const { sessionAffinity: affinity } = spec;
  return [
    ...portsErrors(spec),
    ...validateLabels(spec.selector, 'spec.selector'),
    ...unless(affinity === 'None' || affinity === 'ClientIP', () =>
      notSupported('spec.sessionAffinity', affinity, ['ClientIP', 'None']),
    ),
    ...unless(TYPES.includes(spec.type ?? ''), () => notSupported('spec.type', spec.type, TYPES)),
    ...addressErrors(spec),
    ...(spec.externalIPs ?? []).flatMap((ip, i) => invalidEach(at('spec.externalIPs', i), ip, ipErrors(ip))),
  ];
}

/** An update that leaves given addresses and ports out keeps them, as clients that apply their own manifest do; another type drops them. */
function prepareUpdate(next: Loose<Service>, previous: Loose<Service>): void {
  const before = previous.spec;
  const { spec } = next;
  if (spec === undefined || before === undefined) return;
  if ((spec.type || 'ClusterIP') === 'ExternalName') {
    if (spec.clusterIP !== before.clusterIP) return;
    delete spec.clusterIP;
    delete spec.clusterIPs;
    return;
  }
  if (before.clusterIP && !spec.clusterIP && (spec.clusterIPs ?? []).length === 0) {
    spec.clusterIP = before.clusterIP;
    if (before.clusterIPs !== undefined) spec.clusterIPs = [...before.clusterIPs];
  }
  keepNodePorts(spec, before);
}

function keepNodePorts(spec: Spec, before: Spec): void {
  const ports = spec.ports ?? [];
  const isOutside = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  const used = new Set(ports.map((port) => `${port.nodePort}/${port.protocol || 'TCP'}`));
  for (const port of ports) {
    const protocol = port.protocol || 'TCP';
    const given = before.ports?.find(
      (p) => p.port === port.port && (p.protocol ?? 'TCP') === protocol,
    )?.nodePort;
    if (given === undefined) continue;
    if (isOutside && !port.nodePort && !used.has(`${given}/${protocol}`)) port.nodePort = given;
    if (!isOutside && port.nodePort === given) delete port.nodePort;
  }
}

function validateUpdate(next: Loose<Service>, previous: Loose<Service>): FieldError[] {
  const before = previous.spec?.clusterIP ?? '';
  const after = next.spec?.clusterIP ?? '';
  const free = before === '' || next.spec?.type === 'ExternalName' || previous.spec?.type === 'ExternalName';
  return unless(free || before === after, () =>
    invalidValue('spec.clusterIPs[0]', next.spec?.clusterIPs ?? [], 'may not change once set'),
  );
}

const addressesText = (list: readonly Loose<IngressAddress>[]): string =>
  list
    .map((address) => address.ip || address.hostname || '')
    .filter((a) => a !== '')
    .join(',');

function externalText({ spec = {}, status = {} }: Loose<Service>): string {
  const extra = (spec.externalIPs ?? []).join(',');
  switch (spec.type) {
    case 'ExternalName':
      return orNone(spec.externalName);
    case 'LoadBalancer': {
      const given = addressesText(status.loadBalancer?.ingress ?? []);
      const all = [given, extra].filter((part) => part !== '').join(',');
      return all === '' ? '<pending>' : all;
    }
    default:
      return orNone(extra);
  }
}

const portsText = (ports: readonly Loose<ServicePort>[]): string =>
  orNone(
    ports
      .map(({ port = 0, nodePort, protocol = 'TCP' }) =>
        nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
      )
      .join(','),
  );

/** v1 Service. */
export const serviceKind = defineKind<Service>(
  {
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    hasStatus: true,
    columns: [
      nameColumn(),
      text('Type', 'How it can be reached.', (service) => service.spec?.type ?? ''),
      text('Cluster-IP', 'Address within the cluster.', (service) => orNone(service.spec?.clusterIP)),
      text('External-IP', 'Address from outside.', externalText),
      text('Port(s)', 'Ports it answers on.', (service) => portsText(service.spec?.ports ?? [])),
      ageColumn(),
      wide('Selector', 'Which pods stand behind it.', (service) =>
        selectorText({ matchLabels: service.spec?.selector }),
      ),
    ],
    fieldSelectors: {
      'spec.clusterIP': (service) => service.spec.clusterIP ?? '',
      'spec.type': (service) => service.spec.type ?? '',
    },
    prepareCreate: (service) => {
      service.status = { loadBalancer: {} };
    },
  },
  { nameRule: serviceNameErrors, setDefaults, validate, validateUpdate, prepareUpdate },
);
