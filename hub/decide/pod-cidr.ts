import { formatAddress, parseRange } from '../../protocol/ipv4.ts';

/** Prefix length of one node's range: 254 addresses, more than the pods a small device runs. */
const NODE_PREFIX = 24;

/**
 * The lowest /24 of `clusterCidr` (IPv4) that no node has; undefined when all are taken or the range cannot be read.
 * Pure: the caller makes sure that two nodes are not answered at the same time.
 */
export function nextPodCidr(clusterCidr: string, used: readonly string[]): string | undefined {
  const range = parseRange(clusterCidr);
  if (range === undefined || range.prefix > NODE_PREFIX) return undefined;
  const taken = new Set(used);
  const count = 2 ** (NODE_PREFIX - range.prefix);
  for (let i = 0; i < count; i++) {
    const cidr = `${formatAddress(range.first + i * 2 ** (32 - NODE_PREFIX))}/${NODE_PREFIX}`;
    if (!taken.has(cidr)) return cidr;
  }
  return undefined;
}
