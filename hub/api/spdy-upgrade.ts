import type { Duplex } from 'node:stream';
import { ApiError } from '../../protocol/status.ts';
import type { Exchange } from './exchange.ts';

const HEADER = 'x-stream-protocol-version';

/** True when the request asks for a SPDY/3.1 session, as kubectl before 1.31 does. */
export function asksForSpdy({ request, upgrade }: Exchange): boolean {
  return upgrade !== undefined && request.headers.upgrade?.toLowerCase() === 'spdy/3.1';
}

/**
 * Accepts the exchange's upgrade to SPDY/3.1 with the first offered stream protocol among `protocols`, and gives the connection that
 * speaks it. Throws Forbidden when none fits.
 */
export function acceptSpdy(exchange: Exchange, protocols: readonly string[]): Duplex {
  const { request, response, upgrade } = exchange;
  if (upgrade === undefined) throw new ApiError('BadRequest', 'Upgrade request required');
  const offered = (request.headersDistinct[HEADER] ?? []).flatMap((line) =>
    line.split(',').map((protocol) => protocol.trim()),
  );
  const protocol = offered.find((p) => protocols.includes(p));
  if (protocol === undefined) {
    for (const accepted of protocols) response.appendHeader('X-Accepted-Stream-Protocol-Versions', accepted);
    const text = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${protocols.join(' ')}]`;
    throw new ApiError('Forbidden', text);
  }
  if (response.socket !== null) response.detachSocket(response.socket);
  const { socket, head } = upgrade;
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return socket;
}
