import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Deployment, DeploymentStatus } from '../../protocol/kinds/workloads.ts';
import type { Moment } from './moment.ts';
import type { RolloutMember } from './rollout.ts';

/** What this pass did with the new ReplicaSet, when it had to make one. */
export interface RolloutOutcome {
  /** Name of the ReplicaSet that was made. */
  readonly created?: string | undefined;
  /** Why it could not be made. */
  readonly failure?: string | undefined;
}

/** The condition Progressing, undefined when the deployment has no deadline, and when to look again because it runs. */
export interface ProgressVerdict {
  readonly condition: Condition | undefined;
  readonly lookAgainMs: number | undefined;
}

/** This many seconds, the largest number there is, mean that a deployment has no deadline. */
export const NO_DEADLINE = 2 ** 31 - 1;

/**
 * Whether the rollout moves, is done or is stuck: the reasons and messages that `kubectl rollout status` and people's scripts know.
 * The deadline counts from the last sign of progress and stands still while paused; a rollout that was done once does not run
 * into it by losing or gaining pods. `counts` is the status about to be written. Pure; never throws.
 */
export function judgeProgress(
  deployment: Deployment,
  counts: DeploymentStatus,
  fresh: RolloutMember | undefined,
  now: Moment,
  outcome: RolloutOutcome = {},
): ProgressVerdict {
  const deadlineS = deployment.spec.progressDeadlineSeconds ?? 600;
  if (deadlineS >= NO_DEADLINE) return { condition: undefined, lookAgainMs: undefined };
  const present = deployment.status?.conditions?.find((c) => c.type === 'Progressing');
  const settled = (condition: Condition | undefined): ProgressVerdict => ({
    condition,
    lookAgainMs: undefined,
  });
  if (deployment.spec.paused === true) {
    if (present?.reason === 'ProgressDeadlineExceeded') return settled(present);
    return settled(settle(present, 'Unknown', 'DeploymentPaused', 'Deployment is paused', now));
  }
  if (outcome.failure !== undefined)
    return settled(settle(present, 'False', 'ReplicaSetCreateError', outcome.failure, now));
  const current = begin(present, fresh, now, outcome);
  const rs = fresh?.rs.metadata.name;
  const what = rs === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${rs}"`;
  const wasDone = current?.reason === 'NewReplicaSetAvailable';
  if (wasDone && counts.replicas === counts.updatedReplicas) return settled(current);
  if (isComplete(deployment, counts)) {
    const message = `${what} has successfully progressed.`;
    return settled(settle(current, 'True', 'NewReplicaSetAvailable', message, now));
  }
  if (hasMoved(deployment, counts)) {
    const message = `${what} is progressing.`;
    const condition = settle(current, 'True', 'ReplicaSetUpdated', message, now, true);
    return { condition, lookAgainMs: deadlineS * 1000 };
  }
  if (current === undefined || wasDone || current.reason === 'ProgressDeadlineExceeded')
    return settled(current);
  const sinceMs = Date.parse(current.lastUpdateTime ?? now.time) || now.atMs;
  const leftMs = sinceMs + deadlineS * 1000 - now.atMs;
  if (leftMs >= 0) return { condition: current, lookAgainMs: Math.max(1, leftMs) };
  const message = `${what} has timed out progressing.`;
  return settled(settle(current, 'False', 'ProgressDeadlineExceeded', message, now));
}

/** Where this rollout starts from: a pause that ended, or a ReplicaSet that the condition does not speak of yet. */
function begin(
  present: Condition | undefined,
  fresh: RolloutMember | undefined,
  now: Moment,
  { created }: RolloutOutcome,
): Condition | undefined {
  const name = fresh?.rs.metadata.name;
  if (name !== undefined && created === name)
    return settle(present, 'True', 'NewReplicaSetCreated', `Created new replica set "${name}"`, now, true);
  if (present?.reason === 'DeploymentPaused')
    return settle(present, 'Unknown', 'DeploymentResumed', 'Deployment is resumed', now);
  const isOther = present?.reason !== 'DeploymentResumed' && !present?.message?.includes(`"${name}"`);
  if (name !== undefined && isOther)
    return settle(present, 'True', 'FoundNewReplicaSet', `Found new replica set "${name}"`, now, true);
  return present;
}

function isComplete(deployment: Deployment, counts: DeploymentStatus): boolean {
  const replicas = deployment.spec.replicas ?? 1;
  return (
    counts.updatedReplicas === replicas &&
    counts.replicas === replicas &&
    counts.availableReplicas === replicas
  );
}

/** More of the new, fewer of the old, or more ready or available than last time. */
function hasMoved({ status: before = {} }: Deployment, counts: DeploymentStatus): boolean {
  const old = (s: DeploymentStatus): number => (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  return (
    (counts.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(counts) < old(before) ||
    (counts.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (counts.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function settle(
  present: Condition | undefined,
  status: Condition['status'],
  reason: string,
  message: string,
  now: Moment,
  moved = false,
): Condition {
  return carry(present, now, { type: 'Progressing', status, reason, message }, moved);
}

/** The condition with its times: transition when the status changed, update when anything did or `moved` says so. */
export function carry(
  present: Condition | undefined,
  now: Moment,
  next: { type: string; status: Condition['status']; reason: string; message: string },
  moved = false,
): Condition {
  const same = present?.status === next.status && present.reason === next.reason;
  const transition = present?.status === next.status ? present.lastTransitionTime : now.time;
  const update = same && present.message === next.message && !moved ? present.lastUpdateTime : now.time;
  return { ...next, lastUpdateTime: update ?? now.time, lastTransitionTime: transition ?? now.time };
}
