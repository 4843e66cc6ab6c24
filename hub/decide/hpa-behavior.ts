import type { HorizontalPodAutoscaler, ScalingRules } from '../../protocol/kinds/autoscaling.ts';
import type { HpaMemory, Recommendation, ScaleEvent } from './hpa-types.ts';

/** Rules with nothing left out. */
export interface FullRules {
  readonly windowMs: number;
  readonly select: 'Max' | 'Min' | 'Disabled';
  readonly policies: readonly {
    readonly type: 'Pods' | 'Percent';
    readonly value: number;
    readonly periodMs: number;
  }[];
}

/** Where the number of replicas may go, and how fast. */
export interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly up: FullRules;
  readonly down: FullRules;
}

/** A number of replicas within all bounds, and what held it back. */
export interface Bounded {
  readonly replicas: number;
  /** What the stabilization windows made of the wish. */
  readonly stabilized: number;
  readonly limit:
    | 'DesiredWithinRange'
    | 'ScaleUpLimit'
    | 'TooManyReplicas'
    | 'ScaleDownLimit'
    | 'TooFewReplicas';
  /** Ms until a limit of speed lets more through; undefined when none holds it back. */
  readonly lookAgainMs: number | undefined;
}

const UP_POLICIES = [
  { type: 'Pods', value: 4, periodSeconds: 15 },
  { type: 'Percent', value: 100, periodSeconds: 15 },
] as const;
const DOWN_POLICIES = [{ type: 'Percent', value: 100, periodSeconds: 15 }] as const;
const DOWN_WINDOW_SECONDS = 300;

/** The bounds of an autoscaler, with Kubernetes' documented defaults for what it leaves out. Pure. */
export function boundsOf({ spec }: HorizontalPodAutoscaler): Bounds {
  const { behavior, minReplicas, maxReplicas } = spec;
  return {
    min: minReplicas ?? 1,
    max: maxReplicas,
    up: fullRules(behavior?.scaleUp, 0, UP_POLICIES),
    down: fullRules(behavior?.scaleDown, DOWN_WINDOW_SECONDS, DOWN_POLICIES),
  };
}

function fullRules(
  rules: ScalingRules | undefined,
  windowSeconds: number,
  fallback: readonly NonNullable<ScalingRules['policies']>[number][],
): FullRules {
  const policies = (rules?.policies ?? []).length === 0 ? fallback : (rules?.policies ?? []);
  return {
    windowMs: (rules?.stabilizationWindowSeconds ?? windowSeconds) * 1000,
    select: rules?.selectPolicy ?? 'Max',
    policies: policies.map(({ type, value, periodSeconds }) => ({
      type,
      value,
      periodMs: periodSeconds * 1000,
    })),
  };
}

/**
 * Brings a wish within the bounds: first the windows (no more than the least wish of the one for scaling up, no less than the
 * greatest of the one for scaling down), then minimum, maximum and the policies of speed. `nowMs` is monotonic. Pure; never throws.
 */
export function boundReplicas(
  current: number,
  wish: number,
  bounds: Bounds,
  memory: HpaMemory,
  nowMs: number,
): Bounded {
  const stabilized = stabilize(current, wish, bounds, memory.recommendations, nowMs);
  if (stabilized > current) return boundUp(current, stabilized, bounds, memory.events, nowMs);
  if (stabilized < current) return boundDown(current, stabilized, bounds, memory.events, nowMs);
  return { replicas: current, stabilized, limit: 'DesiredWithinRange', lookAgainMs: undefined };
}

function stabilize(
  current: number,
  wish: number,
  { up, down }: Bounds,
  recommendations: readonly Recommendation[],
  nowMs: number,
): number {
  const within = (windowMs: number): number[] =>
    recommendations.filter((r) => r.atMs > nowMs - windowMs).map((r) => r.replicas);
  const highestStart = Math.min(wish, ...within(up.windowMs));
  const lowestStart = Math.max(wish, ...within(down.windowMs));
  return Math.min(Math.max(current, highestStart), lowestStart);
}

function boundUp(
  current: number,
  wish: number,
  { up, max }: Bounds,
  events: readonly ScaleEvent[],
  nowMs: number,
): Bounded {
  const limit = Math.max(current, speedLimit(current, up, events, nowMs, 'up'));
  const isSlowed = max > limit;
  const most = isSlowed ? limit : max;
  if (wish <= most)
    return { replicas: wish, stabilized: wish, limit: 'DesiredWithinRange', lookAgainMs: undefined };
  const lookAgainMs = isSlowed ? nextRelease(up, events, nowMs) : undefined;
  return {
    replicas: most,
    stabilized: wish,
    limit: isSlowed ? 'ScaleUpLimit' : 'TooManyReplicas',
    lookAgainMs,
  };
}

function boundDown(
  current: number,
  wish: number,
  { down, min }: Bounds,
  events: readonly ScaleEvent[],
  nowMs: number,
): Bounded {
  const limit = Math.min(current, speedLimit(current, down, events, nowMs, 'down'));
  const isSlowed = min < limit;
  const fewest = isSlowed ? limit : min;
  if (wish >= fewest)
    return { replicas: wish, stabilized: wish, limit: 'DesiredWithinRange', lookAgainMs: undefined };
  const lookAgainMs = isSlowed ? nextRelease(down, events, nowMs) : undefined;
  return {
    replicas: fewest,
    stabilized: wish,
    limit: isSlowed ? 'ScaleDownLimit' : 'TooFewReplicas',
    lookAgainMs,
  };
}

/** The furthest that the policies let go from `current`, given what was changed within each one's period. */
function speedLimit(
  current: number,
  rules: FullRules,
  events: readonly ScaleEvent[],
  nowMs: number,
  direction: 'up' | 'down',
): number {
  if (rules.select === 'Disabled') return current;
  const limits = rules.policies.map(({ type, value, periodMs }) => {
    const recent = events.filter((e) => e.atMs > nowMs - periodMs);
    const start = current - recent.reduce((sum, e) => sum + e.change, 0);
    const share = value / 100;
    if (direction === 'up')
      return type === 'Pods' ? start + value : Math.ceil(Number((start * (1 + share)).toFixed(6)));
    return type === 'Pods' ? start - value : Math.trunc(Number((start * (1 - share)).toFixed(6)));
  });
  const isWide = rules.select === 'Max';
  return (direction === 'up') === isWide ? Math.max(...limits) : Math.min(...limits);
}

/** When the oldest change that still counts against a policy stops counting. */
function nextRelease(rules: FullRules, events: readonly ScaleEvent[], nowMs: number): number | undefined {
  const times = rules.policies.flatMap(({ periodMs }) =>
    events.map((e) => e.atMs + periodMs - nowMs).filter((ms) => ms >= 0),
  );
  return times.length === 0 ? undefined : Math.min(...times) + 1;
}

/** Remembers a wish; the same one again only moves its time, so that the memory stays small. Pure. */
export function remember(memory: HpaMemory, wish: number, bounds: Bounds, nowMs: number): HpaMemory {
  const keepMs = Math.max(bounds.up.windowMs, bounds.down.windowMs);
  const kept = memory.recommendations.filter((r) => r.atMs > nowMs - keepMs);
  const last = kept.at(-1);
  const before = last?.replicas === wish ? kept.slice(0, -1) : kept;
  return { ...memory, recommendations: [...before, { replicas: wish, atMs: nowMs }] };
}

/** Remembers a change of the target for as long as a policy looks back. Pure. */
export function rememberScaling(memory: HpaMemory, change: number, bounds: Bounds, nowMs: number): HpaMemory {
  const periods = [...bounds.up.policies, ...bounds.down.policies].map((p) => p.periodMs);
  const keepMs = Math.max(0, ...periods);
  const kept = memory.events.filter((e) => e.atMs > nowMs - keepMs);
  return { ...memory, events: [...kept, { change, atMs: nowMs }] };
}
