import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Deployment, DeploymentStatus } from '../../protocol/kinds/workloads.ts';
import { canonicalJson } from './content-hash.ts';
import type { Moment } from './moment.ts';
import { newReplicaSet } from './revisions.ts';
import { type RolloutMember, rolloutBounds } from './rollout.ts';

/** The status a deployment should have, and when to look again because its progress deadline runs. */
export interface DeploymentRollup {
  readonly status: DeploymentStatus;
  readonly changed: boolean;
  readonly lookAgainMs: number | undefined;
}

type Progress = {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
};

/**
 * Rolls ReplicaSets and their pods up into the deployment's status, with the reasons and messages that `kubectl rollout status`
 * and people's scripts know. Pure; never throws.
 */
export function rollUpDeployment(
  deployment: Deployment,
  members: readonly RolloutMember[],
  now: Moment,
  collisionCount: number | undefined = deployment.status?.collisionCount,
): DeploymentRollup {
  const rs = newReplicaSet(
    deployment,
    members.map((m) => m.rs),
  );
  const fresh = members.find((m) => m.rs === rs);
  const counts = countsOf(deployment, members, fresh);
  const { condition: progressing, lookAgainMs } = judgeProgress(deployment, counts, fresh, now);
  const conditions = [
    availability(deployment, counts.availableReplicas ?? 0, now),
    ...(progressing === undefined ? [] : [progressing]),
    ...replicaFailures(members, deployment, now),
  ];
  const status: DeploymentStatus = {
    ...(deployment.metadata.generation === undefined
      ? {}
      : { observedGeneration: deployment.metadata.generation }),
    ...counts,
    conditions,
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
  return { status, changed: canonicalJson(status) !== canonicalJson(deployment.status ?? {}), lookAgainMs };
}

function countsOf(
  deployment: Deployment,
  members: readonly RolloutMember[],
  fresh: RolloutMember | undefined,
): DeploymentStatus {
  const sum = (pick: (m: RolloutMember) => number): number => members.reduce((n, m) => n + pick(m), 0);
  const available = sum((m) => m.available);
  const total = sum((m) => m.rs.spec.replicas ?? 0);
  const { replicas } = rolloutBounds(deployment);
  return {
    replicas: sum((m) => m.active),
    updatedReplicas: fresh?.active ?? 0,
    readyReplicas: sum((m) => m.ready),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, Math.max(total, members.length === 0 ? replicas : 0) - available),
  };
}

function availability(deployment: Deployment, available: number, now: Moment): Condition {
  const { replicas, maxUnavailable } = rolloutBounds(deployment);
  const enough = available >= replicas - maxUnavailable;
  return carry(deployment, now, {
    type: 'Available',
    status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: enough
      ? 'Deployment has minimum availability.'
      : 'Deployment does not have minimum availability.',
  });
}

function replicaFailures(
  members: readonly RolloutMember[],
  deployment: Deployment,
  now: Moment,
): Condition[] {
  const failure = members
    .flatMap((m) => m.rs.status?.conditions ?? [])
    .find((c) => c.type === 'ReplicaFailure' && c.status === 'True');
  if (failure === undefined) return [];
  const { type, status, reason = 'FailedCreate', message = '' } = failure;
  return [carry(deployment, now, { type, status, reason, message })];
}

/** Whether the rollout moves, is done or is stuck; `progressDeadlineSeconds` counts from the last sign of progress. */
function judgeProgress(
  deployment: Deployment,
  counts: DeploymentStatus,
  fresh: RolloutMember | undefined,
  now: Moment,
): { condition: Condition | undefined; lookAgainMs: number | undefined } {
  const present = deployment.status?.conditions?.find((c) => c.type === 'Progressing');
  const settle = (progress: Progress, moved: boolean): Condition =>
    carry(deployment, now, { type: 'Progressing', ...progress }, moved);
  if (deployment.spec.paused === true) {
    const paused = {
      status: 'Unknown',
      reason: 'DeploymentPaused',
      message: 'Deployment is paused',
    } as const;
    return { condition: settle(paused, false), lookAgainMs: undefined };
  }
  const what =
    fresh === undefined
      ? `Deployment "${deployment.metadata.name}"`
      : `ReplicaSet "${fresh.rs.metadata.name}"`;
  if (isComplete(deployment, counts)) {
    const message = `${what} has successfully progressed.`;
    return {
      condition: settle({ status: 'True', reason: 'NewReplicaSetAvailable', message }, false),
      lookAgainMs: undefined,
    };
  }
  // A finished rollout that lost pods is not a stuck rollout: Kubernetes keeps it NewReplicaSetAvailable.
  const wasDone = present?.reason === 'NewReplicaSetAvailable' && !isNewGeneration(deployment);
  if (wasDone && counts.replicas === counts.updatedReplicas)
    return { condition: present, lookAgainMs: undefined };
  const deadlineMs = (deployment.spec.progressDeadlineSeconds ?? 600) * 1000;
  const moving = present?.reason === 'ReplicaSetUpdated' || present?.reason === 'ProgressDeadlineExceeded';
  if (moving && !isNewGeneration(deployment) && !hasMoved(deployment, counts)) {
    if (present.status === 'False') return { condition: present, lookAgainMs: undefined };
    const sinceMs = Date.parse(present.lastUpdateTime ?? now.time) || now.atMs;
    const leftMs = sinceMs + deadlineMs - now.atMs;
    if (leftMs > 0) return { condition: present, lookAgainMs: leftMs };
    const message = `${what} has timed out progressing.`;
    return {
      condition: settle({ status: 'False', reason: 'ProgressDeadlineExceeded', message }, false),
      lookAgainMs: undefined,
    };
  }
  const message = `${what} is progressing.`;
  return {
    condition: settle({ status: 'True', reason: 'ReplicaSetUpdated', message }, true),
    lookAgainMs: deadlineMs,
  };
}

function isComplete(deployment: Deployment, counts: DeploymentStatus): boolean {
  const { replicas } = rolloutBounds(deployment);
  return (
    counts.updatedReplicas === replicas &&
    counts.replicas === replicas &&
    counts.availableReplicas === replicas
  );
}

/** More of the new, fewer of the old, or more ready than last time. */
function hasMoved(deployment: Deployment, counts: DeploymentStatus): boolean {
  const before = deployment.status ?? {};
  const old = (s: DeploymentStatus): number => (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  return (
    (counts.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(counts) < old(before) ||
    (counts.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (counts.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function isNewGeneration(deployment: Deployment): boolean {
  return deployment.status?.observedGeneration !== deployment.metadata.generation;
}

/** The condition with its times: transition when the status changed, update when anything did or `moved` says so. */
function carry(
  deployment: Deployment,
  now: Moment,
  next: { type: string; status: Condition['status']; reason: string; message: string },
  moved = false,
): Condition {
  const present = deployment.status?.conditions?.find((c) => c.type === next.type);
  const same = present?.status === next.status && present.reason === next.reason;
  const transition = present?.status === next.status ? present.lastTransitionTime : now.time;
  const update = same && present.message === next.message && !moved ? present.lastUpdateTime : now.time;
  return { ...next, lastUpdateTime: update ?? now.time, lastTransitionTime: transition ?? now.time };
}
