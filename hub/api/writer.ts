import type { Exchange } from './exchange.ts';
import type { FieldWriter } from './ports.ts';

const LONGEST = 128;

/** Who writes, for `managedFields`: the field manager of the query, else the program that the User-Agent names. */
export function writerOf(exchange: Exchange, fieldManager: string, subresource = ''): FieldWriter {
  const manager = fieldManager === '' ? programOf(exchange.request.headers['user-agent']) : fieldManager;
  return { manager, ...(subresource === '' ? {} : { subresource }) };
}

/** `kubectl` of `kubectl/v1.32.4 (linux/amd64)`, without what cannot be printed. */
function programOf(userAgent = ''): string {
  const name = (userAgent.split('/')[0] ?? '').replace(/[^\P{C}]/gu, '').slice(0, LONGEST);
  return name === '' ? 'unknown' : name;
}
