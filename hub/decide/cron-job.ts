import type { CronJob, Job } from '../../protocol/kinds/batch.ts';
import type { ObjectReference } from '../../protocol/kinds/meta.ts';
import type { CronDue } from './cron-due.ts';
import { jobFinished } from './job-facts.ts';

/** Something to tell about the cron job. */
export interface CronNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** The scheduled time it is about; such a note is told once. */
  readonly aboutMs?: number;
}

/** What a CronJob needs done at an instant. */
export interface CronPlan {
  /** Epoch ms of the run to start. */
  readonly startMs: number | undefined;
  /** Jobs that run and give way to the new one (concurrencyPolicy Replace). */
  readonly replace: readonly Job[];
  /** Finished jobs beyond the history limits. */
  readonly forget: readonly Job[];
  /** Jobs that run, for the status, oldest first. */
  readonly active: readonly Job[];
  readonly lastSuccessfulTime: string | undefined;
  readonly notes: readonly CronNote[];
}

const FORBIDDEN = 'Not starting job because prior execution is running and concurrency policy is Forbid';
const TOO_MANY =
  'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew';

/** Chooses what to start, replace and forget. `due` is undefined while no schedule can be read. Pure; never throws. */
export function planCronJob(
  cron: CronJob,
  jobs: readonly Job[],
  due: Omit<CronDue, 'nextMs'> | undefined,
  nameOf: (startMs: number) => string,
): CronPlan {
  const running = jobs.filter((job) => jobFinished(job) === undefined).sort(byStart);
  const active = running.filter((job) => job.metadata.deletionTimestamp === undefined && !isByHand(job));
  const notes = [...seenNotes(cron, jobs), ...missingNotes(cron, jobs)];
  const base = {
    replace: [],
    forget: surplusHistory(cron, jobs),
    active,
    lastSuccessfulTime: lastSuccess(cron, jobs),
  };
  const nothing = { ...base, startMs: undefined, notes };
  if (cron.metadata.deletionTimestamp !== undefined || cron.spec.suspend === true || due === undefined)
    return nothing;
  if (due.missedMs !== undefined) {
    const message = `Missed scheduled time to start a job: ${new Date(due.missedMs).toUTCString()}`;
    notes.push({ type: 'Warning', reason: 'MissSchedule', message, aboutMs: due.missedMs });
  }
  const { dueMs } = due;
  if (dueMs === undefined) return nothing;
  if (due.isManyMissed) notes.push({ type: 'Warning', reason: 'TooManyMissedTimes', message: TOO_MANY });
  // Made by a pass that was cut short before it could say so in the status; also one that somebody made of that name.
  if (jobs.some((job) => job.metadata.name === nameOf(dueMs))) return { ...nothing, startMs: dueMs };
  if (cron.spec.concurrencyPolicy === 'Forbid' && active.length > 0) {
    notes.push({ type: 'Normal', reason: 'JobAlreadyActive', message: FORBIDDEN, aboutMs: dueMs });
    return nothing;
  }
  return { ...base, startMs: dueMs, notes, replace: cron.spec.concurrencyPolicy === 'Replace' ? active : [] };
}

/** `kubectl create job --from` makes the cron job its owner; it neither holds up scheduled runs nor gives way to them. */
function isByHand(job: Job): boolean {
  return job.metadata.annotations?.['cronjob.kubernetes.io/instantiate'] === 'manual';
}

const startOf = (job: Job): string => job.status?.startTime ?? job.metadata.creationTimestamp;

function byStart(a: Job, b: Job): number {
  const [left, right] = [startOf(a), startOf(b)];
  if (left !== right) return left < right ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

/** Finished jobs beyond the history limits, the oldest first. */
function surplusHistory({ spec }: CronJob, jobs: readonly Job[]): Job[] {
  const ended = jobs.filter((job) => job.metadata.deletionTimestamp === undefined).sort(byStart);
  const surplus = (outcome: 'Complete' | 'Failed', limit: number | undefined): Job[] => {
    const found = ended.filter((job) => jobFinished(job) === outcome);
    return limit === undefined ? [] : found.slice(0, Math.max(0, found.length - limit));
  };
  return [
    ...surplus('Complete', spec.successfulJobsHistoryLimit),
    ...surplus('Failed', spec.failedJobsHistoryLimit),
  ];
}

function lastSuccess({ status }: CronJob, jobs: readonly Job[]): string | undefined {
  const times = jobs.flatMap((job) =>
    jobFinished(job) === 'Complete' && job.status?.completionTime !== undefined
      ? [job.status.completionTime]
      : [],
  );
  return [...times, ...(status?.lastSuccessfulTime === undefined ? [] : [status.lastSuccessfulTime])]
    .sort()
    .at(-1);
}

const isNamed = (active: readonly ObjectReference[], job: Job): boolean =>
  active.some((ref) => ref.uid === job.metadata.uid);

/** Told once, because the status is written right after: jobs of the status's list that have ended, and unknown ones that run. */
function seenNotes({ status }: CronJob, jobs: readonly Job[]): CronNote[] {
  const active = status?.active ?? [];
  return jobs.flatMap((job): CronNote[] => {
    const outcome = jobFinished(job);
    const { name } = job.metadata;
    if (outcome !== undefined && isNamed(active, job)) {
      const message = `Saw completed job: ${name}, condition: ${outcome}`;
      return [{ type: 'Normal', reason: 'SawCompletedJob', message }];
    }
    if (outcome !== undefined || isNamed(active, job) || isByHand(job)) return [];
    if (job.metadata.deletionTimestamp !== undefined) return [];
    const message = `Saw a job that the controller did not create or forgot: ${name}`;
    return [{ type: 'Warning', reason: 'UnexpectedJob', message }];
  });
}

function missingNotes({ status }: CronJob, jobs: readonly Job[]): CronNote[] {
  return (status?.active ?? []).flatMap((ref): CronNote[] => {
    if (jobs.some((job) => job.metadata.uid === ref.uid)) return [];
    return [{ type: 'Normal', reason: 'MissingJob', message: `Active job went missing: ${ref.name ?? ''}` }];
  });
}
