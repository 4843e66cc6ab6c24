import { type BackoffPolicy, backoffMs } from '../../kit/backoff.ts';
import type { Clock } from '../../kit/clock.ts';

interface Hold {
  readonly times: number;
  readonly untilMs: number;
}

/**
 * How long to leave something alone that goes wrong again and again, by owner and place. In memory: a hub that starts anew tries
 * each once. What went well for twice the longest hold starts from the beginning.
 */
export class Holds {
  readonly #clock: Clock;
  readonly #policy: BackoffPolicy;
  readonly #holds = new Map<string, Map<string, Hold>>();

  constructor(clock: Clock, policy: BackoffPolicy) {
    this.#clock = clock;
    this.#policy = policy;
  }

  /** Ms that are left; 0 for what is not held. */
  leftMs(owner: string, place: string): number {
    const hold = this.#holds.get(owner)?.get(place);
    return hold === undefined ? 0 : Math.max(0, hold.untilMs - this.#clock.monotonicMs());
  }

  /** It was tried again now: the next time has to wait, twice as long as this one had to. */
  note(owner: string, place: string): void {
    const nowMs = this.#clock.monotonicMs();
    const own = this.#holds.get(owner) ?? new Map<string, Hold>();
    const before = own.get(place);
    const isOld = before === undefined || nowMs - before.untilMs > 2 * this.#policy.maxMs;
    const times = isOld ? 1 : before.times + 1;
    own.set(place, { times, untilMs: nowMs + backoffMs(this.#policy, times) });
    this.#holds.set(owner, own);
  }

  /** The owner is gone. */
  forget(owner: string): void {
    this.#holds.delete(owner);
  }
}
