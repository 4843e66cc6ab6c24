import type { Duplex } from 'node:stream';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import { ApiError } from '../../protocol/status.ts';
import type { ChannelHandlers, ChannelSocket } from './channel-socket.ts';
import type { Exchange } from './exchange.ts';
import { SpdySession } from './spdy/session.ts';
import type { SpdyStream, SpdyStreamHandlers } from './spdy/stream.ts';
import { acceptSpdy } from './spdy-upgrade.ts';

/** How long a client may take to open its streams. */
const STREAMS_MS = 30_000;
/** One message of the resize stream is a small JSON object; more without an end is no size. */
const MAX_LINE_BYTES = 1024;

export interface SpdyChannelOptions {
  readonly protocols: readonly string[];
  /** Channel number of each stream type the client will open. */
  readonly channels: ReadonlyMap<string, number>;
  /** The stream type whose payload is lines, one message each. */
  readonly lines: string;
  /** Number of the channel that tells which other channel the client has ended. */
  readonly endChannel: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The streams of a SPDY session as numbered channels, so that exec and attach need not know how their client came. Resolves once the
 * client has opened all of them; rejects when it does not in time. Throws as `acceptSpdy`.
 */
export async function acceptSpdyChannels(
  exchange: Exchange,
  handlers: ChannelHandlers,
  options: SpdyChannelOptions,
): Promise<ChannelSocket> {
  const { channels, clock } = options;
  const socket = acceptSpdy(exchange, options.protocols);
  const open = new Map<number, SpdyStream>();
  let allOpen: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    allOpen = resolve;
  });
  const session = new SpdySession({
    socket,
    clock,
    onStream: (stream, headers) => {
      const type = headers.get('streamtype') ?? '';
      const channel = channels.get(type);
      if (channel === undefined || open.has(channel)) return undefined;
      open.set(channel, stream);
      stream.reply();
      if (open.size === channels.size) allOpen();
      return listener(channel, type === options.lines, handlers, options.endChannel);
    },
  });
  session
    .run()
    .catch((error: unknown) => options.log.debug('SPDY session broken', { err: error }))
    .finally(() => handlers.onClose());
  await inTime(opened, socket, session, clock);
  return {
    send: (channel, payload) => open.get(channel)?.write(payload) ?? Promise.resolve(),
    close: () => {
      for (const stream of open.values()) stream.end();
      session.close();
    },
  };
}

/** Settles when `opened` does or the client has left, of which the handlers hear; rejects when neither happens in time. */
function inTime(opened: Promise<void>, socket: Duplex, session: SpdySession, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(STREAMS_MS, () => {
      reject(new ApiError('Timeout', 'the client did not open its streams in time'));
      session.close();
    });
    const settle = (): void => {
      timer.cancel();
      resolve();
    };
    socket.once('close', settle);
    void opened.then(settle);
  });
}

function listener(
  channel: number,
  isLines: boolean,
  handlers: ChannelHandlers,
  endChannel: number,
): SpdyStreamHandlers {
  let last: Promise<void> = Promise.resolve();
  const tell = (to: number, payload: Uint8Array): Promise<void> => {
    last = last.then(() => handlers.onMessage(to, payload)).catch(() => undefined); // the stream's end is told elsewhere
    return last;
  };
  let rest = '';
  const lines = (payload: Uint8Array): void => {
    const parts = (rest + Buffer.from(payload).toString('utf8')).split('\n');
    rest = (parts.pop() ?? '').slice(-MAX_LINE_BYTES);
    for (const line of parts) void tell(channel, Buffer.from(line));
  };
  return {
    onData: (payload) => (isLines ? lines(payload) : tell(channel, payload)),
    onEnd: () => void tell(endChannel, Uint8Array.of(channel)),
  };
}
