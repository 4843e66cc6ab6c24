import type { Pod } from '../../protocol/kinds/pod.ts';
import type { StatefulSet } from '../../protocol/kinds/workloads.ts';
import { CONTROLLER_REVISION_HASH } from './controller-revisions.ts';
import { availableAtMs, isReady, isTerminal } from './pod-facts.ts';
import { ordinalOf } from './stateful-pod.ts';

/** One thing to do; the caller does them in order, and looks again when any of them is done. */
export type StatefulStep =
  | { readonly do: 'create'; readonly ordinal: number; readonly revision: string }
  /** It ended: its successor comes once it is gone. */
  | { readonly do: 'recreate'; readonly pod: Pod }
  | { readonly do: 'scale-down'; readonly pod: Pod }
  | { readonly do: 'update'; readonly pod: Pod };

/** Steps of one pass; `lookAgainMs` when only time is awaited: a pod is ready and not yet for long enough. */
export interface StatefulPlan {
  readonly steps: readonly StatefulStep[];
  readonly lookAgainMs?: number;
}

/** What a set is judged by. Revisions are names of ControllerRevisions. */
export interface StatefulWorld {
  /** Pods the set owns, those being deleted included, in any order. */
  readonly pods: readonly Pod[];
  readonly currentRevision: string;
  readonly updateRevision: string;
  /** True while a claim of the ordinal's last pod is still to go: a new pod must not take it. */
  readonly isBlocked: (ordinal: number) => boolean;
  readonly nowMs: number;
}

/**
 * Plans the next steps of a StatefulSet as Kubernetes does: ordinals are filled upwards, one at a time and each only when all below
 * are available, or all at once with Parallel; surplus goes from the top; then the update replaces from the top down to the
 * partition. A pod that is being deleted holds its ordinal until it is gone. Order of pods does not matter. Pure; never throws.
 */
export function planStatefulSet(set: StatefulSet, world: StatefulWorld): StatefulPlan {
  if (set.metadata.deletionTimestamp !== undefined) return { steps: [] };
  const members = membersOf(set, world.pods);
  const isOrdered = set.spec.podManagementPolicy !== 'Parallel';
  const filled = fill(set, members, world, isOrdered);
  if (filled.waits) return withTime(filled.steps, members, set, world);
  const shrunk = shrink(set, members, world, isOrdered);
  if (shrunk.waits) return withTime([...filled.steps, ...shrunk.steps], members, set, world);
  const steps = [...filled.steps, ...shrunk.steps, ...updates(set, members, world)];
  return withTime(steps, members, set, world);
}

/** Pods by the set's ordinals, lowest first, and those beyond them, highest first. */
export interface Members {
  readonly start: number;
  /** One place for each replica; undefined where there is no pod. */
  readonly replicas: readonly (Pod | undefined)[];
  readonly condemned: readonly Pod[];
}

/** Sorts the pods of a set by what their ordinals make them; pods without ordinal belong to neither. */
export function membersOf({ metadata, spec }: StatefulSet, pods: readonly Pod[]): Members {
  const start = spec.ordinals?.start ?? 0;
  const replicas: (Pod | undefined)[] = Array(spec.replicas ?? 1).fill(undefined);
  const condemned: { pod: Pod; ordinal: number }[] = [];
  for (const pod of pods) {
    const ordinal = ordinalOf(metadata.name, pod.metadata.name);
    if (ordinal === undefined) continue;
    if (ordinal >= start && ordinal < start + replicas.length) replicas[ordinal - start] = pod;
    else condemned.push({ pod, ordinal });
  }
  return {
    start,
    replicas,
    condemned: condemned.sort((a, b) => b.ordinal - a.ordinal).map(({ pod }) => pod),
  };
}

interface Stage {
  readonly steps: readonly StatefulStep[];
  /** The next stage has to wait. */
  readonly waits: boolean;
}

function fill(set: StatefulSet, members: Members, world: StatefulWorld, isOrdered: boolean): Stage {
  const steps: StatefulStep[] = [];
  let waits = false;
  for (const [i, pod] of members.replicas.entries()) {
    const ordinal = members.start + i;
    if (pod === undefined) {
      const blocked = world.isBlocked(ordinal);
      waits ||= blocked;
      if (!blocked) steps.push({ do: 'create', ordinal, revision: revisionFor(set, ordinal, world) });
      if (isOrdered) return { steps, waits: true };
    } else if (isTerminal(pod)) {
      waits = true;
      if (!isTerminating(pod)) steps.push({ do: 'recreate', pod });
      if (isOrdered) return { steps, waits };
    } else if (isOrdered && !isHealthy(set, pod, world.nowMs)) return { steps, waits: true };
  }
  return { steps, waits };
}

function shrink(set: StatefulSet, members: Members, world: StatefulWorld, isOrdered: boolean): Stage {
  const { condemned } = members;
  if (!isOrdered) {
    const going = condemned.filter((pod) => !isTerminating(pod));
    return { steps: going.map((pod) => ({ do: 'scale-down', pod })), waits: false };
  }
  // The lowest unhealthy pod may go although it is not well: else a broken set could not be scaled down.
  const all = [...members.replicas.filter((p) => p !== undefined), ...condemned.toReversed()];
  const firstUnhealthy = all.find((pod) => !isRunningReady(pod) || isTerminating(pod));
  const [next] = condemned;
  if (next === undefined) return { steps: [], waits: false };
  // One that has ended never gets well, and nothing of it is lost.
  const well = isHealthy(set, next, world.nowMs) || next === firstUnhealthy || isTerminal(next);
  if (isTerminating(next) || !well) return { steps: [], waits: true };
  return { steps: [{ do: 'scale-down', pod: next }], waits: true };
}

function updates(set: StatefulSet, members: Members, world: StatefulWorld): StatefulStep[] {
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  if (type === 'OnDelete') return [];
  const pods = members.replicas.slice(rollingUpdate?.partition ?? 0).toReversed();
  return rollingUpdate?.maxUnavailable === undefined
    ? updateNext(set, pods, world)
    : updateSome(set, members, pods, world);
}

/** The topmost pod of an old revision, once all above it are well. */
function updateNext(
  set: StatefulSet,
  pods: readonly (Pod | undefined)[],
  world: StatefulWorld,
): StatefulStep[] {
  for (const pod of pods) {
    if (pod !== undefined && isOutdated(pod, world)) return [{ do: 'update', pod }];
    if (isAway(set, pod, world.nowMs)) return [];
  }
  return [];
}

/** As many pods of an old revision as may be away at once; those that are away already cost nothing. */
function updateSome(
  set: StatefulSet,
  members: Members,
  pods: readonly (Pod | undefined)[],
  world: StatefulWorld,
): StatefulStep[] {
  const away = (pod: Pod | undefined): boolean => isAway(set, pod, world.nowMs);
  let budget = maxUnavailable(set) - members.replicas.filter(away).length;
  const steps: StatefulStep[] = [];
  for (const pod of pods) {
    if (pod === undefined || !isOutdated(pod, world)) continue;
    if (!away(pod)) {
      if (budget <= 0) continue;
      budget -= 1;
    }
    steps.push({ do: 'update', pod });
  }
  return steps;
}

function isOutdated(pod: Pod, { updateRevision }: StatefulWorld): boolean {
  return revisionOf(pod) !== updateRevision && !isTerminating(pod);
}

/** How many pods may be away at once while an update goes on: at least one. */
function maxUnavailable({ spec }: StatefulSet): number {
  const wanted = spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
  const share = typeof wanted === 'string' ? Number.parseInt(wanted, 10) / 100 : undefined;
  const count = share === undefined ? Number(wanted) : Math.floor(share * (spec.replicas ?? 1));
  return Math.max(1, Number.isNaN(count) ? 1 : count);
}

/** Below the partition the set still makes pods of its current revision. */
function revisionFor({ spec }: StatefulSet, ordinal: number, world: StatefulWorld): string {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  const isBelow = ordinal < (spec.ordinals?.start ?? 0) + (rollingUpdate?.partition ?? 0);
  return type !== 'OnDelete' && isBelow ? world.currentRevision : world.updateRevision;
}

function isAway(set: StatefulSet, pod: Pod | undefined, nowMs: number): boolean {
  return pod === undefined || !isHealthy(set, pod, nowMs);
}

/** Running, ready for long enough, and not being deleted. */
function isHealthy({ spec }: StatefulSet, pod: Pod, nowMs: number): boolean {
  if (!isRunningReady(pod) || isTerminating(pod)) return false;
  const at = availableAtMs(pod, spec.minReadySeconds ?? 0);
  return at !== undefined && at <= nowMs;
}

/** True when the pod's containers run and its Ready condition holds. */
export function isRunningReady(pod: Pod): boolean {
  return pod.status?.phase === 'Running' && isReady(pod);
}

function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined;
}

/** Name of the revision a pod was made from. */
export function revisionOf(pod: Pod): string {
  return pod.metadata.labels?.[CONTROLLER_REVISION_HASH] ?? '';
}

function withTime(
  steps: readonly StatefulStep[],
  { replicas, condemned }: Members,
  { spec }: StatefulSet,
  { nowMs }: StatefulWorld,
): StatefulPlan {
  const waits = [...replicas, ...condemned].flatMap((pod) => {
    const at =
      pod === undefined || !isRunningReady(pod) ? undefined : availableAtMs(pod, spec.minReadySeconds ?? 0);
    return at === undefined || at <= nowMs ? [] : [at - nowMs];
  });
  return waits.length === 0 ? { steps } : { steps, lookAgainMs: Math.min(...waits) };
}
