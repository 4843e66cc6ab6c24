/** An IPv4 range, `a.b.c.d/n`, with its numbers. */
export interface AddressRange {
  readonly first: number;
  readonly size: number;
  readonly prefix: number;
}

/** Reads `10.1.2.0/24`; undefined when malformed or smaller than four addresses. Host bits are cleared. */
export function parseRange(cidr: string): AddressRange | undefined {
  const [address = '', bits = '', ...more] = cidr.split('/');
  const value = parseAddress(address);
  const prefix = Number(bits);
  const isWhole = /^\d+$/.test(bits) && more.length === 0;
  if (value === undefined || !isWhole || prefix < 1 || prefix > 30) return undefined;
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

/** True when the address lies in the range, its first and last included. */
export function contains(range: AddressRange, address: string): boolean {
  const value = parseAddress(address);
  return value !== undefined && value >= range.first && value < range.first + range.size;
}
