import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Deployment, DeploymentStatus } from '../../protocol/kinds/workloads.ts';
import { sameJson } from './content-hash.ts';
import type { Moment } from './moment.ts';
import { newReplicaSet } from './revisions.ts';
import { type RolloutMember, rolloutBounds } from './rollout.ts';
import { carry, judgeProgress, type RolloutOutcome } from './rollout-progress.ts';

/** The status a deployment should have, and when to look again because its progress deadline runs. */
export interface DeploymentRollup {
  readonly status: DeploymentStatus;
  readonly changed: boolean;
  readonly lookAgainMs: number | undefined;
}

/**
 * Rolls ReplicaSets and their pods up into the deployment's status. `outcome` says what became of a ReplicaSet that this pass had
 * to make. Pure; never throws.
 */
export function rollUpDeployment(
  deployment: Deployment,
  members: readonly RolloutMember[],
  now: Moment,
  outcome: RolloutOutcome = {},
): DeploymentRollup {
  const rs = newReplicaSet(
    deployment,
    members.map((m) => m.rs),
  );
  const fresh = members.find((m) => m.rs === rs);
  const counts = countsOf(members, fresh);
  const { condition: progressing, lookAgainMs } = judgeProgress(deployment, counts, fresh, now, outcome);
  const conditions = [
    availability(deployment, counts.availableReplicas ?? 0, now),
    ...(progressing === undefined ? [] : [progressing]),
    ...replicaFailures(members, fresh, deployment, now),
  ];
  const { generation } = deployment.metadata;
  const { collisionCount } = deployment.status ?? {};
  const status: DeploymentStatus = {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    ...counts,
    conditions,
    ...(collisionCount === undefined ? {} : { collisionCount }),
  };
  return { status, changed: !sameJson(status, deployment.status ?? {}), lookAgainMs };
}

function countsOf(members: readonly RolloutMember[], fresh: RolloutMember | undefined): DeploymentStatus {
  const sum = (pick: (m: RolloutMember) => number): number => members.reduce((n, m) => n + pick(m), 0);
  const available = sum((m) => m.available);
  const missing = sum((m) => m.rs.spec.replicas ?? 0) - available;
  return {
    replicas: sum((m) => m.active),
    updatedReplicas: fresh?.active ?? 0,
    readyReplicas: sum((m) => m.ready),
    availableReplicas: available,
    ...(missing > 0 ? { unavailableReplicas: missing } : {}),
  };
}

function availability(deployment: Deployment, available: number, now: Moment): Condition {
  const { replicas, maxUnavailable } = rolloutBounds(deployment);
  const enough = available >= replicas - maxUnavailable;
  return carry(conditionOf(deployment, 'Available'), now, {
    type: 'Available',
    status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: enough
      ? 'Deployment has minimum availability.'
      : 'Deployment does not have minimum availability.',
  });
}

/** Why pods cannot be made: of the new ReplicaSet first, because that is what people wait for. */
function replicaFailures(
  members: readonly RolloutMember[],
  fresh: RolloutMember | undefined,
  deployment: Deployment,
  now: Moment,
): Condition[] {
  const failure = [...(fresh === undefined ? [] : [fresh]), ...members]
    .flatMap((m) => m.rs.status?.conditions ?? [])
    .find((c) => c.type === 'ReplicaFailure' && c.status === 'True');
  if (failure === undefined) return [];
  const { type, status, reason = 'FailedCreate', message = '' } = failure;
  return [carry(conditionOf(deployment, type), now, { type, status, reason, message })];
}

function conditionOf(deployment: Deployment, type: string): Condition | undefined {
  return deployment.status?.conditions?.find((c) => c.type === type);
}
