/** An IPv4 range, `a.b.c.d/n`, with its numbers. */
export interface AddressRange {
  readonly first: number;
  readonly size: number;
  readonly prefix: number;
}

/** Reads `10.1.2.0/24`; undefined when malformed or smaller than four addresses. Host bits are cleared. */
export function parseRange(cidr: string): AddressRange | undefined {
  const [address = '', bits = ''] = cidr.split('/');
  const value = parseAddress(address);
  const prefix = Number(bits);
  if (value === undefined || !/^\d+$/.test(bits) || prefix < 1 || prefix > 30) return undefined;
  const size = 2 ** (32 - prefix);
  return { first: value - (value % size), size, prefix };
}

/** Number of a dotted IPv4 address; undefined when it is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((p) => /^\d{1,3}$/.test(p) && Number(p) < 256)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Dotted text of an address. */
export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** The node's own address on its pod network: the first after the network's. */
export function gatewayOf(range: AddressRange): string {
  return formatAddress(range.first + 1);
}

export function contains(range: AddressRange, address: string): boolean {
  const value = parseAddress(address);
  return value !== undefined && value >= range.first && value < range.first + range.size;
}

/**
 * Lowest free address of the range; network, gateway (`.1`) and broadcast addresses are never given. Undefined when
 * all are taken.
 */
export function allocateAddress(range: AddressRange, used: ReadonlySet<string>): string | undefined {
  for (let offset = 2; offset < range.size - 1; offset++) {
    const address = formatAddress(range.first + offset);
    if (!used.has(address)) return address;
  }
  return undefined;
}
