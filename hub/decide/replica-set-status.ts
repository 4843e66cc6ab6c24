import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ReplicaOwner, ReplicaSetStatus } from '../../protocol/kinds/workloads.ts';
import { sameJson } from './content-hash.ts';
import type { Moment } from './moment.ts';
import { availableAtMs, isActive, isReady } from './pod-facts.ts';

/** The status a ReplicaSet should have, and when to look again because a ready pod becomes available by time alone. */
export interface ReplicaSetRollup {
  readonly status: ReplicaSetStatus;
  readonly changed: boolean;
  readonly lookAgainMs: number | undefined;
}

/** Why the last pass could not make or remove pods. */
export interface ReplicaFailure {
  readonly reason: 'FailedCreate' | 'FailedDelete';
  readonly message: string;
}

/**
 * Rolls the pods of `rs` up into its status. `failure` is undefined when all went well; it becomes the condition ReplicaFailure,
 * which `kubectl describe` shows. Pure; never throws.
 */
export function rollUpReplicaSet(
  rs: ReplicaOwner,
  owned: readonly Pod[],
  failure: ReplicaFailure | undefined,
  now: Moment,
): ReplicaSetRollup {
  const minReady = rs.spec.minReadySeconds ?? 0;
  const active = owned.filter(isActive);
  const templateLabels = Object.entries(rs.spec.template.metadata?.labels ?? {});
  let readyReplicas = 0;
  let availableReplicas = 0;
  let nextMs: number | undefined;
  for (const pod of active) {
    if (isReady(pod)) readyReplicas++;
    const at = availableAtMs(pod, minReady);
    if (at === undefined) continue;
    if (at <= now.atMs) availableReplicas++;
    else nextMs = Math.min(nextMs ?? Number.POSITIVE_INFINITY, at - now.atMs);
  }
  const conditions = withFailure(rs.status?.conditions ?? [], failure, now);
  const status: ReplicaSetStatus = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) =>
      templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value),
    ).length,
    readyReplicas,
    availableReplicas,
    ...(rs.metadata.generation === undefined ? {} : { observedGeneration: rs.metadata.generation }),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
  const changed = !sameJson(status, rs.status ?? {});
  return { status, changed, lookAgainMs: nextMs };
}

function withFailure(
  conditions: readonly Condition[],
  failure: ReplicaFailure | undefined,
  now: Moment,
): Condition[] {
  const others = conditions.filter((c) => c.type !== 'ReplicaFailure');
  if (failure === undefined) return others;
  const present = conditions.find((c) => c.type === 'ReplicaFailure');
  // The text names a pod that was not made, another one at every try: the first one stands, so that trying costs no write.
  if (present?.reason === failure.reason) return [...others, present];
  return [
    ...others,
    {
      type: 'ReplicaFailure',
      status: 'True',
      reason: failure.reason,
      message: failure.message,
      lastTransitionTime: now.time,
    },
  ];
}
