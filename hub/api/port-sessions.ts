import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../kit/clock.ts';
import { PortBridge } from './port-bridge.ts';
import type { PodStream, StreamHandlers } from './ports.ts';
import type { SpdyHeaders } from './spdy/header-block.ts';
import { SpdySession } from './spdy/session.ts';
import type { SpdyStream, SpdyStreamHandlers } from './spdy/stream.ts';

/** How long the second stream of a connection may take to come. */
const PAIR_MS = 30_000;

export interface PortSessionsOptions {
  readonly socket: Duplex;
  readonly clock: Clock;
  /** Opens a connection to a port of the pod. */
  readonly open: (port: number) => (handlers: StreamHandlers) => Promise<PodStream>;
}

interface Waiting {
  readonly error: SpdyStream;
  readonly timer: Timer;
}

/**
 * The connections of one `kubectl port-forward`, all in one SPDY session: for each the client opens a stream for errors, then one for
 * data, tied together by their request id. Failures of a connection are text on its own error stream.
 */
export class PortSessions {
  readonly #options: PortSessionsOptions;
  readonly #session: SpdySession;
  readonly #waiting = new Map<string, Waiting>();

  constructor(options: PortSessionsOptions) {
    this.#options = options;
    const { socket, clock } = options;
    this.#session = new SpdySession({
      socket,
      clock,
      onStream: (stream, headers) => this.#take(stream, headers),
    });
  }

  /** Serves until the client has gone. Rejects with SpdyError when it broke the protocol. */
  async run(): Promise<void> {
    try {
      await this.#session.run();
    } finally {
      for (const { timer } of this.#waiting.values()) timer.cancel();
    }
  }

  /** Ends all connections; idempotent. */
  close(): void {
    this.#session.close();
  }

  #take(stream: SpdyStream, headers: SpdyHeaders): SpdyStreamHandlers | undefined {
    const id = headers.get('requestid') ?? '';
    const port = portOf(headers.get('port'));
    const type = headers.get('streamtype');
    if (id === '' || port === undefined) return undefined;
    if (type === 'error') return this.#takeError(id, stream);
    const pair = this.#waiting.get(id);
    if (type !== 'data' || pair === undefined) return undefined;
    this.#waiting.delete(id);
    pair.timer.cancel();
    stream.reply();
    return this.#connect(port, stream, pair.error);
  }

  #takeError(id: string, stream: SpdyStream): SpdyStreamHandlers | undefined {
    if (this.#waiting.has(id)) return undefined;
    const timer = this.#options.clock.after(PAIR_MS, () => {
      this.#waiting.delete(id);
      stream.reset();
    });
    this.#waiting.set(id, { error: stream, timer });
    stream.reply();
    return { onData: () => undefined };
  }

  #connect(port: number, data: SpdyStream, error: SpdyStream): SpdyStreamHandlers {
    const finish = (text: string | undefined): void => {
      if (text !== undefined) void error.write(Buffer.from(text));
      error.end();
      data.end();
    };
    const bridge = new PortBridge({
      open: this.#options.open(port),
      clock: this.#options.clock,
      client: {
        data: (payload) => data.write(payload),
        // kubectl lets go of a connection once both of its streams have ended.
        end: () => finish(undefined),
        closed: finish,
      },
    });
    return {
      onData: (payload) => bridge.fromClient(payload),
      onEnd: () => bridge.clientEnded(),
      onReset: () => {
        bridge.clientGone();
        error.end();
      },
    };
  }
}

function portOf(text: string | undefined): number | undefined {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}
