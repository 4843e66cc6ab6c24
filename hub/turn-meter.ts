import { performance } from 'node:perf_hooks';
import type { Metric } from './api/ports.ts';

/** Upper bounds of the buckets, in ms; what is longer counts in the total alone. */
const BOUNDS_MS: readonly number[] = [1, 2.5, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, 1000];

/**
 * How long the turns of the event loop are, its sleep left out: what comes in during a turn waits for its end. Costs an idle
 * process nothing: it looks once a turn, and wakes nobody. Time for which the processor was given to others counts in.
 */
export class TurnMeter {
  readonly #buckets = BOUNDS_MS.map(() => 0);
  #count = 0;
  #sumMs = 0;
  #turnEndMs = 0;
  #sleptMs = 0;
  #next: NodeJS.Immediate | undefined;

  start(): void {
    this.#turnEndMs = performance.now();
    this.#sleptMs = performance.nodeTiming.idleTime;
    this.#look();
  }

  stop(): void {
    clearImmediate(this.#next);
  }

  /** A histogram of all turns since the start, in seconds. */
  metrics(): Metric[] {
    let below = 0;
    const buckets = BOUNDS_MS.map((boundMs, i) => {
      below += this.#buckets[i] ?? 0;
      return { suffix: '_bucket', labels: { le: String(boundMs / 1000) }, value: below } as const;
    });
    return [
      {
        name: 'coxswain_event_loop_turn_seconds',
        help: 'Turns of the event loop without its sleep; whoever asks something waits for a few of them.',
        type: 'histogram',
        values: [
          ...buckets,
          { suffix: '_bucket', labels: { le: '+Inf' }, value: this.#count },
          { suffix: '_sum', value: this.#sumMs / 1000 },
          { suffix: '_count', value: this.#count },
        ],
      },
    ];
  }

  /** At the end of every turn; the loop sleeps and ends as if nobody looked. */
  #look(): void {
    this.#next = setImmediate(() => {
      const nowMs = performance.now();
      const sleptMs = performance.nodeTiming.idleTime;
      this.#note(nowMs - this.#turnEndMs - (sleptMs - this.#sleptMs));
      this.#turnEndMs = nowMs;
      this.#sleptMs = sleptMs;
      this.#look();
    });
    this.#next.unref();
  }

  #note(turnMs: number): void {
    this.#count += 1;
    this.#sumMs += turnMs;
    const at = BOUNDS_MS.findIndex((boundMs) => turnMs <= boundMs);
    if (at >= 0) this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
  }
}
