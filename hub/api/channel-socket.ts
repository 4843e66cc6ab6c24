import type { Clock } from '../../kit/clock.ts';
import type { Exchange } from './exchange.ts';
import { type AcceptedSocket, acceptWebSocket } from './web-socket.ts';

/** A connection whose messages carry a channel number, as Kubernetes' streams do. */
export interface ChannelSocket {
  /** Settles when the bytes have left the process, also when the client is gone. */
  send(channel: number, payload: Uint8Array): Promise<void>;
  /** Closes well after what was sent; idempotent. */
  close(): void;
}

export interface ChannelHandlers {
  /** Called message by message; the next waits until the promise settles, and the client is held back meanwhile. */
  readonly onMessage: (channel: number, payload: Uint8Array) => void | Promise<void>;
  /** Called once when the socket is closed by whichever side. */
  readonly onClose: () => void;
}

/**
 * Accepts the exchange's upgrade with the first offered protocol among `protocols`: the first byte of a binary message is its channel,
 * in `base64` protocols the first character is, and base64 text follows. Throws as `acceptWebSocket`.
 */
export async function acceptChannels(
  exchange: Exchange,
  protocols: readonly string[],
  handlers: ChannelHandlers,
  clock: Clock,
): Promise<ChannelSocket> {
  return channels(await acceptWebSocket(exchange, protocols, clock), handlers);
}

interface Framing {
  readonly binary: boolean;
  encode(channel: number, payload: Uint8Array): Buffer;
  decode(message: Buffer): { readonly channel: number; readonly payload: Uint8Array } | undefined;
}

const BINARY: Framing = {
  binary: true,
  encode: (channel, payload) => {
    const message = Buffer.allocUnsafe(payload.length + 1);
    message[0] = channel;
    message.set(payload, 1);
    return message;
  },
  decode: (message) => {
    const [channel] = message;
    return channel === undefined ? undefined : { channel, payload: message.subarray(1) };
  },
};

const DIGIT_0 = 0x30;
const BASE64: Framing = {
  binary: false,
  encode: (channel, payload) =>
    Buffer.from(String.fromCharCode(DIGIT_0 + channel) + Buffer.from(payload).toString('base64'), 'latin1'),
  decode: (message) => {
    const [digit] = message;
    if (digit === undefined || digit < DIGIT_0) return undefined;
    return { channel: digit - DIGIT_0, payload: Buffer.from(message.toString('latin1', 1), 'base64') };
  },
};

function channels({ socket, protocol }: AcceptedSocket, handlers: ChannelHandlers): ChannelSocket {
  const framing = protocol.includes('base64') ? BASE64 : BINARY;
  let last: Promise<void> = Promise.resolve();
  let held = 0;
  const done = (): void => {
    held--;
    if (held === 0 && socket.readyState === socket.OPEN) socket.resume();
  };
  socket.on('message', (data: Buffer) => {
    const message = framing.decode(data);
    if (message === undefined) return;
    held++;
    socket.pause();
    // A failed write means the stream has ended; its end is told on its own way.
    last = last.then(() => handlers.onMessage(message.channel, message.payload)).then(done, done);
  });
  socket.on('close', () => handlers.onClose());
  return {
    send: (channel, payload) =>
      new Promise((resolve) => {
        if (socket.readyState !== socket.OPEN) return resolve();
        return socket.send(framing.encode(channel, payload), { binary: framing.binary }, () => resolve());
      }),
    close: () => socket.close(1000),
  };
}
