import type { Clock, Timer } from '../../kit/clock.ts';
import { ApiError } from '../../protocol/status.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import type { PodStream, StreamHandlers } from './ports.ts';
import { streamError } from './stream-end.ts';

/** How long a client may go on sending to a pod that has ended its side. */
const LINGER_MS = 10_000;

/** The client's side of one forwarded connection. */
export interface PortClient {
  /** Settles when there is room for more. */
  data(payload: Uint8Array): Promise<void>;
  /** The pod sends nothing more. */
  end(): void;
  /** The connection is over; `error` says why when it did not end well. Called once. */
  closed(error: string | undefined): void;
}

export interface PortBridgeOptions {
  /** Opens the connection to the pod; a rejection is told to the client. */
  readonly open: (handlers: StreamHandlers) => Promise<PodStream>;
  readonly client: PortClient;
  readonly clock: Clock;
}

/** Carries one forwarded connection both ways, each way ended on its own, holding back whichever side is faster. */
export class PortBridge {
  readonly #options: PortBridgeOptions;
  readonly #stream: Promise<PodStream | undefined>;
  #linger: Timer | undefined;
  #clientEnded = false;
  #over = false;

  constructor(options: PortBridgeOptions) {
    this.#options = options;
    this.#stream = options
      .open({
        onData: (_channel, payload) => options.client.data(payload),
        onEnd: () => this.#podEnded(),
        onClose: (end) => this.#closed(end),
      })
      .catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        const reason = error instanceof ApiError ? error.reason : 'InternalError';
        this.#closed({ reason, message });
        return undefined;
      });
  }

  /** Settles when the pod has taken the bytes, or takes none any more. */
  async fromClient(payload: Uint8Array): Promise<void> {
    await (await this.#stream)?.write('data', payload);
  }

  /** The client sends nothing more. */
  clientEnded(): void {
    this.#clientEnded = true;
    void this.#stream.then((stream) => stream?.end('data'));
  }

  /** The client takes nothing more either. */
  clientGone(): void {
    this.#over = true;
    this.#linger?.cancel();
    void this.#stream.then((stream) => stream?.close());
  }

  #podEnded(): void {
    this.#options.client.end();
    if (this.#clientEnded) return;
    this.#linger = this.#options.clock.after(LINGER_MS, () => {
      void this.#stream.then((stream) => stream?.close());
    });
  }

  #closed(end: StreamEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#linger?.cancel();
    this.#options.client.closed(streamError(end)?.message);
  }
}
