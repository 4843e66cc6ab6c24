import type { Job } from '../../protocol/kinds/batch.ts';
import { hasFailed, isIndexed, isTracked, type JobWorld } from './job-facts.ts';
import { judgeFailure } from './job-failure-policy.ts';
import { formatIndexes, parseIndexes } from './job-indexes.ts';
import { type JobTally, perIndex } from './job-tally.ts';
import { isActive } from './pod-facts.ts';

/** How a job ends, in the words of its conditions. */
export interface JobVerdict {
  readonly outcome: 'Complete' | 'Failed';
  readonly reason: string;
  readonly message: string;
}

/** The condition that announces an outcome while pods are still being stopped. */
export const ANNOUNCES = { Complete: 'SuccessCriteriaMet', Failed: 'FailureTarget' } as const;

/**
 * Whether and how the job ends; undefined while it goes on. What was announced once stands. The order of the grounds is that of
 * Kubernetes. Pure; never throws.
 */
export function judgeJob(world: JobWorld, tally: JobTally): JobVerdict | undefined {
  return announced(world.job) ?? failure(world, tally) ?? success(world, tally);
}

function announced(job: Job): JobVerdict | undefined {
  for (const outcome of ['Failed', 'Complete'] as const) {
    const found = job.status?.conditions?.find((c) => c.type === ANNOUNCES[outcome] && c.status === 'True');
    if (found !== undefined) return { outcome, reason: found.reason ?? '', message: found.message ?? '' };
  }
  return undefined;
}

function failed(reason: string, message: string): JobVerdict {
  return { outcome: 'Failed', reason, message };
}

function failure(world: JobWorld, tally: JobTally): JobVerdict | undefined {
  const { job } = world;
  for (const pod of world.pods) {
    const verdict = isTracked(pod) && hasFailed(job, pod) ? judgeFailure(job, pod) : undefined;
    if (verdict?.action === 'FailJob') return failed('PodFailurePolicy', verdict.message);
  }
  if (tally.failed > (job.spec.backoffLimit ?? 6) || restartsExceed(world))
    return failed('BackoffLimitExceeded', 'Job has reached the specified backoff limit');
  const leftMs = deadlineLeftMs(world);
  if (leftMs !== undefined && leftMs <= 0)
    return failed('DeadlineExceeded', 'Job was active longer than specified deadline');
  return perIndex(job) ? indexFailure(job, tally) : undefined;
}

function indexFailure(job: Job, { failedIndexes, doneIndexes }: JobTally): JobVerdict | undefined {
  const { maxFailedIndexes, completions = 0 } = job.spec;
  if (maxFailedIndexes !== undefined && failedIndexes.size > maxFailedIndexes)
    return failed(
      'MaxFailedIndexesExceeded',
      'Job has exceeded the specified maximal number of failed indexes',
    );
  if (failedIndexes.size > 0 && failedIndexes.size + doneIndexes.size >= completions)
    return failed('FailedIndexes', 'Job has failed indexes');
  return undefined;
}

/** With restartPolicy OnFailure the restarts on the device count towards the limit. */
function restartsExceed({ job, pods }: JobWorld): boolean {
  if (job.spec.template.spec.restartPolicy !== 'OnFailure') return false;
  const restarts = pods
    .filter((pod) => pod.status?.phase === 'Running' || pod.status?.phase === 'Pending')
    .flatMap((pod) => [
      ...(pod.status?.initContainerStatuses ?? []),
      ...(pod.status?.containerStatuses ?? []),
    ])
    .reduce((sum, status) => sum + status.restartCount, 0);
  const limit = job.spec.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Ms until activeDeadlineSeconds is over; undefined when nothing runs against it. */
export function deadlineLeftMs({ job, now }: JobWorld): number | undefined {
  const { activeDeadlineSeconds: seconds, suspend } = job.spec;
  const startedAtMs = Date.parse(job.status?.startTime ?? '');
  if (seconds === undefined || suspend === true || Number.isNaN(startedAtMs)) return undefined;
  return startedAtMs + seconds * 1000 - now.atMs;
}

function success({ job, pods }: JobWorld, tally: JobTally): JobVerdict | undefined {
  const rule = metRule(job, tally);
  if (rule !== undefined)
    return { outcome: 'Complete', reason: 'SuccessPolicy', message: `Matched rules at index ${rule}` };
  if (pods.some(isActive)) return undefined;
  const { completions } = job.spec;
  const done = completions === undefined ? tally.succeeded > 0 : tally.succeeded >= completions;
  if (!done) return undefined;
  const message = 'Reached expected number of succeeded pods';
  return { outcome: 'Complete', reason: 'CompletionsReached', message };
}

/** The first rule of the successPolicy that is met. */
function metRule(job: Job, { doneIndexes }: JobTally): number | undefined {
  if (!isIndexed(job)) return undefined;
  const below = job.spec.completions ?? 0;
  const met = (job.spec.successPolicy?.rules ?? []).findIndex((rule) => {
    const wanted = parseIndexes(rule.succeededIndexes ?? `0-${below - 1}`, below);
    const done = [...wanted].filter((index) => doneIndexes.has(index)).length;
    return done >= (rule.succeededCount ?? Math.max(1, wanted.size));
  });
  return met < 0 ? undefined : met;
}

/** What a verdict is told with in an Event: `Job completed` or why it failed. */
export function verdictNote({ outcome, reason, message }: JobVerdict): {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
} {
  return outcome === 'Complete'
    ? { type: 'Normal', reason: 'Completed', message: 'Job completed' }
    : { type: 'Warning', reason, message };
}

/** Texts of the index lists of the status; undefined where the job has none. */
export function indexTexts(job: Job, tally: JobTally): { completedIndexes?: string; failedIndexes?: string } {
  return {
    ...(isIndexed(job) ? { completedIndexes: formatIndexes(tally.doneIndexes) } : {}),
    ...(perIndex(job) ? { failedIndexes: formatIndexes(tally.failedIndexes) } : {}),
  };
}
