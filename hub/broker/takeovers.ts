import type { Clock } from '../../kit/clock.ts';

const WINDOW_MS = 120_000;
const TAKEOVERS = 3;
/** A connection that its owner lost is replaced after a while; two owners replace each other's at once. */
const YOUNG_MS = 30_000;

/**
 * Notices two devices with one identity, as a cloned card makes them: they take the connection from each other again and again,
 * while a single device that reconnects leaves its old connection behind once.
 */
export class Takeovers {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<string, number>();
  readonly #takenMs = new Map<string, number[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A connection of `node` came up. True when it makes the last few look like two devices fighting. */
  connected(node: string, isTakingOver: boolean): boolean {
    const nowMs = this.#clock.monotonicMs();
    const ageMs = nowMs - (this.#sinceMs.get(node) ?? -YOUNG_MS);
    this.#sinceMs.set(node, nowMs);
    if (!isTakingOver || ageMs >= YOUNG_MS) return false;
    const recent = (this.#takenMs.get(node) ?? []).filter((atMs) => nowMs - atMs < WINDOW_MS);
    recent.push(nowMs);
    this.#takenMs.set(node, recent);
    return recent.length >= TAKEOVERS;
  }
}
