/** Prefix length of one node's range: 254 addresses, more than the pods a small device runs. */
const NODE_PREFIX = 24;

/**
 * The lowest /24 of `clusterCidr` (IPv4) that no node has; undefined when all are taken or the range cannot be read.
 * Pure: the caller makes sure that two nodes are not answered at the same time.
 */
export function nextPodCidr(clusterCidr: string, used: readonly string[]): string | undefined {
  const range = parseCidr(clusterCidr);
  if (range === undefined || range.prefix > NODE_PREFIX) return undefined;
  const taken = new Set(used);
  const count = 2 ** (NODE_PREFIX - range.prefix);
  for (let i = 0; i < count; i++) {
    const cidr = `${formatAddress(range.base + i * 2 ** (32 - NODE_PREFIX))}/${NODE_PREFIX}`;
    if (!taken.has(cidr)) return cidr;
  }
  return undefined;
}

function parseCidr(cidr: string): { base: number; prefix: number } | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  if (match === null) return undefined;
  const [a = 256, b = 256, c = 256, d = 256, prefix = 33] = match.slice(1).map(Number);
  if ([a, b, c, d].some((octet) => octet > 255) || prefix > 32) return undefined;
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const size = 2 ** (32 - prefix);
  return { base: Math.floor(address / size) * size, prefix };
}

function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
