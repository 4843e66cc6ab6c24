import type { Condition, OwnerReference } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import { sameJson } from './content-hash.ts';
import { resolveCount } from './int-or-percent.ts';
import type { Moment } from './moment.ts';
import { withCondition } from './node-object.ts';
import { isReady } from './pod-facts.ts';

/** Status of a budget as the hub writes it. */
export type BudgetStatus = NonNullable<PodDisruptionBudget['status']>;

/** How many pods the controller of a pod is told to keep, or why that cannot be known. */
export type OwnerScale =
  | { readonly ok: true; readonly uid: string; readonly replicas: number }
  | { readonly ok: false; readonly why: string };

/** The status a budget should have, and what people should hear of it. */
export interface BudgetRollup {
  readonly status: BudgetStatus;
  readonly changed: boolean;
  /** Ms until an eviction that was let pass counts as not having happened. */
  readonly lookAgainMs: number | undefined;
  /** Pods that an eviction was let pass for and that are still there. */
  readonly notDeleted: readonly Pod[];
  /** Names of pods without controller where one is needed to know the expected number. */
  readonly unmanaged: readonly string[];
  /** Why the status cannot be calculated; no disruption is allowed meanwhile. */
  readonly failure: string | undefined;
}

/** How long a pod may take to go after its eviction was let pass, before it counts again. */
const DELETION_TIMEOUT_MS = 120_000;

/** Budgets of the pod's namespace that select it. An empty selector selects every pod, an absent one none. Pure. */
export function budgetsOf(pod: Pod, budgets: readonly PodDisruptionBudget[]): readonly PodDisruptionBudget[] {
  return budgets.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.metadata.namespace && selectorMatches(spec?.selector, pod.metadata.labels),
  );
}

/**
 * Healthy pods that count for a budget: ready, not being deleted, and not let go by an eviction of the last two minutes that
 * has not reached them yet. `pods` are those the budget selects. Pure.
 */
export function countHealthy(
  pods: readonly Pod[],
  disrupted: Readonly<Record<string, string>>,
  nowMs: number,
): number {
  const isLeaving = ({ metadata }: Pod): boolean =>
    metadata.deletionTimestamp !== undefined || isExpectedToGo(disrupted[metadata.name], nowMs);
  return pods.filter((pod) => !isLeaving(pod) && isReady(pod)).length;
}

/**
 * Calculates a budget's status from the pods it selects and what their controllers want, as Kubernetes documents it
 * (https://kubernetes.io/docs/tasks/run-application/configure-pdb/). `scaleOf` is asked once per controller; undefined is a
 * controller that is gone. Pure as long as `scaleOf` is; never throws.
 */
export function rollUpBudget(
  pdb: PodDisruptionBudget,
  pods: readonly Pod[],
  scaleOf: (owner: OwnerReference) => OwnerScale | undefined,
  now: Moment,
): BudgetRollup {
  const disrupted = stillExpected(pdb, pods, now);
  const wanted = desiredOf(pdb, pods, scaleOf);
  const changed = (status: BudgetStatus): boolean => !sameJson(status, pdb.status ?? {});
  const heard = { lookAgainMs: disrupted.lookAgainMs, notDeleted: disrupted.notDeleted };
  if (!wanted.ok) {
    const status = failedStatus(pdb, wanted.why, now);
    return { status, changed: changed(status), ...heard, unmanaged: [], failure: wanted.why };
  }
  const currentHealthy = countHealthy(pods, disrupted.pods, now.atMs);
  const allowed = wanted.expected <= 0 ? 0 : Math.max(0, currentHealthy - wanted.desired);
  const status: BudgetStatus = {
    ...(pdb.metadata.generation === undefined ? {} : { observedGeneration: pdb.metadata.generation }),
    ...(Object.keys(disrupted.pods).length === 0 ? {} : { disruptedPods: disrupted.pods }),
    disruptionsAllowed: allowed,
    currentHealthy,
    desiredHealthy: wanted.desired,
    expectedPods: wanted.expected,
    conditions: allowedConditions(pdb, allowed, now),
  };
  return { status, changed: changed(status), ...heard, unmanaged: wanted.unmanaged, failure: undefined };
}

/** Conditions of a budget that allows this many disruptions now. Pure. */
export function allowedConditions(pdb: PodDisruptionBudget, allowed: number, now: Moment): Condition[] {
  return withCondition(
    pdb.status?.conditions,
    stamped(pdb, now, {
      status: allowed > 0 ? 'True' : 'False',
      reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
      message: '',
    }),
  );
}

/** True when an eviction was let pass so lately that the pod is still expected to go. Pure. */
export function isExpectedToGo(since: string | undefined, nowMs: number): boolean {
  if (since === undefined) return false;
  const atMs = Date.parse(since);
  return !Number.isNaN(atMs) && atMs + DELETION_TIMEOUT_MS > nowMs;
}

function stamped(
  { status, metadata }: PodDisruptionBudget,
  now: Moment,
  parts: Pick<Condition, 'status' | 'reason' | 'message'>,
): Condition {
  const before = status?.conditions?.find((c) => c.type === 'DisruptionAllowed');
  const since = before?.status === parts.status ? before.lastTransitionTime : undefined;
  return {
    type: 'DisruptionAllowed',
    ...parts,
    lastTransitionTime: since ?? now.time,
    ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
  };
}

/** As Kubernetes fails safe: the old numbers stay, nothing is allowed. */
function failedStatus(pdb: PodDisruptionBudget, why: string, now: Moment): BudgetStatus {
  const before = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, ...pdb.status };
  const condition = stamped(pdb, now, { status: 'False', reason: 'SyncFailed', message: why });
  return {
    ...before,
    disruptionsAllowed: 0,
    conditions: withCondition(pdb.status?.conditions, condition),
  };
}

interface Expected {
  readonly pods: Record<string, string>;
  readonly notDeleted: readonly Pod[];
  readonly lookAgainMs: number | undefined;
}

/** Evictions that were let pass and whose pods have not been marked yet; those that took too long are told apart. */
function stillExpected(pdb: PodDisruptionBudget, pods: readonly Pod[], now: Moment): Expected {
  const noted = pdb.status?.disruptedPods ?? {};
  const kept: Record<string, string> = {};
  const notDeleted: Pod[] = [];
  let lookAgainMs: number | undefined;
  for (const pod of pods) {
    const since = Object.hasOwn(noted, pod.metadata.name) ? noted[pod.metadata.name] : undefined;
    if (since === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    if (!isExpectedToGo(since, now.atMs)) {
      notDeleted.push(pod);
      continue;
    }
    kept[pod.metadata.name] = since;
    const leftMs = Date.parse(since) + DELETION_TIMEOUT_MS - now.atMs;
    lookAgainMs = Math.min(lookAgainMs ?? leftMs, leftMs);
  }
  return { pods: kept, notDeleted, lookAgainMs };
}

type Wanted =
  | {
      readonly ok: true;
      readonly expected: number;
      readonly desired: number;
      readonly unmanaged: readonly string[];
    }
  | { readonly ok: false; readonly why: string };

function desiredOf(
  { spec = {} }: PodDisruptionBudget,
  pods: readonly Pod[],
  scaleOf: (owner: OwnerReference) => OwnerScale | undefined,
): Wanted {
  const { minAvailable, maxUnavailable } = spec;
  if (maxUnavailable === undefined && minAvailable === undefined)
    return { ok: true, expected: 0, desired: 0, unmanaged: [] };
  if (maxUnavailable === undefined && typeof minAvailable === 'number')
    return { ok: true, expected: pods.length, desired: minAvailable, unmanaged: [] };
  const scale = expectedScale(pods, scaleOf);
  if (!scale.ok) return scale;
  const { expected, unmanaged } = scale;
  // Both are rounded up: an availability of 50 % of 7 is 4, and 3.5 pods away are 4.
  const desired =
    maxUnavailable === undefined
      ? resolveCount(minAvailable ?? 0, expected, 'up')
      : Math.max(0, expected - resolveCount(maxUnavailable, expected, 'up'));
  return { ok: true, expected, desired, unmanaged };
}

type ScaleSum =
  | { readonly ok: true; readonly expected: number; readonly unmanaged: readonly string[] }
  | { readonly ok: false; readonly why: string };

/** What all controllers of the pods want together; each counts once. */
function expectedScale(
  pods: readonly Pod[],
  scaleOf: (owner: OwnerReference) => OwnerScale | undefined,
): ScaleSum {
  const asked = new Set<string>();
  const scales = new Map<string, number>();
  const unmanaged: string[] = [];
  for (const { metadata } of pods) {
    const owner = metadata.ownerReferences?.find((o) => o.controller === true);
    if (owner === undefined) {
      unmanaged.push(metadata.name);
      continue;
    }
    if (asked.has(owner.uid)) continue;
    asked.add(owner.uid);
    const scale = scaleOf(owner);
    if (scale === undefined) return { ok: false, why: `found no controllers for pod "${metadata.name}"` };
    if (!scale.ok) return scale;
    scales.set(scale.uid, scale.replicas);
  }
  const expected = [...scales.values()].reduce((sum, n) => sum + n, 0);
  return { ok: true, expected, unmanaged };
}
