import type { Merit } from './candidates.ts';
import type { RebalanceTimes } from './rebalance-times.ts';

/** A pod that should leave its node. Times of rounds are monotonic. */
export interface Wish {
  /** The same from round to round while somebody of the ReplicaSet should leave that node. */
  readonly key: string;
  readonly podUid: string;
  /** `namespace/name`. */
  readonly deployment: string;
  /** Whose budget the move counts for, and how many may begin in an hour. */
  readonly scope: string;
  readonly maxMovesPerHour: number;
  /** Only told of, never granted. */
  readonly isPreview: boolean;
  readonly from: string;
  readonly to: string;
  readonly why: Merit;
  readonly gain: number;
  readonly byLoad: boolean;
  readonly reliefRatio: number;
}

/** What a round decides on. */
export interface Round {
  readonly nowMs: number;
  readonly times: RebalanceTimes;
  readonly wishes: readonly Wish[];
  /** Somebody may wish to leave by time alone: when the load goes on, or a pod is old enough. */
  readonly isForming: boolean;
  /** Since when each wish stands, from the round before. */
  readonly standing: ReadonlyMap<string, number>;
  /** When a node joined or returned last, or a price changed. */
  readonly stirredAtMs: number | undefined;
  /** Deployments with a pod on the move. */
  readonly moving: readonly string[];
  /** A replacement has no node yet: what the scheduler makes of it is not known. */
  readonly isPlacing: boolean;
  /** Moves that began within the last hour. */
  readonly begun: (scope: string) => number;
  /** Until when a Deployment rests because a move of it failed. */
  readonly restsUntilMs: (deployment: string) => number;
  /** When a pod last moved from or to the node: its load does not show it yet. */
  readonly movedAtMs: (node: string) => number;
}

/** What comes of it: at most one move, and when to look again although nothing changes. */
export interface RoundPlan {
  readonly standing: ReadonlyMap<string, number>;
  readonly begin: Wish | undefined;
  /** What would be moved of Deployments that only want to know, whatever else is under way. */
  readonly previews: readonly Wish[];
  readonly lookAgainMs: number | undefined;
}

/** Pods on the move at a time, in all the fleet. */
export const MAX_MOVING = 2;

/**
 * Decides on the wishes of a round: those that have stood for long enough, inside all budgets, the most useful first. One move a round, so
 * that the next round sees what became of it. Pure; never throws.
 */
export function planRound(round: Round): RoundPlan {
  const { nowMs, wishes } = round;
  const standing = new Map(wishes.map(({ key }) => [key, round.standing.get(key) ?? nowMs]));
  const isFull = round.moving.length >= MAX_MOVING || round.isPlacing;
  const ripe = wishes.filter((wish) => mayBegin(wish, round, standing)).toSorted(mostUsefulFirst);
  const begin = isFull ? undefined : ripe.find((wish) => !wish.isPreview);
  const previews = ripe.filter((wish) => wish.isPreview);
  return { standing, begin, previews, lookAgainMs: nextLookMs(round, standing) };
}

function mayBegin(wish: Wish, round: Round, standing: ReadonlyMap<string, number>): boolean {
  const { nowMs } = round;
  return (
    maturesAtMs(wish, round, standing) <= nowMs &&
    !round.moving.includes(wish.deployment) &&
    round.begun(wish.scope) < wish.maxMovesPerHour &&
    round.restsUntilMs(wish.deployment) <= nowMs
  );
}

function maturesAtMs(wish: Wish, round: Round, standing: ReadonlyMap<string, number>): number {
  const { nowMs, times, stirredAtMs = Number.NEGATIVE_INFINITY } = round;
  const isStirred = nowMs - stirredAtMs < times.stirredMs;
  const sinceMs = standing.get(wish.key) ?? nowMs;
  const standsMs = wish.byLoad || isStirred ? times.shortStandingMs : times.standingMs;
  const movedAtMs = Math.max(round.movedAtMs(wish.from), round.movedAtMs(wish.to));
  return Math.max(sinceMs + standsMs, movedAtMs + times.settlingMs);
}

/** Nodes in trouble first, relieved by as few moves as can be; then by what is gained. */
function mostUsefulFirst(a: Wish, b: Wish): number {
  if (a.byLoad !== b.byLoad) return a.byLoad ? -1 : 1;
  const byUse = a.byLoad ? b.reliefRatio - a.reliefRatio : 0;
  return byUse || b.gain - a.gain || (a.key + a.podUid < b.key + b.podUid ? -1 : 1);
}

function nextLookMs(round: Round, standing: ReadonlyMap<string, number>): number | undefined {
  const { lookAgainMs } = round.times;
  if (round.wishes.length === 0) return round.isForming ? lookAgainMs : undefined;
  const waits = round.wishes
    .map((wish) => maturesAtMs(wish, round, standing) - round.nowMs)
    .filter((ms) => ms > 0);
  return Math.min(lookAgainMs, ...waits);
}
