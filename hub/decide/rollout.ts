import type { Deployment, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { resolveCount } from './int-or-percent.ts';
import {
  byAge,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  newAnnotations,
  newReplicaSet,
  newRevision,
  REVISION,
  revisionOf,
} from './revisions.ts';
import { planScale } from './rollout-scale.ts';

/** A ReplicaSet of the deployment with what its pods do right now (not what its status says: that may lag). */
export interface RolloutMember {
  readonly rs: ReplicaSet;
  /** Pods that count: neither ended nor being deleted. */
  readonly active: number;
  readonly ready: number;
  /** Ready for the deployment's minReadySeconds. */
  readonly available: number;
  /** Pods that may still run: active ones and those being deleted, until their device has confirmed it. */
  readonly running: number;
}

/** How far a rolling update may stray from the desired number of replicas. */
export interface RolloutBounds {
  readonly replicas: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** One step of a rollout. `scale` also carries the annotations to set, so that one write does both. */
export type RolloutAction =
  | { readonly do: 'create'; readonly replicas: number; readonly annotations: Record<string, string> }
  | {
      readonly do: 'scale';
      readonly name: string;
      readonly replicas: number;
      readonly annotations: Record<string, string>;
    }
  | { readonly do: 'delete'; readonly name: string }
  | { readonly do: 'set-revision'; readonly revision: number };

/**
 * Bounds of the deployment: percentages of surge round up, of unavailable ones down; when both come to nothing one pod may be
 * unavailable. Recreate has no such bounds: its pods count as unavailable from the first missing one.
 */
export function rolloutBounds(deployment: Deployment): RolloutBounds {
  const replicas = deployment.spec.replicas ?? 1;
  if (deployment.spec.strategy?.type === 'Recreate') return { replicas, maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = resolveCount(maxSurge, replicas, 'up');
  const unavailable = resolveCount(maxUnavailable, replicas, 'down');
  return {
    replicas,
    maxSurge: surge,
    maxUnavailable: Math.min(replicas, surge === 0 && unavailable === 0 ? 1 : unavailable),
  };
}

/**
 * The next steps of a deployment, from its ReplicaSets and their pods; empty means nothing to do until something changes.
 * Steps may be carried out in order or all at once: together they keep pods within replicas + maxSurge and available ones
 * at replicas - maxUnavailable or, when fewer are available already, take none of those away. Pure; never throws.
 */
export function planRollout(deployment: Deployment, members: readonly RolloutMember[]): RolloutAction[] {
  if (deployment.metadata.deletionTimestamp !== undefined) return [];
  const sorted = [...members].sort((a, b) => byAge(a.rs, b.rs));
  const current = newReplicaSet(
    deployment,
    sorted.map((m) => m.rs),
  );
  const fresh = sorted.find((m) => m.rs === current);
  const old = sorted.filter((m) => m !== fresh);
  const bounds = rolloutBounds(deployment);
  const recreate = deployment.spec.strategy?.type === 'Recreate';
  if (deployment.spec.paused === true)
    return [...planScale(deployment, fresh, old, bounds), ...planHistory(deployment, fresh, old, bounds)];
  if (!recreate && isScaling(deployment, sorted)) return planScale(deployment, fresh, old, bounds);
  const steps = recreate
    ? planRecreate(deployment, fresh, old, bounds)
    : planRolling(deployment, fresh, old, bounds);
  return [
    ...steps,
    ...planRevision(deployment, fresh, old, steps),
    ...planHistory(deployment, fresh, old, bounds),
  ];
}

/** True when a running ReplicaSet was last scaled for another number of replicas than is desired now. */
function isScaling(deployment: Deployment, members: readonly RolloutMember[]): boolean {
  const replicas = String(deployment.spec.replicas ?? 1);
  return members.some(({ rs }) => {
    const desired = rs.metadata.annotations?.[DESIRED_REPLICAS];
    return (rs.spec.replicas ?? 0) > 0 && desired !== undefined && desired !== replicas;
  });
}

function planRolling(
  deployment: Deployment,
  fresh: RolloutMember | undefined,
  old: readonly RolloutMember[],
  bounds: RolloutBounds,
): RolloutAction[] {
  const own = fresh === undefined ? 0 : specReplicas(fresh);
  // Pods that a ReplicaSet has still to remove count against the surge.
  const present = [...old, ...(fresh === undefined ? [] : [fresh])].reduce(
    (n, m) => n + Math.max(specReplicas(m), m.active),
    0,
  );
  const room = bounds.replicas + bounds.maxSurge - present;
  const target = own > bounds.replicas ? bounds.replicas : own + clamp(room, 0, bounds.replicas - own);
  return [...raiseNew(deployment, fresh, old, target, bounds), ...lowerOld(fresh, old, bounds)];
}

function planRecreate(
  deployment: Deployment,
  fresh: RolloutMember | undefined,
  old: readonly RolloutMember[],
  bounds: RolloutBounds,
): RolloutAction[] {
  const down = old
    .filter((m) => specReplicas(m) > 0)
    .map((m): RolloutAction => scaleTo(m, 0, boundAnnotations(bounds)));
  if (down.length > 0) return down;
  // Only when nothing of the old can run any more: that is what people choose Recreate for.
  if (old.some((m) => m.running > 0)) return [];
  return raiseNew(deployment, fresh, old, bounds.replicas, bounds);
}

/** Creates or scales the new ReplicaSet and keeps its annotations right. */
function raiseNew(
  deployment: Deployment,
  fresh: RolloutMember | undefined,
  old: readonly RolloutMember[],
  replicas: number,
  bounds: RolloutBounds,
): RolloutAction[] {
  const revision = newRevision(
    fresh?.rs,
    old.map((m) => m.rs),
  );
  const annotations = { ...newAnnotations(deployment, fresh?.rs, revision), ...boundAnnotations(bounds) };
  if (fresh === undefined) return [{ do: 'create', replicas, annotations }];
  const settled =
    specReplicas(fresh) === replicas &&
    sameAnnotations(fresh.rs, annotations) &&
    (fresh.rs.spec.minReadySeconds ?? 0) === (deployment.spec.minReadySeconds ?? 0);
  return settled ? [] : [scaleTo(fresh, replicas, annotations)];
}

/** Takes old pods away: those that are not available first, then as many available ones as the bounds allow. */
function lowerOld(
  fresh: RolloutMember | undefined,
  old: readonly RolloutMember[],
  bounds: RolloutBounds,
): RolloutAction[] {
  const minAvailable = bounds.replicas - bounds.maxUnavailable;
  const freshAvailable = fresh === undefined ? 0 : Math.min(fresh.available, specReplicas(fresh));
  const oldTotal = old.reduce((n, m) => n + specReplicas(m), 0);
  let budget = Math.max(0, oldTotal + freshAvailable - minAvailable);
  const left = new Map(old.map((m) => [m, specReplicas(m)]));
  const take = (m: RolloutMember, most: number): void => {
    const n = Math.min(budget, Math.max(0, most), left.get(m) ?? 0);
    left.set(m, (left.get(m) ?? 0) - n);
    budget -= n;
  };
  // The unavailable go first and free of charge, but a ReplicaSet removes its least useful pods, so it is only asked for those.
  for (const m of old) take(m, specReplicas(m) - settledAvailable(m));
  const available = freshAvailable + old.reduce((n, m) => n + settledAvailable(m), 0);
  budget = Math.min(budget, Math.max(0, available - minAvailable));
  for (const m of old) take(m, left.get(m) ?? 0);
  return old
    .filter((m) => left.get(m) !== specReplicas(m))
    .map((m) => scaleTo(m, left.get(m) ?? 0, boundAnnotations(bounds)));
}

/** Available pods that stay when the ReplicaSet has settled on its number. */
function settledAvailable(m: RolloutMember): number {
  return Math.min(m.available, specReplicas(m));
}

/** The deployment carries the number of its new ReplicaSet, as soon as there is or will be one. */
function planRevision(
  deployment: Deployment,
  fresh: RolloutMember | undefined,
  old: readonly RolloutMember[],
  steps: readonly RolloutAction[],
): RolloutAction[] {
  if (fresh === undefined && !steps.some((s) => s.do === 'create')) return [];
  const revision = newRevision(
    fresh?.rs,
    old.map((m) => m.rs),
  );
  if (deployment.metadata.annotations?.[REVISION] === String(revision)) return [];
  return [{ do: 'set-revision', revision }];
}

/** Old ReplicaSets beyond the history limit go, lowest revision first, once the rollout is complete. */
function planHistory(
  deployment: Deployment,
  fresh: RolloutMember | undefined,
  old: readonly RolloutMember[],
  bounds: RolloutBounds,
): RolloutAction[] {
  const complete = fresh !== undefined && fresh.available >= bounds.replicas;
  if (!complete || old.some((m) => m.active > 0)) return [];
  const idle = old
    .filter((m) => specReplicas(m) === 0 && m.rs.metadata.deletionTimestamp === undefined)
    .sort((a, b) => revisionOf(a.rs) - revisionOf(b.rs));
  const surplus = Math.max(0, idle.length - (deployment.spec.revisionHistoryLimit ?? 10));
  return idle.slice(0, surplus).map((m) => ({ do: 'delete', name: m.rs.metadata.name }));
}

function scaleTo(
  member: RolloutMember,
  replicas: number,
  annotations: Record<string, string>,
): RolloutAction & { do: 'scale' } {
  return { do: 'scale', name: member.rs.metadata.name, replicas, annotations };
}

function boundAnnotations(bounds: RolloutBounds): Record<string, string> {
  return {
    [DESIRED_REPLICAS]: String(bounds.replicas),
    [MAX_REPLICAS]: String(bounds.replicas + bounds.maxSurge),
  };
}

function sameAnnotations(rs: ReplicaSet, wanted: Record<string, string>): boolean {
  return Object.entries(wanted).every(([key, value]) => rs.metadata.annotations?.[key] === value);
}

function specReplicas(member: RolloutMember): number {
  return member.rs.spec.replicas ?? 0;
}

function clamp(n: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, n));
}
