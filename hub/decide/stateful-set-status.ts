import { jsonEqual } from '../../protocol/json.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { StatefulSet, StatefulSetStatus } from '../../protocol/kinds/workloads.ts';
import { isAvailable } from './pod-facts.ts';
import { ordinalOf } from './stateful-pod.ts';
import { isRunningReady, revisionOf } from './stateful-set.ts';

/** Names of the revisions of a set, and how often a name was taken already. */
export interface Revisions {
  readonly current: string;
  readonly update: string;
  readonly collisionCount: number;
}

/** Status of a set as its pods are now; `changed` when it differs from what the object says. */
export interface StatefulRollup {
  readonly status: StatefulSetStatus;
  readonly changed: boolean;
}

/**
 * Adds up a StatefulSet's pods. When all of them are of the update's revision and ready, that revision becomes the current one.
 * Order of pods does not matter. Pure; never throws.
 */
export function rollUpStatefulSet(
  set: StatefulSet,
  pods: readonly Pod[],
  { current, update, collisionCount }: Revisions,
  nowMs: number,
): StatefulRollup {
  const own = pods.filter((pod) => ordinalOf(set.metadata.name, pod.metadata.name) !== undefined);
  const ready = own.filter(isRunningReady);
  const live = own.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  const updatedReplicas = live.filter((pod) => revisionOf(pod) === update).length;
  const wanted = set.spec.replicas ?? 1;
  const isDone =
    set.spec.updateStrategy?.type !== 'OnDelete' &&
    [updatedReplicas, ready.length, own.length].every((count) => count === wanted);
  const currentRevision = isDone ? update : current;
  const status: StatefulSetStatus = {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: own.length,
    readyReplicas: ready.length,
    currentReplicas: live.filter((pod) => revisionOf(pod) === currentRevision).length,
    updatedReplicas,
    currentRevision,
    updateRevision: update,
    collisionCount,
    availableReplicas: ready.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)).length,
    ...(set.status?.conditions === undefined ? {} : { conditions: set.status.conditions }),
  };
  return { status, changed: !jsonEqual(status, set.status) };
}
