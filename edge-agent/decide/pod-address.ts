import { type AddressRange, formatAddress } from '../../protocol/ipv4.ts';

/** The node's own address on its pod network: the first after the network's. */
export function gatewayOf(range: AddressRange): string {
  return formatAddress(range.first + 1);
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
