import type { Alarm } from '../../hub/controllers/alarm.ts';
import type { Clock, Timer } from '../../kit/clock.ts';

/** Rings every minute of a manual clock. */
export class ManualAlarm implements Alarm {
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isSet(): boolean {
    return this.#timer !== undefined;
  }

  set(ring: () => void): void {
    if (this.#timer !== undefined) return;
    const wait = (): void => {
      this.#timer = this.#clock.after(60_000 - (this.#clock.nowMs() % 60_000), () => {
        wait();
        ring();
      });
    };
    wait();
  }

  unset(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
