import { type ScheduledTask, schedule } from 'node-cron';
import type { Clock, Timer } from '../../kit/clock.ts';

/** Rings while it is set; costs nothing while it is not. */
export interface Alarm {
  /** Sets the alarm; `ring` is called at the start of every minute of the wall clock. Setting it twice changes nothing. */
  set(ring: () => void): void;
  unset(): void;
}

const EVERY_MINUTE = '* * * * *';
/** How often the wall clock is compared with where it was. */
const GUARD_MS = 60_000;
/** A minute may begin this much later than asked for and still ring: the hub was busy. */
const TOLERANCE_MS = 30_000;

/**
 * The alarm clock of CronJobs: one task of node-cron, whatever the number of CronJobs. node-cron waits for the minute it worked
 * out, so after the wall clock was set back it would stay silent until that minute comes; a guard on the monotonic clock sees
 * this and starts it anew.
 */
export class MinuteAlarm implements Alarm {
  readonly #clock: Clock;
  readonly #pattern: string;
  #task: ScheduledTask | undefined;
  #guard: Timer | undefined;
  #seenWallMs = 0;

  /** `pattern` is for tests that cannot wait a minute. */
  constructor(clock: Clock, pattern = EVERY_MINUTE) {
    this.#clock = clock;
    this.#pattern = pattern;
  }

  set(ring: () => void): void {
    if (this.#task !== undefined) return;
    this.#begin(ring);
    this.#watch(ring);
  }

  unset(): void {
    this.#guard?.cancel();
    this.#guard = undefined;
    void this.#task?.destroy();
    this.#task = undefined;
  }

  #begin(ring: () => void): void {
    this.#seenWallMs = this.#clock.nowMs();
    const options = { unref: true, suppressMissedWarning: true, missedExecutionTolerance: TOLERANCE_MS };
    this.#task = schedule(this.#pattern, ring, options);
    // A minute that was slept through still needs a look at what fell due in it.
    this.#task.on('execution:missed', ring);
  }

  #watch(ring: () => void): void {
    this.#guard = this.#clock.after(GUARD_MS, () => {
      const wallMs = this.#clock.nowMs();
      if (wallMs < this.#seenWallMs) {
        void this.#task?.destroy();
        this.#begin(ring);
        ring();
      }
      this.#seenWallMs = wallMs;
      this.#watch(ring);
    });
  }
}
