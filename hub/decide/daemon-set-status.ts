import type { DaemonSet, DaemonSetStatus } from '../../protocol/kinds/workloads.ts';
import { sameJson } from './content-hash.ts';
import { type DaemonWorld, daemonNodes, isUpdated } from './daemon-set.ts';
import { isAvailable, isReady } from './pod-facts.ts';

/** The status a DaemonSet should have. */
export interface DaemonRollup {
  readonly status: DaemonSetStatus;
  readonly changed: boolean;
}

/**
 * Counts nodes, not pods: of several pods of a node the oldest speaks for it. A node that may keep its pod but would not get one
 * counts as misscheduled, as one that must not have it. Pure; never throws.
 */
export function rollUpDaemonSet(world: DaemonWorld, collisionCount: number): DaemonRollup {
  const { set, hash, nowMs } = world;
  const minReady = set.spec.minReadySeconds ?? 0;
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, available: 0, updated: 0 };
  for (const { verdict, pods } of daemonNodes(world)) {
    const [pod] = pods.toSorted(oldestBoundFirst);
    if (verdict !== 'run') {
      if (pod !== undefined) counts.misscheduled++;
      continue;
    }
    counts.desired++;
    if (pod === undefined) continue;
    counts.current++;
    if (isReady(pod)) counts.ready++;
    if (isAvailable(pod, minReady, nowMs)) counts.available++;
    if (isUpdated(pod, hash)) counts.updated++;
  }
  const status = statusOf(set, counts, collisionCount);
  return { status, changed: !sameJson(status, set.status ?? {}) };
}

function statusOf(
  set: DaemonSet,
  counts: Readonly<
    Record<'desired' | 'current' | 'misscheduled' | 'ready' | 'available' | 'updated', number>
  >,
  collisionCount: number,
): DaemonSetStatus {
  const { conditions, collisionCount: noted } = set.status ?? {};
  return {
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    desiredNumberScheduled: counts.desired,
    numberReady: counts.ready,
    updatedNumberScheduled: counts.updated,
    numberAvailable: counts.available,
    numberUnavailable: counts.desired - counts.available,
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    ...(collisionCount > 0 || noted !== undefined ? { collisionCount } : {}),
    ...(conditions === undefined ? {} : { conditions }),
  };
}

function oldestBoundFirst(a: DaemonWorld['pods'][number], b: DaemonWorld['pods'][number]): number {
  const bound = (pod: typeof a): number => (pod.spec.nodeName === undefined ? 1 : 0);
  const created = (pod: typeof a): number => Date.parse(pod.metadata.creationTimestamp) || 0;
  return bound(a) - bound(b) || created(a) - created(b) || (a.metadata.name < b.metadata.name ? -1 : 1);
}
