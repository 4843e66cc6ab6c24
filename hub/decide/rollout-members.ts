import type { ReplicaSet } from '../../protocol/kinds/workloads.ts';
import type { PodTally } from './pod-tally.ts';
import type { RolloutMember } from './rollout.ts';

/** What the pods of a ReplicaSet do at `nowMs`, for a deployment that wants them ready for `minReadySeconds`. */
export function rolloutMember(
  rs: ReplicaSet,
  pods: PodTally,
  minReadySeconds: number,
  nowMs: number,
): RolloutMember {
  return {
    rs,
    active: pods.active,
    ready: pods.ready,
    available: pods.available(minReadySeconds, nowMs),
    running: pods.running,
  };
}

/** In how many ms the next of the pods becomes available by time alone; undefined when none will. */
export function nextAvailableMs(
  owned: readonly PodTally[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  const waits = owned
    .map((pods) => pods.nextAvailableMs(minReadySeconds, nowMs))
    .filter((ms) => ms !== undefined);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
