import type { Clock } from '../../kit/clock.ts';
import type { MoveEnd } from './pod-mover.ts';

const HOUR_MS = 3_600_000;
/** How long a Deployment is left alone after a move of it failed. */
const REST_MS = 15 * 60_000;

/** What is remembered of moves: how many began lately, what failed, which nodes have just changed. Times are monotonic ms. */
export class RebalanceLog {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** When moves began, by scope; oldest first. */
  readonly #begun = new Map<string, number[]>();
  readonly #failedAtMs = new Map<string, number>();
  readonly #movedAtMs = new Map<string, number>();
  /** When people were told of a wish, by its key. */
  readonly #toldAtMs = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** A move began, `agoMs` ago. */
  began(scope: string, agoMs = 0): void {
    const times = [...(this.#begun.get(scope) ?? []), this.#clock.monotonicMs() - agoMs];
    this.#begun.set(
      scope,
      times.toSorted((a, b) => a - b),
    );
  }

  ended({ deployment, nodes, isFailure }: MoveEnd): void {
    const nowMs = this.#clock.monotonicMs();
    if (isFailure) this.#failedAtMs.set(deployment, nowMs);
    for (const node of nodes) this.#movedAtMs.set(node, nowMs);
  }

  /** Moves of this scope that began within the last hour. */
  begun(scope: string): number {
    const sinceMs = this.#clock.monotonicMs() - HOUR_MS;
    const times = (this.#begun.get(scope) ?? []).filter((atMs) => atMs > sinceMs);
    if (times.length === 0) this.#begun.delete(scope);
    else this.#begun.set(scope, times);
    return times.length;
  }

  /** True once an hour for each wish: as often as people are told of it. */
  isToTell(key: string): boolean {
    if (this.#toldAtMs.has(key)) return false;
    this.#toldAtMs.set(key, this.#clock.monotonicMs());
    return true;
  }

  restsUntilMs(deployment: string): number {
    return (this.#failedAtMs.get(deployment) ?? Number.NEGATIVE_INFINITY) + REST_MS;
  }

  movedAtMs(node: string): number {
    return this.#movedAtMs.get(node) ?? Number.NEGATIVE_INFINITY;
  }

  /** Forgets what no longer matters. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, atMs] of this.#failedAtMs) if (nowMs - atMs > REST_MS) this.#failedAtMs.delete(key);
    for (const [key, atMs] of this.#toldAtMs) if (nowMs - atMs > HOUR_MS) this.#toldAtMs.delete(key);
    for (const [key, atMs] of this.#movedAtMs) if (nowMs - atMs > HOUR_MS) this.#movedAtMs.delete(key);
  }
}
