import { type AddressRange, formatAddress, parseAddress } from '../../protocol/ipv4.ts';
import type { FieldError } from '../../protocol/kinds/kind.ts';
import type { Service, ServicePort } from '../../protocol/kinds/network.ts';
import { at, invalidValue } from '../../protocol/validate/field-errors.ts';

/** What Services are given addresses from, as Kubernetes has them by default. */
export const NODE_PORTS = { first: 30_000, last: 32_767 } as const;
export const SERVICE_CIDR = '10.96.0.0/16';

/**
 * Gives a valid Service the addresses and node ports it lacks, unique among `others`, and says which of those it names it cannot have.
 * The choice begins at a place that follows from the Service's uid, so that an address is not soon given again to somebody else
 * after a deletion; the lower band of the range is left to people who choose themselves. Pure but for the draft `service`.
 * Source: Kubernetes, "Service ClusterIP allocation".
 */
export function giveServiceAddresses(
  service: Service,
  others: Iterable<Service>,
  range: AddressRange,
): FieldError[] {
  const { spec } = service;
  if (spec.type === 'ExternalName') return [];
  const rest = [...others].filter((other) => other.metadata.uid !== service.metadata.uid);
  const seed = Number.parseInt(service.metadata.uid.replaceAll('-', '').slice(0, 8), 16) || 0;
  return [
    ...familyErrors(spec),
    ...(spec.clusterIP === 'None' ? [] : giveClusterIp(spec, rest, range, seed)),
    ...giveNodePorts(spec, rest, seed),
  ];
}

function familyErrors({ ipFamilyPolicy, ipFamilies = [] }: Service['spec']): FieldError[] {
  const why = 'this cluster is not configured for dual-stack services';
  if (ipFamilyPolicy === 'RequireDualStack')
    return [invalidValue('spec.ipFamilyPolicy', ipFamilyPolicy, why)];
  return ipFamilies.flatMap((family, i) =>
    family === 'IPv4'
      ? []
      : [invalidValue(at('spec.ipFamilies', i), family, 'not configured on this cluster')],
  );
}

function giveClusterIp(
  spec: Service['spec'],
  rest: readonly Service[],
  range: AddressRange,
  seed: number,
): FieldError[] {
  const taken = new Set(rest.map((other) => other.spec.clusterIP));
  if (spec.clusterIP) return askedErrors(spec, spec.clusterIP, taken, range);
  const isFree = (n: number): boolean => !taken.has(formatAddress(range.first + n));
  // The first address is the API's own, the last the broadcast's; the band below is chosen from by people.
  const last = range.size - 2;
  const band = Math.min(Math.max(16, Math.floor(range.size / 16)), 256);
  const found = firstFree(band, last, seed, isFree) ?? firstFree(2, Math.min(band - 1, last), seed, isFree);
  if (found === undefined)
    return [invalidValue('spec.clusterIPs', [], 'failed to allocate a serviceIP: range is full')];
  spec.clusterIP = formatAddress(range.first + found);
  spec.clusterIPs = [spec.clusterIP];
  return [];
}

function askedErrors(
  { clusterIPs }: Service['spec'],
  clusterIP: string,
  taken: ReadonlySet<string | undefined>,
  range: AddressRange,
): FieldError[] {
  const failed = (why: string): FieldError[] => [
    invalidValue('spec.clusterIPs', clusterIPs ?? [clusterIP], `failed to allocate IP ${clusterIP}: ${why}`),
  ];
  const asked = parseAddress(clusterIP) ?? -1;
  const cidr = `${formatAddress(range.first)}/${range.prefix}`;
  if (asked <= range.first || asked >= range.first + range.size - 1)
    return failed(
      `the provided IP (${clusterIP}) is not in the valid range. The range of valid IPs is ${cidr}`,
    );
  return taken.has(clusterIP) ? failed('provided IP is already allocated') : [];
}

/** The first free number from `first` to `last`, looked for from a place in between and round; undefined when all are taken. */
function firstFree(
  first: number,
  last: number,
  seed: number,
  isFree: (n: number) => boolean,
): number | undefined {
  const count = last - first + 1;
  for (let i = 0; i < count; i += 1) {
    const n = first + ((seed + i) % count);
    if (isFree(n)) return n;
  }
  return undefined;
}

function giveNodePorts(spec: Service['spec'], rest: readonly Service[], seed: number): FieldError[] {
  if (!hasNodePorts(spec)) return [];
  const ports = spec.ports ?? [];
  const taken = new Set(rest.flatMap(({ spec: other }) => (hasNodePorts(other) ? portKeys(other) : [])));
  const errors = ports.flatMap((port, i) => {
    if (!port.nodePort) return [];
    const why = whyNotPort(port.nodePort, taken.has(keyOf(port.nodePort, port)));
    taken.add(keyOf(port.nodePort, port));
    return why === undefined ? [] : [invalidValue(`${at('spec.ports', i)}.nodePort`, port.nodePort, why)];
  });
  if (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === false) return errors;
  for (const [i, port] of ports.entries()) {
    if (port.nodePort) continue;
    const found = freePort(ports, port, seed + i, taken);
    if (found === undefined)
      return [...errors, invalidValue(`${at('spec.ports', i)}.nodePort`, 0, 'range is full')];
    port.nodePort = found;
    taken.add(keyOf(found, port));
  }
  return errors;
}

function whyNotPort(nodePort: number, isTaken: boolean): string | undefined {
  const { first, last } = NODE_PORTS;
  if (nodePort < first || nodePort > last)
    return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
  return isTaken ? 'provided port is already allocated' : undefined;
}

/** What is one port of two protocols inside is one outside, where it can be. */
function freePort(
  ports: readonly ServicePort[],
  port: ServicePort,
  seed: number,
  taken: ReadonlySet<string>,
): number | undefined {
  const twins = ports.filter((p) => p.port === port.port);
  const given = twins.find((p) => p.nodePort && !taken.has(keyOf(p.nodePort, port)))?.nodePort;
  const { first, last } = NODE_PORTS;
  return given ?? firstFree(first, last, seed, (n) => !twins.some((p) => taken.has(keyOf(n, p))));
}

const hasNodePorts = ({ type }: Service['spec']): boolean => type === 'NodePort' || type === 'LoadBalancer';

const keyOf = (nodePort: number, { protocol = 'TCP' }: ServicePort): string => `${protocol}/${nodePort}`;

const portKeys = ({ ports = [] }: Service['spec']): string[] =>
  ports.flatMap((port) => (port.nodePort ? [keyOf(port.nodePort, port)] : []));
