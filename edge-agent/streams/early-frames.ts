import { WINDOW_BYTES } from '../../protocol/wire/frames.ts';

/** A window of payload and the heads of its frames, whose number is the sender's choice. */
const HELD_BYTES = 2 * WINDOW_BYTES;
const MAX_STREAMS = 8;
const MAX_ENDED = 64;

/**
 * Frames that came before the message that opens their stream. Both travel in order, but at different quality of service, and brokers
 * may let QoS 0 overtake QoS 1. Bounded: one window for each of a few streams; what is left out shows as a gap and ends the stream.
 */
export class EarlyFrames {
  readonly #waiting = new Map<string, { frames: Uint8Array[]; bytes: number }>();
  readonly #ended = new Set<string>();

  /** Keeps a frame of a stream that is not open; one that has ended gets nothing more. */
  keep(stream: string, frame: Uint8Array): void {
    if (this.#ended.has(stream)) return;
    const held = this.#waiting.get(stream) ?? { frames: [], bytes: 0 };
    if (held.bytes + frame.length > HELD_BYTES) return;
    held.frames.push(frame);
    held.bytes += frame.length;
    this.#waiting.set(stream, held);
    if (this.#waiting.size > MAX_STREAMS) removeFirst(this.#waiting);
  }

  /** The stream is open now: its frames, in their order. */
  take(stream: string): readonly Uint8Array[] {
    const held = this.#waiting.get(stream);
    this.#waiting.delete(stream);
    return held?.frames ?? [];
  }

  /** The stream has ended: what still comes is late. */
  ended(stream: string): void {
    this.#ended.add(stream);
    if (this.#ended.size > MAX_ENDED) removeFirst(this.#ended);
  }

  /** The connection is gone, and all that was on its way. */
  clear(): void {
    this.#waiting.clear();
    this.#ended.clear();
  }
}

function removeFirst(kept: Set<string> | Map<string, unknown>): void {
  for (const key of kept.keys()) {
    kept.delete(key);
    return;
  }
}
