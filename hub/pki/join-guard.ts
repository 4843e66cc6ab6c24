import { createHash } from 'node:crypto';
import type { Clock } from '../../kit/clock.ts';
import { ApiError } from '../../protocol/status.ts';
import type { JoinResponse } from '../../protocol/wire/identity.ts';

const FAILURES = 20;
const PER_MS = 60_000;
const MAX_REMEMBERED = 256;
const REMEMBER_MS = 10 * 60_000;

/**
 * Two protections of the join desk. It bounds how many refusals a minute get a telling answer; a good token is never held
 * up by others' bad ones. And it answers the very same request again with the very same certificate for ten minutes, so that a
 * device whose answer was lost on the way does not need a second token: only the holder of the request's key can use it.
 */
export class JoinGuard {
  readonly #clock: Clock;
  readonly #answers = new Map<string, { response: JoinResponse; untilMs: number }>();
  #left = FAILURES;
  #refilledMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#refilledMs = clock.monotonicMs();
  }

  /** The error to answer with: `message`, or TooManyRequests when the minute's refusals are used up. */
  failed(message: string): ApiError {
    const nowMs = this.#clock.monotonicMs();
    this.#left = Math.min(FAILURES, this.#left + ((nowMs - this.#refilledMs) * FAILURES) / PER_MS);
    this.#refilledMs = nowMs;
    if (this.#left < 1) {
      const retryAfterSeconds = Math.ceil(PER_MS / FAILURES / 1000);
      return new ApiError('TooManyRequests', 'too many failed attempts; wait a little', {
        retryAfterSeconds,
      });
    }
    this.#left -= 1;
    return new ApiError('Unauthorized', message);
  }

  /** The answer already given to this token and body, while it is remembered. */
  repeated(bearer: string, body: Buffer): JoinResponse | undefined {
    const held = this.#answers.get(keyOf(bearer, body));
    return held !== undefined && held.untilMs > this.#clock.monotonicMs() ? held.response : undefined;
  }

  remember(bearer: string, body: Buffer, response: JoinResponse): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, held] of this.#answers) {
      if (held.untilMs > nowMs && this.#answers.size < MAX_REMEMBERED) break;
      this.#answers.delete(key);
    }
    this.#answers.set(keyOf(bearer, body), { response, untilMs: nowMs + REMEMBER_MS });
  }
}

function keyOf(bearer: string, body: Buffer): string {
  return createHash('sha256').update(bearer).update('\0').update(body).digest('hex');
}
