import type { Clock, Timer } from '../../kit/clock.ts';

/** A clock that stands still until told to move; timers fire in order of their due time. */
export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  #timers: { dueMs: number; order: number; run: () => void }[] = [];
  #order = 0;

  constructor(startEpochMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startEpochMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Timers that have not fired yet. */
  get pending(): number {
    return this.#timers.length;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { dueMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((t) => t !== timer);
      },
    };
  }

  /** Moves time on, firing what falls due; lets promises settle between timers. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#monotonicMs + byMs;
    await settle();
    for (;;) {
      const due = this.#timers
        .filter((t) => t.dueMs <= endMs)
        .sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((t) => t !== due);
      this.#moveTo(Math.max(due.dueMs, this.#monotonicMs));
      due.run();
      await settle();
    }
    this.#moveTo(endMs);
    await settle();
  }

  /** Time passes while the process stands still: no timer fires until the next `advance`. */
  stall(forMs: number): void {
    this.#moveTo(this.#monotonicMs + forMs);
  }

  /** Sets the wall clock only, as NTP would. */
  jumpWall(toEpochMs: number): void {
    this.#nowMs = toEpochMs;
  }

  #moveTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets queued promise callbacks and immediates run. */
export async function settle(rounds = 5): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise((resolve) => setImmediate(resolve));
}
