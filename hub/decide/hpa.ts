import { jsonEqual } from '../../protocol/json.ts';
import type { HorizontalPodAutoscaler, MetricStatus } from '../../protocol/kinds/autoscaling.ts';
import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import {
  type Bounded,
  type Bounds,
  boundReplicas,
  boundsOf,
  remember,
  rememberScaling,
} from './hpa-behavior.ts';
import { askMetric, type Proposal, toleranceOf, type UseOf } from './hpa-metrics.ts';
import { type HpaMemory, type HpaStatus, NO_MEMORY } from './hpa-types.ts';
import type { Moment } from './moment.ts';

/** New figures reach the status this often at most. */
const FIGURES_MS = 15_000;

/** Everything an autoscaler is judged by. */
export interface HpaWorld {
  readonly hpa: HorizontalPodAutoscaler;
  readonly scale:
    | { readonly ok: true; readonly replicas: number; readonly selector: string }
    | { readonly ok: false; readonly why: string };
  /** Pods that the target's selector matches. */
  readonly pods: readonly Pod[];
  /** Keys of all autoscalers, this one among them, whose targets' selectors match one of these pods. */
  readonly claimants: readonly string[];
  readonly useOf: UseOf;
  /** Undefined at the first look. */
  readonly memory: HpaMemory | undefined;
  readonly now: Moment;
  readonly monotonicMs: number;
}

/** Something people should hear of. */
export interface HpaNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** What to do, what to write and what to remember. */
export interface HpaVerdict {
  readonly status: HpaStatus;
  readonly rescale?: { readonly from: number; readonly to: number; readonly reason: string };
  readonly memory: HpaMemory;
  readonly notes: readonly HpaNote[];
  /** Ms until a limit of speed gives way; undefined when none holds it back. */
  readonly lookAgainMs: number | undefined;
}

/**
 * Decides how many replicas a target should have, by Kubernetes' algorithm for autoscaling/v2. The number is always within minimum and
 * maximum and within the policies of speed; where no metric can be told it stays as it is. Pure; never throws.
 */
export function judgeAutoscaler(world: HpaWorld): HpaVerdict {
  const { hpa, scale, now, monotonicMs } = world;
  const conditions = conditionsOf(hpa.status?.conditions, now);
  if (!scale.ok) {
    const message = `the HPA controller was unable to get the target's current scale: ${scale.why}`;
    conditions.set('AbleToScale', 'False', 'FailedGetScale', message);
    const notes: HpaNote[] = [{ type: 'Warning', reason: 'FailedGetScale', message: scale.why }];
    return settled(world, conditions, undefined, notes);
  }
  conditions.set(
    'AbleToScale',
    'True',
    'SucceededGetScale',
    "the HPA controller was able to get the target's current scale",
  );
  const bounds = boundsOf(hpa);
  const { replicas: current } = scale;
  const first = { ...NO_MEMORY, recommendations: [{ replicas: current, atMs: monotonicMs }] };
  const before = world.memory ?? first;
  if (current === 0) {
    const message = 'scaling is disabled since the replica count of the target is zero';
    conditions.set('ScalingActive', 'False', 'ScalingDisabled', message);
    return settled({ ...world, memory: before }, conditions, current, [], 0);
  }
  if (current > bounds.max || current < bounds.min) {
    const side = current > bounds.max ? 'above Spec.MaxReplicas' : 'below Spec.MinReplicas';
    const to = current > bounds.max ? bounds.max : bounds.min;
    const reason = `Current number of replicas ${side}`;
    return rescaling({ ...world, memory: before }, conditions, bounds, { from: current, to, reason });
  }
  return byMetrics({ ...world, memory: before }, conditions, bounds, current, scale.selector);
}

function byMetrics(
  world: HpaWorld & { readonly memory: HpaMemory },
  conditions: Conditions,
  bounds: Bounds,
  current: number,
  selector: string,
): HpaVerdict {
  const { hpa, monotonicMs } = world;
  const unfit = unfitSelector(world, selector);
  if (unfit !== undefined) {
    conditions.set('ScalingActive', 'False', unfit.reason, unfit.condition);
    return settled(world, conditions, current, [
      { type: 'Warning', reason: unfit.event, message: unfit.message },
    ]);
  }
  const { pods, useOf, now } = world;
  const metricWorld = { current, pods, useOf, tolerance: toleranceOf(hpa), nowMs: now.atMs };
  const proposals = (hpa.spec.metrics ?? []).map((metric) => askMetric(metric, metricWorld));
  const metrics = proposals.map((p) => p.status);
  const best = highest(proposals);
  const bad = proposals.filter((p) => !p.ok);
  const [worst] = bad;
  // Guessing upwards is safe, downwards is not: one metric that cannot be told forbids it.
  if (best === undefined || (worst !== undefined && best.replicas < current)) {
    const notes = failureNotes(conditions, proposals.length, bad, worst);
    return settled(world, conditions, current, notes, undefined, metrics);
  }
  conditions.set(
    'ScalingActive',
    'True',
    'ValidMetricFound',
    `the HPA was able to successfully calculate a replica count from ${best.name}`,
  );
  const wish = best.replicas;
  const bounded = boundReplicas(current, wish, bounds, world.memory, monotonicMs);
  const memory = remember(world.memory, wish, bounds, monotonicMs);
  tellBounds(conditions, current, wish, bounded);
  const reason = wish > current ? `${best.name} above target` : 'All metrics below target';
  const next = { ...world, memory };
  if (bounded.replicas === current)
    return { ...settled(next, conditions, current, [], current, metrics), lookAgainMs: bounded.lookAgainMs };
  const verdict = rescaling(
    next,
    conditions,
    bounds,
    { from: current, to: bounded.replicas, reason },
    metrics,
  );
  return { ...verdict, lookAgainMs: bounded.lookAgainMs };
}

function highest(proposals: readonly Proposal[]): (Proposal & { ok: true }) | undefined {
  let best: (Proposal & { ok: true }) | undefined;
  for (const proposal of proposals)
    if (proposal.ok && (best === undefined || proposal.replicas > best.replicas)) best = proposal;
  return best;
}

function unfitSelector(
  { claimants }: HpaWorld,
  selector: string,
): { reason: string; condition: string; event: string; message: string } | undefined {
  if (selector === '')
    return {
      reason: 'InvalidSelector',
      condition: "the HPA target's scale is missing a selector",
      event: 'SelectorRequired',
      message: 'selector is required',
    };
  if (claimants.length < 2) return undefined;
  const message = `pods by selector ${selector} are controlled by multiple HPAs: [${claimants.join(' ')}]`;
  return { reason: 'AmbiguousSelector', condition: message, event: 'AmbiguousSelector', message };
}

function failureNotes(
  conditions: Conditions,
  count: number,
  bad: readonly (Proposal & { ok: false })[],
  worst: (Proposal & { ok: false }) | undefined,
): HpaNote[] {
  if (worst === undefined) return [];
  const text = `the HPA was unable to compute the replica count: ${worst.why}`;
  conditions.set('ScalingActive', 'False', worst.reason, text);
  const sum = `invalid metrics (${bad.length} invalid out of ${count}), first error is: ${worst.error}`;
  return [
    ...bad.map((p): HpaNote => ({ type: 'Warning', reason: p.reason, message: p.why })),
    { type: 'Warning', reason: 'FailedComputeMetricsReplicas', message: sum },
  ];
}

const LIMITS: Readonly<Record<Bounded['limit'], string>> = {
  DesiredWithinRange: 'the desired count is within the acceptable range',
  ScaleUpLimit: 'the desired replica count is increasing faster than the maximum scale rate',
  TooManyReplicas: 'the desired replica count is more than the maximum replica count',
  ScaleDownLimit: 'the desired replica count is decreasing faster than the maximum scale rate',
  TooFewReplicas: 'the desired replica count is less than the minimum replica count',
};

function tellBounds(conditions: Conditions, current: number, wish: number, bounded: Bounded): void {
  const [reason, message] =
    bounded.stabilized === wish
      ? ['ReadyForNewScale', 'recommended size matches current size']
      : wish >= current
        ? [
            'ScaleUpStabilized',
            'recent recommendations were lower than current one, applying the lowest recent recommendation',
          ]
        : [
            'ScaleDownStabilized',
            'recent recommendations were higher than current one, applying the highest recent recommendation',
          ];
  conditions.set('AbleToScale', 'True', reason, message);
  const isLimited = bounded.replicas !== bounded.stabilized;
  conditions.set('ScalingLimited', isLimited ? 'True' : 'False', bounded.limit, LIMITS[bounded.limit]);
}

/** The target is to be changed. */
function rescaling(
  world: HpaWorld & { readonly memory: HpaMemory },
  conditions: Conditions,
  bounds: Bounds,
  rescale: NonNullable<HpaVerdict['rescale']>,
  metrics?: readonly MetricStatus[],
): HpaVerdict {
  const { from, to, reason } = rescale;
  const message = `the HPA controller was able to update the target scale to ${to}`;
  conditions.set('AbleToScale', 'True', 'SucceededRescale', message);
  const told = {
    type: 'Normal',
    reason: 'SuccessfulRescale',
    message: `New size: ${to}; reason: ${reason}`,
  } as const;
  const verdict = settled(world, conditions, from, [told], to, metrics);
  return {
    ...verdict,
    status: { ...verdict.status, lastScaleTime: world.now.time },
    rescale,
    memory: rememberScaling(world.memory, to - from, bounds, world.monotonicMs),
  };
}

/** The status when the target could not be changed for `why`; nothing of the change is remembered. Pure. */
export function failedRescale(world: HpaWorld, verdict: HpaVerdict, why: string): HpaVerdict {
  const { rescale, ...rest } = verdict;
  if (rescale === undefined) return verdict;
  const conditions = conditionsOf(verdict.status.conditions, world.now);
  const text = `the HPA controller was unable to update the target scale: ${why}`;
  conditions.set('AbleToScale', 'False', 'FailedUpdateScale', text);
  const { lastScaleTime } = world.hpa.status ?? {};
  const { lastScaleTime: _new, ...status } = verdict.status;
  const message = `New size: ${rescale.to}; reason: ${rescale.reason}; error: ${why}`;
  return {
    ...rest,
    status: {
      ...status,
      desiredReplicas: world.hpa.status?.desiredReplicas ?? 0,
      ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
      conditions: conditions.all(),
    },
    memory: { ...verdict.memory, events: world.memory?.events ?? [] },
    notes: [{ type: 'Warning', reason: 'FailedRescale', message }],
  };
}

/** The target stays as it is; `metrics` undefined leaves those of before. */
function settled(
  world: HpaWorld,
  conditions: Conditions,
  current: number | undefined,
  notes: readonly HpaNote[],
  desired?: number,
  metrics?: readonly MetricStatus[],
): HpaVerdict {
  const before = world.hpa.status;
  const currentMetrics = metrics === undefined ? before?.currentMetrics : [...metrics];
  const currentReplicas = current ?? before?.currentReplicas;
  return {
    status: {
      ...(before?.observedGeneration === undefined ? {} : { observedGeneration: before.observedGeneration }),
      ...(before?.lastScaleTime === undefined ? {} : { lastScaleTime: before.lastScaleTime }),
      ...(currentReplicas === undefined ? {} : { currentReplicas }),
      desiredReplicas: desired ?? before?.desiredReplicas ?? 0,
      ...(currentMetrics === undefined ? {} : { currentMetrics }),
      conditions: conditions.all(),
    },
    memory: world.memory ?? NO_MEMORY,
    notes,
    lookAgainMs: undefined,
  };
}

/** Conditions on their way: the last word on each type counts, and a status that stays keeps its time. */
interface Conditions {
  set(type: string, status: 'True' | 'False', reason: string, message: string): void;
  all(): Condition[];
}

function conditionsOf(before: readonly Condition[] = [], now: Moment): Conditions {
  const fresh = new Map<string, Condition>();
  return {
    set: (type, status, reason, message) => {
      const old = before.find((c) => c.type === type);
      const since = old?.status === status ? old.lastTransitionTime : undefined;
      fresh.set(type, { type, status, reason, message, lastTransitionTime: since ?? now.time });
    },
    all: () => [
      ...before.map((c) => fresh.get(c.type) ?? c),
      ...[...fresh.values()].filter((c) => !before.some((b) => b.type === c.type)),
    ],
  };
}

/**
 * True when the status is worth a write: a figure alone that has changed is one only when the last write is `agoMs` of 15 s or more
 * back, because figures change for ever and every write reaches the disk. Pure.
 */
export function isWorthWriting(before: HpaStatus | undefined, next: HpaStatus, agoMs: number): boolean {
  if (jsonEqual(before, next)) return false;
  const { currentMetrics: _old, ...was } = before ?? { desiredReplicas: 0 };
  const { currentMetrics: _new, ...is } = next;
  return before === undefined || !jsonEqual(was, is) || agoMs >= FIGURES_MS;
}
