import { BEARER_PROTOCOL } from './authenticate.ts';
import type { Exchange } from './exchange.ts';

/** Headers that belong to one connection, and those that are the hub's business alone. */
const HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
];
const OURS = ['authorization', 'host', 'expect'];
const PROTOCOLS = 'sec-websocket-protocol';

/** Headers for a pod: the client's without its credentials, and where the request came from. */
export function requestHeaders(exchange: Exchange, host: string): Record<string, string | string[]> {
  const { request, upgrade } = exchange;
  const headers: Record<string, string | string[]> = { host };
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    const isDropped = HOP.includes(name) || OURS.includes(name) || name.startsWith('impersonate-');
    if (isDropped || values === undefined) continue;
    headers[name] = values;
  }
  const protocols = request.headers[PROTOCOLS]?.split(',').map((p) => p.trim());
  const passed = protocols?.filter((p) => !p.startsWith(BEARER_PROTOCOL)) ?? [];
  delete headers[PROTOCOLS];
  if (passed.length > 0) headers[PROTOCOLS] = passed.join(', ');
  const before = request.headers['x-forwarded-for'];
  const from = request.socket.remoteAddress ?? '';
  headers['x-forwarded-for'] = before === undefined ? from : `${String(before)}, ${from}`;
  headers['x-forwarded-host'] = request.headers.host ?? '';
  headers['x-forwarded-proto'] = 'https';
  headers['x-forwarded-uri'] = exchange.path;
  headers['connection'] = upgrade === undefined ? 'close' : 'Upgrade';
  if (upgrade !== undefined) headers['upgrade'] = request.headers.upgrade ?? '';
  return headers;
}

/** The pod's headers as name, value, name, value, without those of its connection; the framing of the body is the hub's own. */
export function answerHeaders(raw: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = raw.slice(i, i + 2);
    const lower = name.toLowerCase();
    if (!HOP.includes(lower) && lower !== 'transfer-encoding') kept.push(name, value);
  }
  return kept;
}

/** A redirect of the pod to itself as one to the same place behind the proxy; others stay as they are. Pure. */
export function locationWithin(
  location: string,
  origin: { readonly prefix: string; readonly host: string; readonly scheme: string },
): string {
  const own = `${origin.scheme}://${origin.host}`;
  if (location.startsWith('/') && !location.startsWith('//')) return origin.prefix + location;
  if (location === own) return `${origin.prefix}/`;
  return location.startsWith(`${own}/`) ? origin.prefix + location.slice(own.length) : location;
}
