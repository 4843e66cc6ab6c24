import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { availableAtMs, isActive, isAvailable, isReady, isTerminal } from './pod-facts.ts';
import type { RolloutMember } from './rollout.ts';

/** What the pods of a ReplicaSet do at `nowMs`, for a deployment that wants them ready for `minReadySeconds`. */
export function rolloutMember(
  rs: ReplicaSet,
  pods: readonly Pod[],
  minReadySeconds: number,
  nowMs: number,
): RolloutMember {
  const active = pods.filter(isActive);
  return {
    rs,
    active: active.length,
    ready: active.filter(isReady).length,
    available: active.filter((pod) => isAvailable(pod, minReadySeconds, nowMs)).length,
    running: pods.filter((pod) => !isTerminal(pod)).length,
  };
}

/** In how many ms the next of the pods becomes available by time alone; undefined when none will. */
export function nextAvailableMs(
  pods: readonly Pod[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  if (minReadySeconds <= 0) return undefined;
  const waits = pods
    .filter(isActive)
    .map((pod) => (availableAtMs(pod, minReadySeconds) ?? nowMs) - nowMs)
    .filter((ms) => ms > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
