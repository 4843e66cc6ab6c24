import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock, Timer } from '../../kit/clock.ts';
import { ApiError } from '../../protocol/status.ts';
import type { Exchange } from './exchange.ts';

/** Largest message a client may send, in bytes. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** A client that answers no ping for two of these is gone. */
const PING_MS = 30_000;

/** A WebSocket whose binary messages carry a channel number in their first byte, as Kubernetes' streams do. */
export interface ChannelSocket {
  /** Settles when the bytes have left the process, also when the client is gone. */
  send(channel: number, payload: Uint8Array): Promise<void>;
  /** Closes with code 1000 after what was sent; idempotent. */
  close(): void;
}

export interface ChannelHandlers {
  /** Called message by message; the next waits until the promise settles, and the client is held back meanwhile. */
  readonly onMessage: (channel: number, payload: Uint8Array) => void | Promise<void>;
  /** Called once when the socket is closed by whichever side. */
  readonly onClose: () => void;
}

/**
 * Accepts the exchange's upgrade with the first offered protocol among `protocols`.
 * Throws BadRequest when the request is no WebSocket handshake, Forbidden when no protocol fits.
 */
export function acceptChannels(
  exchange: Exchange,
  protocols: readonly string[],
  handlers: ChannelHandlers,
  clock: Clock,
): Promise<ChannelSocket> {
  const { request, response, upgrade } = exchange;
  if (upgrade === undefined || request.headers.upgrade?.toLowerCase() !== 'websocket')
    throw new ApiError('BadRequest', `this server streams over WebSocket only (${protocols.join(', ')})`);
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((p) => p.trim());
  const protocol = offered.find((p) => protocols.includes(p));
  if (protocol === undefined)
    throw new ApiError('Forbidden', `none of the offered protocols is supported: ${protocols.join(', ')}`);
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: MAX_MESSAGE_BYTES,
    handleProtocols: () => protocol,
  });
  return new Promise((resolve, reject) => {
    server.once('wsClientError', (error) => {
      upgrade.socket.destroy();
      reject(new ApiError('BadRequest', 'malformed WebSocket handshake', undefined, { cause: error }));
    });
    if (response.socket !== null) response.detachSocket(response.socket);
    server.handleUpgrade(request, upgrade.socket, upgrade.head, (socket) => {
      resolve(channels(socket, handlers, clock));
    });
  });
}

function channels(socket: WebSocket, handlers: ChannelHandlers, clock: Clock): ChannelSocket {
  let last: Promise<void> = Promise.resolve();
  let held = 0;
  const done = (): void => {
    held--;
    if (held === 0 && socket.readyState === socket.OPEN) socket.resume();
  };
  socket.binaryType = 'nodebuffer';
  socket.on('message', (data: Buffer) => {
    const [channel] = data;
    if (channel === undefined) return;
    held++;
    socket.pause();
    // A failed write means the stream has ended; its end is told on its own way.
    last = last.then(() => handlers.onMessage(channel, data.subarray(1))).then(done, done);
  });
  const pings = keepAlive(socket, clock);
  socket.on('error', () => socket.terminate()); // 'close' follows and tells the handlers
  socket.on('close', () => {
    pings.cancel();
    handlers.onClose();
  });
  return {
    send: (channel, payload) =>
      new Promise((resolve) => {
        if (socket.readyState !== socket.OPEN) return resolve();
        const message = Buffer.allocUnsafe(payload.length + 1);
        message[0] = channel;
        message.set(payload, 1);
        return socket.send(message, { binary: true }, () => resolve());
      }),
    close: () => socket.close(1000),
  };
}

function keepAlive(socket: WebSocket, clock: Clock): Timer {
  let missed = 0;
  let timer: Timer;
  const beat = (): void => {
    if (missed >= 2) {
      socket.terminate();
      return;
    }
    missed++;
    socket.ping();
    timer = clock.after(PING_MS, beat);
  };
  socket.on('pong', () => {
    missed = 0;
  });
  timer = clock.after(PING_MS, beat);
  return { cancel: () => timer.cancel() };
}
