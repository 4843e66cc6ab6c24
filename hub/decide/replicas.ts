import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ReplicaOwner } from '../../protocol/kinds/workloads.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import { controllerUid, isActive, isAvailable, isReady, readySinceMs } from './pod-facts.ts';
import type { PodTally } from './pod-tally.ts';

/** What a ReplicaSet needs done. All empty and 0 means converged. */
export interface ReplicaPlan {
  readonly create: number;
  readonly remove: readonly Pod[];
  /** Pods without owner that match: they become ours. */
  readonly adopt: readonly Pod[];
  /** Pods of ours whose labels no longer match: they become nobody's. */
  readonly release: readonly Pod[];
}

/** What ranks pods beside what they say themselves. */
export interface ReplicaSurroundings {
  /** Pods of all ReplicaSets of one deployment: of two equal pods the one with more of these beside it goes. */
  readonly related?: readonly Pod[];
  /** The hub's wall clock, epoch ms: of two ready pods the one that is not yet available goes. */
  readonly nowMs?: number;
}

/** Set on a pod that shall leave its node once another one serves in its place; the value is since when (RFC 3339). */
export const MOVING = 'coxswain.dev/moving';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/**
 * Chooses which pods to add, remove, adopt and release so that `rs` has exactly its replicas. Pods that have ended or are being
 * deleted do not count, wherever they are. Removes the least useful first: unbound, not running, not ready, not available, cheap
 * by annotation, doubled up on a node, youngest. One pod that is moving away is not counted while no more than the replicas are there
 * beside it: its replacement comes first. `orphans` are pods of the namespace without controller. Pure; never throws.
 */
export function planReplicas(
  rs: ReplicaOwner,
  owned: readonly Pod[],
  orphans: readonly Pod[] = [],
  { related = owned, nowMs = Number.POSITIVE_INFINITY }: ReplicaSurroundings = {},
): ReplicaPlan {
  if (rs.metadata.deletionTimestamp !== undefined) return { create: 0, remove: [], adopt: [], release: [] };
  const matches = (pod: Pod): boolean => selectorMatches(rs.spec.selector, pod.metadata.labels);
  const active = owned.filter(isActive);
  const kept = active.filter(matches);
  const release = active.filter((pod) => !matches(pod));
  const adopt = orphans.filter((pod) => isActive(pod) && controllerUid(pod) === undefined && matches(pod));
  const replicas = rs.spec.replicas ?? 1;
  const present = kept.length + adopt.length;
  // Never more than one, whatever annotations say, and none when the number went down meanwhile.
  const moving = replicas > 0 && present - 1 <= replicas && kept.some(isMoving) ? 1 : 0;
  const surplus = present - moving - replicas;
  if (surplus <= 0) return { create: -surplus, remove: [], adopt, release };
  const perNode = new Map<string, number>();
  for (const pod of related.filter(isActive)) {
    const node = pod.spec.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  // Adopted pods are removed, when there are too many, only after they are ours: the next plan sees them.
  const ranked = kept
    .map((pod) => {
      const available = isAvailable(pod, rs.spec.minReadySeconds ?? 0, nowMs);
      return { pod, rank: rankOf(pod, available, perNode.get(pod.spec.nodeName ?? '') ?? 0) };
    })
    .sort((a, b) => compareRanks(a.rank, b.rank) || (a.pod.metadata.name < b.pod.metadata.name ? -1 : 1));
  return { create: 0, remove: ranked.slice(0, surplus).map((r) => r.pod), adopt, release };
}

/**
 * How many pods to create when nothing else is to be done, which is nearly always; undefined when single pods must be looked at,
 * by `planReplicas`, which then says the same or more. `orphans`: there are pods without controller. Pure; never throws.
 */
export function missingReplicas(rs: ReplicaOwner, owned: PodTally, orphans: boolean): number | undefined {
  if (rs.metadata.deletionTimestamp !== undefined) return 0;
  if (orphans || owned.moving > 0) return undefined;
  const kept = owned.labelled((labels) => selectorMatches(rs.spec.selector, labels));
  const missing = (rs.spec.replicas ?? 1) - kept;
  return kept < owned.active || missing < 0 ? undefined : missing;
}

/** True for a pod that shall leave its node. */
export function isMoving(pod: Pod): boolean {
  return pod.metadata.annotations?.[MOVING] !== undefined;
}

/**
 * Smaller is less useful. Order of the criteria as in Kubernetes, and availability after readiness: a rollout counts on the
 * available pods of a ReplicaSet that it shrinks by the others.
 */
function rankOf(pod: Pod, available: boolean, podsOnNode: number): number[] {
  const phases: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };
  const restarts = (pod.status?.containerStatuses ?? []).reduce((n, c) => n + c.restartCount, 0);
  const cost = Number(pod.metadata.annotations?.[DELETION_COST] ?? 0);
  return [
    pod.spec.nodeName === undefined ? 0 : 1,
    phases[pod.status?.phase ?? 'Pending'] ?? 0,
    isReady(pod) ? 1 : 0,
    available ? 1 : 0,
    isMoving(pod) ? 0 : 1,
    Number.isFinite(cost) ? cost : 0,
    -podsOnNode,
    -(readySinceMs(pod) ?? 0),
    -restarts,
    -(Date.parse(pod.metadata.creationTimestamp) || 0),
  ];
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
