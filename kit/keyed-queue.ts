import { type BackoffPolicy, backoffMs } from './backoff.ts';
import type { Clock, Timer } from './clock.ts';
import { Turn } from './turn.ts';

export interface KeyedQueueOptions {
  readonly clock: Clock;
  /** How many keys may be worked on at once; one key is never worked on twice at a time. */
  readonly concurrency: number;
  readonly backoff: BackoffPolicy;
  /** Told of every failed run, before the retry; the only place such an error is seen. */
  readonly onError: (key: string, error: unknown, failures: number, retryMs: number) => void;
}

/** Stands for a run that is just being begun. */
const NOT_YET = Promise.resolve();

/**
 * Level-triggered work queue: `add` says "look at this key". Adds of a waiting key coalesce; an add while the key is being
 * worked on makes it run once more afterwards. A run that throws is retried with backoff; one that succeeds forgets its failures.
 * Invariants: at most one run per key at any time; no add is ever lost before `stop`; beginning runs does not hold up the event
 * loop for longer than a slice.
 */
export class KeyedQueue {
  readonly #run: (key: string) => Promise<void>;
  readonly #options: KeyedQueueOptions;
  #ready: string[] = [];
  /** How many of `#ready` are taken: shifting a long array for each key would cost more than the key. */
  #taken = 0;
  readonly #waiting = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #turn: Turn;
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, { timer: Timer; dueMs: number }>();
  #pumpScheduled = false;
  #stopped = false;

  constructor(run: (key: string) => Promise<void>, options: KeyedQueueOptions) {
    this.#run = run;
    this.#options = options;
    this.#turn = new Turn(options.clock);
  }

  /** Keys that wait or run now; 0 and no timers means idle. */
  get depth(): number {
    return this.#ready.length - this.#taken + this.#running.size;
  }

  add(key: string): void {
    if (this.#stopped) return;
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.#ready.push(key);
    this.#schedulePump();
  }

  /** Adds the key after `delayMs`; of several pending delays the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    const pending = this.#timers.get(key);
    if (pending !== undefined && pending.dueMs <= dueMs) return;
    pending?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { timer, dueMs });
  }

  /** Takes no more work, cancels timers, resolves when the running keys are done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#ready = [];
    this.#taken = 0;
    this.#waiting.clear();
    await Promise.all(this.#running.values());
  }

  /** Leaves the caller's stack first: `add` never runs work synchronously, and adds of one burst coalesce. */
  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** Begins runs while there is room, and goes on in another turn of the event loop when they take long to begin. */
  #pump(): void {
    while (!this.#stopped && this.#running.size < this.#options.concurrency) {
      if (this.#turn.isOver) {
        this.#pumpLater();
        return;
      }
      const key = this.#take();
      if (key === undefined) return;
      this.#waiting.delete(key);
      // First among the running: what the run does at once may add its key again.
      this.#running.set(key, NOT_YET);
      const run = this.#work(key);
      if (this.#running.get(key) === NOT_YET) this.#running.set(key, run);
    }
  }

  #pumpLater(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    setImmediate(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  #take(): string | undefined {
    const key = this.#ready[this.#taken];
    if (key !== undefined) this.#taken += 1;
    // Half of it is past: copying the rest costs no more than what was taken since.
    if (this.#taken * 2 < this.#ready.length) return key;
    this.#ready = this.#ready.slice(this.#taken);
    this.#taken = 0;
    return key;
  }

  async #work(key: string): Promise<void> {
    try {
      await this.#run(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const retryMs = backoffMs(this.#options.backoff, failures);
      this.#options.onError(key, error, failures, retryMs);
      this.addAfter(key, retryMs);
    } finally {
      this.#running.delete(key);
      if (this.#again.delete(key)) this.add(key);
      this.#schedulePump();
    }
  }
}
