import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../kit/clock.ts';
import { ApiError } from '../../protocol/status.ts';
import { BEARER_PROTOCOL } from './authenticate.ts';
import type { Exchange } from './exchange.ts';

/** Largest message a client may send, in bytes. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Bytes a byte stream over a WebSocket holds each way before it holds its writer back. */
const STREAM_BYTES = 128 * 1024;
/** A client that answers no ping for two of these is gone. */
const PING_MS = 30_000;

/** An accepted WebSocket; `protocol` is empty when the client offered none. */
export interface AcceptedSocket {
  readonly socket: WebSocket;
  readonly protocol: string;
}

/** True when the request asks for a WebSocket. */
export function asksForWebSocket({ request, upgrade }: Exchange): boolean {
  return upgrade !== undefined && request.headers.upgrade?.toLowerCase() === 'websocket';
}

/** Subprotocols the client offers, in its order, without the one that hands over a token. */
export function offeredProtocols({ request }: Exchange): readonly string[] {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((p) => p.trim());
  return offered.filter((p) => p !== '' && !p.startsWith(BEARER_PROTOCOL));
}

/**
 * Accepts the exchange's upgrade with the first offered protocol among `protocols`; an empty one among them lets in clients that offer
 * none. Throws BadRequest when the request is no WebSocket handshake, Forbidden when no protocol fits. A client that answers no pings is
 * cut off.
 */
export async function acceptWebSocket(
  exchange: Exchange,
  protocols: readonly string[],
  clock: Clock,
): Promise<AcceptedSocket> {
  const { request, response, upgrade } = exchange;
  const known = protocols.filter((p) => p !== '').join(', ');
  if (upgrade === undefined || !asksForWebSocket(exchange))
    throw new ApiError('BadRequest', `this path takes WebSocket only (${known})`);
  const offered = offeredProtocols(exchange);
  const protocol = (offered.length === 0 ? [''] : offered).find((p) => protocols.includes(p));
  if (protocol === undefined)
    throw new ApiError('Forbidden', `none of the offered protocols is supported: ${known}`);
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  // Kubernetes names protocols with a slash, which is no token and which the handshake would refuse: it is chosen here.
  delete request.headers['sec-websocket-protocol'];
  server.once('headers', (headers) => {
    if (protocol !== '') headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
  });
  return new Promise((resolve, reject) => {
    server.once('wsClientError', (error) => {
      upgrade.socket.destroy();
      reject(new ApiError('BadRequest', 'malformed WebSocket handshake', undefined, { cause: error }));
    });
    if (response.socket !== null) response.detachSocket(response.socket);
    server.handleUpgrade(request, upgrade.socket, upgrade.head, (socket) => {
      socket.binaryType = 'nodebuffer';
      socket.on('error', () => socket.terminate()); // 'close' follows and tells the handlers
      keepAlive(socket, clock);
      resolve({ socket, protocol });
    });
  });
}

/** The messages of a socket as one byte stream, with the back-pressure of both sides. */
export function byteStream(socket: WebSocket): Duplex {
  return createWebSocketStream(socket, { highWaterMark: STREAM_BYTES });
}

function keepAlive(socket: WebSocket, clock: Clock): void {
  let missed = 0;
  const beat = (): void => {
    // While the client is held back its answers cannot be read.
    if (socket.isPaused) missed = 0;
    if (missed >= 2) {
      socket.terminate();
      return;
    }
    missed++;
    socket.ping();
    timer = clock.after(PING_MS, beat);
  };
  let timer = clock.after(PING_MS, beat);
  socket.on('pong', () => {
    missed = 0;
  });
  socket.on('close', () => timer.cancel());
}
