/** What Kubernetes warns of in the specs of pods: allowed, but hardly what is meant. Pure; never throws. */
import type { Loose } from '../kinds/loose.ts';
import type { Container, PodSpec } from '../kinds/pod.ts';
import type { PodTemplateSpec } from '../kinds/workloads.ts';
import { parseQuantity } from '../quantity.ts';
import { at } from './field-errors.ts';
import { labelNameErrors } from './names.ts';

const OLD_LABELS: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region':
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone':
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type':
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
};
const IN_BYTES = ['memory', 'ephemeral-storage'];

/** Warnings about a pod's spec at `path`. */
export function podSpecWarnings(spec: Loose<PodSpec> = {}, path = 'spec'): string[] {
  const { terminationGracePeriodSeconds: grace = 0, topologySpreadConstraints = [] } = spec;
  const named: NamedPort[] = [];
  const containers = (field: 'initContainers' | 'containers'): string[] =>
    (spec[field] ?? []).flatMap((container, i) =>
      containerWarnings(container, at(`${path}.${field}`, i), named),
    );
  return [
    ...Object.keys(spec.nodeSelector ?? {}).flatMap((key) => oldLabel(key, `${path}.nodeSelector[${key}]`)),
    ...topologySpreadConstraints.flatMap(({ topologyKey = '', labelSelector }, i) => [
      ...oldLabel(topologyKey, `${at(`${path}.topologySpreadConstraints`, i)}.topologyKey`),
      ...(labelSelector === undefined
        ? [
            `${at(`${path}.topologySpreadConstraints`, i)}.labelSelector: a null labelSelector results in matching no pod`,
          ]
        : []),
    ]),
    ...containers('initContainers'),
    ...containers('containers'),
    ...(grace < 0
      ? [
          `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
        ]
      : []),
  ];
}

/** Warnings about the pods that `template` makes, and about a name that theirs are made of. */
export function templateWarnings(
  name: string | undefined,
  template: Loose<PodTemplateSpec> | undefined,
  path = 'spec.template',
): string[] {
  const about =
    'metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior';
  return [...nameWarnings(name, about), ...podSpecWarnings(template?.spec, `${path}.spec`)];
}

/** Says after `about` what keeps a name from being a host's. */
export function nameWarnings(name: string | undefined, about: string): string[] {
  const errors = name === undefined ? [] : labelNameErrors(name);
  return errors.length === 0 ? [] : [`${about}; a DNS label is recommended: [${errors.join(' ')}]`];
}

interface NamedPort {
  readonly name: string;
  readonly path: string;
}

function oldLabel(key: string, path: string): string[] {
  const why = Object.hasOwn(OLD_LABELS, key) ? OLD_LABELS[key] : undefined;
  return why === undefined ? [] : [`${path}: ${why}`];
}

/** `named`: the named ports of the containers before, to which those of this one are added. */
function containerWarnings(container: Loose<Container>, path: string, named: NamedPort[]): string[] {
  return [
    ...amountWarnings(container, path),
    ...envWarnings(container, `${path}.env`),
    ...portWarnings(container, `${path}.ports`, named),
  ];
}

function amountWarnings({ resources = {} }: Loose<Container>, path: string): string[] {
  return (['limits', 'requests'] as const).flatMap((list) =>
    Object.entries(resources[list] ?? {}).flatMap(([name, value]) => {
      const amount = value === undefined || !IN_BYTES.includes(name) ? 0 : (parseQuantity(value) ?? 0);
      if (Number.isInteger(amount)) return [];
      return [
        `${path}.resources.${list}[${name}]: fractional byte value ${JSON.stringify(String(value))} is invalid, must be an integer`,
      ];
    }),
  );
}

function envWarnings({ env = [] }: Loose<Container>, path: string): string[] {
  const seen = new Set<string>();
  return env.flatMap(({ name = '', value = '' }, index) => {
    const hides = seen.has(name) && !value.includes(`$(${name})`);
    seen.add(name);
    if (!hides) return [];
    return [
      `${at(path, index)}: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
    ];
  });
}

function portWarnings({ ports = [] }: Loose<Container>, path: string, named: NamedPort[]): string[] {
  const seen = new Map<string, string>();
  const mine: NamedPort[] = [];
  const warnings = ports.flatMap((port, index) => {
    const where = at(path, index);
    const { name = '', containerPort = 0, protocol = 'TCP', hostPort = 0, hostIP = '' } = port;
    const key = [protocol, containerPort, hostPort, hostIP].join();
    const twin = seen.get(key);
    seen.set(key, twin ?? where);
    const before = name === '' ? undefined : named.find((other) => other.name === name);
    if (name !== '') mine.push({ name, path: where });
    return [
      ...(before === undefined
        ? []
        : [
            `${where}: duplicate port name ${JSON.stringify(name)} with ${before.path}, services and probes that select ports by name will use ${before.path}`,
          ]),
      ...(twin === undefined ? [] : [`${where}: duplicate port definition with ${twin}`]),
    ];
  });
  named.push(...mine);
  return warnings;
}
