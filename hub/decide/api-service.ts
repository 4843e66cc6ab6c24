import { contains, formatAddress, parseAddress, parseRange } from '../../protocol/ipv4.ts';
import type { EndpointSlice, Endpoints, Service } from '../../protocol/kinds/network.ts';

/** Where the API is reached, and the range its Service has its address from. */
export interface ApiPlace {
  /** As told with `--advertise`: addresses and names. */
  readonly hosts: readonly string[];
  readonly port: number;
  readonly serviceCidr: string;
}

/** What clusters know their own API by, in the namespace `default`. */
export const API_SERVICE = 'kubernetes';

const LOOPBACK = { first: 0x7f_00_00_00, size: 0x1_00_00_00, prefix: 8 };

/** The spec of the API's Service, with the address that is kept for it, the first of the range. Pure. */
export function apiServiceSpec({ port, serviceCidr }: ApiPlace): Service['spec'] {
  const range = parseRange(serviceCidr);
  const clusterIP = range === undefined ? {} : { clusterIP: formatAddress(range.first + 1) };
  const ports = [{ name: 'https', protocol: 'TCP' as const, port: 443, targetPort: port }];
  return { type: 'ClusterIP', ...clusterIP, ports, sessionAffinity: 'None' };
}

/** The API's addresses as Endpoints have them; none for a hub that is reached by names or from its own machine alone. Pure. */
export function apiSubsets(place: ApiPlace): NonNullable<Endpoints['subsets']> {
  const addresses = addressesOf(place).map((ip) => ({ ip }));
  if (addresses.length === 0) return [];
  return [{ addresses, ports: [{ name: 'https', port: place.port, protocol: 'TCP' }] }];
}

/** The same as a slice of endpoints has it. Pure. */
export function apiSlice(place: ApiPlace): Required<Pick<EndpointSlice, 'endpoints' | 'ports'>> {
  return {
    endpoints: addressesOf(place).map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
    ports: [{ name: 'https', port: place.port, protocol: 'TCP' }],
  };
}

/** Kubernetes takes no loopback addresses here: from elsewhere they lead to somebody else. */
const addressesOf = ({ hosts }: ApiPlace): string[] =>
  [...new Set(hosts)].filter((host) => parseAddress(host) !== undefined && !contains(LOOPBACK, host)).sort();
