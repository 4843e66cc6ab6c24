import type { Condition } from '../../protocol/kinds/meta.ts';
import type { ReplicaOwner, ReplicaSetStatus } from '../../protocol/kinds/workloads.ts';
import { sameJson } from './content-hash.ts';
import type { Moment } from './moment.ts';
import type { PodTally } from './pod-tally.ts';

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
  owned: PodTally,
  failure: ReplicaFailure | undefined,
  now: Moment,
): ReplicaSetRollup {
  const minReady = rs.spec.minReadySeconds ?? 0;
  const templateLabels = Object.entries(rs.spec.template.metadata?.labels ?? {});
  const conditions = withFailure(rs.status?.conditions ?? [], failure, now);
  const status: ReplicaSetStatus = {
    replicas: owned.active,
    fullyLabeledReplicas: owned.labelled((labels) =>
      templateLabels.every(([key, value]) => labels?.[key] === value),
    ),
    readyReplicas: owned.ready,
    availableReplicas: owned.available(minReady, now.atMs),
    ...(rs.metadata.generation === undefined ? {} : { observedGeneration: rs.metadata.generation }),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
  const changed = !sameJson(status, rs.status ?? {});
  return { status, changed, lookAgainMs: owned.nextAvailableMs(minReady, now.atMs) };
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
