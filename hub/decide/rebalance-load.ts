import type { LiveState } from './node-state.ts';
import type { LiveUse } from './pod-to-place.ts';
import type { RebalanceTimes } from './rebalance-times.ts';

/** The least and the most that telemetry told from `sinceMs` on, until the next stretch begins. */
interface Stretch {
  readonly sinceMs: number;
  readonly least: LiveState;
  readonly most: LiveState;
}

/** What a node did lately, without gaps worth the name since `sinceMs` (monotonic). */
export interface LoadHistory {
  readonly sinceMs: number;
  /** It was heard last then, and is silent. */
  readonly silentSinceMs?: number;
  readonly stretches: readonly Stretch[];
}

/** Bounds of what a node did for `knownMs`, which is `longMs` at most. */
export interface LoadRange {
  readonly knownMs: number;
  readonly least: LiveState;
  readonly most: LiveState;
}

/**
 * The history with one more reading, which stands until the next; what is longer ago than `longMs` is forgotten. Readings of one
 * stretch are folded, so that it stays small however much is told. Pure.
 */
export function withReading(
  before: LoadHistory | undefined,
  live: LiveState,
  nowMs: number,
  { longMs, stretchMs, gapMs }: RebalanceTimes,
): LoadHistory {
  const last = before?.stretches.at(-1);
  const silentMs = nowMs - (before?.silentSinceMs ?? nowMs);
  if (before === undefined || last === undefined || silentMs > gapMs)
    return { sinceMs: nowMs, stretches: [{ sinceMs: nowMs, least: live, most: live }] };
  const joins = nowMs - last.sinceMs < stretchMs;
  const stretches = joins ? before.stretches.slice(0, -1) : before.stretches.slice();
  stretches.push(
    joins
      ? fold(last, { sinceMs: nowMs, least: live, most: live })
      : { sinceMs: nowMs, least: live, most: live },
  );
  let old = 0;
  while ((stretches[old + 1]?.sinceMs ?? nowMs) < nowMs - longMs) old++;
  return { sinceMs: before.sinceMs, stretches: stretches.slice(old) };
}

/**
 * The history of a node that is silent and was heard last at `heardAtMs`: kept for when it speaks again soon. Undefined when it is silent
 * for too long, because nobody knows what happened meanwhile. Pure.
 */
export function withSilence(
  history: LoadHistory,
  heardAtMs: number,
  nowMs: number,
  { gapMs }: RebalanceTimes,
): LoadHistory | undefined {
  const silentSinceMs = history.silentSinceMs ?? heardAtMs;
  return nowMs - silentSinceMs > gapMs ? undefined : { ...history, silentSinceMs };
}

/**
 * What the node did at least and at most since `longMs` ago. A peak that is shorter is not in the least, a dip not in the most:
 * whoever compares the least of one node to the most of another is not misled by either. Undefined while it is silent. Pure.
 */
export function rangeOf(
  { sinceMs, silentSinceMs, stretches }: LoadHistory,
  nowMs: number,
  { longMs }: RebalanceTimes,
): LoadRange | undefined {
  const [first, ...others] = stretches.filter(
    (_, i) => (stretches[i + 1]?.sinceMs ?? nowMs) >= nowMs - longMs,
  );
  if (first === undefined || silentSinceMs !== undefined) return undefined;
  const { least, most } = others.reduce(fold, first);
  return { knownMs: Math.min(longMs, nowMs - sinceMs), least, most };
}

function fold(a: Stretch, b: Stretch): Stretch {
  return { sinceMs: a.sinceMs, least: combine(a.least, b.least, false), most: combine(a.most, b.most, true) };
}

function combine(a: LiveState, b: LiveState, most: boolean): LiveState {
  const pick = most ? Math.max : Math.min;
  const temperature = pickKnown(a.temperatureCelsius, b.temperatureCelsius, most);
  return {
    heldCpuRatio: pick(a.heldCpuRatio, b.heldCpuRatio),
    heldMemoryRatio: pick(a.heldMemoryRatio, b.heldMemoryRatio),
    cpuRatio: pick(a.cpuRatio, b.cpuRatio),
    memoryUsedBytes: pick(a.memoryUsedBytes, b.memoryUsedBytes),
    memoryTotalBytes: b.memoryTotalBytes,
    ...(temperature === undefined ? {} : { temperatureCelsius: temperature }),
    throttled: most
      ? a.throttled === true || b.throttled === true
      : a.throttled === true && b.throttled === true,
  };
}

/** A board that cannot always tell was cool at least, and as warm as it ever told at most. */
function pickKnown(a: number | undefined, b: number | undefined, most: boolean): number | undefined {
  if (a !== undefined && b !== undefined) return most ? Math.max(a, b) : Math.min(a, b);
  return most ? (a ?? b) : undefined;
}

/** The most that a pod used lately. */
export interface UseHistory {
  readonly sinceMs: number;
  readonly now: LiveUse;
  readonly before: LiveUse | undefined;
}

/** The history with one more figure; reaches back for between `longMs` and twice that. Pure. */
export function withUse(
  history: UseHistory | undefined,
  use: LiveUse,
  nowMs: number,
  { longMs }: RebalanceTimes,
): UseHistory {
  if (history === undefined) return { sinceMs: nowMs, now: use, before: undefined };
  if (nowMs - history.sinceMs >= longMs) return { sinceMs: nowMs, now: use, before: history.now };
  return { ...history, now: most(history.now, use) };
}

/** The most that it used: what it may use on another node as well. Pure. */
export function mostUsed({ now, before }: UseHistory): LiveUse {
  return before === undefined ? now : most(now, before);
}

function most(a: LiveUse, b: LiveUse): LiveUse {
  return {
    cpuMilli: Math.max(a.cpuMilli, b.cpuMilli),
    memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
  };
}
