import type { Clock } from './clock.ts';

/**
 * Longest that one who works through much holds up the event loop at a time, in ms. Whoever asks the API something meanwhile waits
 * for a few of these, not for all the work there is.
 */
const SLICE_MS = 4;

/**
 * How long its owner has been at work in this turn of the event loop: from the first question in it, whatever else went on since.
 * A clock that stands still never says that it is over.
 */
export class Turn {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #sinceMs: number | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** True when others should have the event loop before the owner does more. */
  get isOver(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (this.#sinceMs !== undefined) return nowMs - this.#sinceMs > SLICE_MS;
    this.#sinceMs = nowMs;
    setImmediate(() => {
      this.#sinceMs = undefined;
    });
    return false;
  }

  /** Resolves in the next turn: what has come in on connections and what timers were waiting for has been seen to by then. */
  next(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
