import { systemClock, type Timer } from '../../kit/clock.ts';
import type { DataChannel, StreamEndpoint } from '../../kit/stream-endpoint.ts';
import { FRAME_BYTES } from '../../protocol/wire/frames.ts';

/** Small pieces that come faster than this are sent together, in ms: at most 50 messages a second for a chatty log. */
const GATHER_MS = 20;

/**
 * Gathers small pieces of one channel into frames worth sending. The first piece after a pause goes at once, so that a keystroke's
 * echo does not wait. Order is kept.
 */
export class StreamBatch {
  readonly #endpoint: StreamEndpoint;
  readonly #channel: DataChannel;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #timer: Timer | undefined;
  #sentMs = Number.NEGATIVE_INFINITY;

  constructor(endpoint: StreamEndpoint, channel: DataChannel) {
    this.#endpoint = endpoint;
    this.#channel = channel;
  }

  /** Resolves when the next piece may come: at once while little waits, else when credit has let it go. */
  async add(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    const waitMs = this.#sentMs + GATHER_MS - systemClock.monotonicMs();
    if (this.#bytes >= FRAME_BYTES || waitMs <= 0) return this.flush();
    this.#timer ??= systemClock.after(waitMs, () => void this.flush());
    return undefined;
  }

  /** Sends what has gathered; resolves when it has been sent. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const [first, ...rest] = this.#pieces;
    if (first === undefined) return Promise.resolve();
    const all = rest.length === 0 ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    this.#sentMs = systemClock.monotonicMs();
    return this.#endpoint.write(this.#channel, all);
  }
}
