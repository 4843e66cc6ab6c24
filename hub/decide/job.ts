import type { Job, JobStatus } from '../../protocol/kinds/batch.ts';
import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { sameJson } from './content-hash.ts';
import { isTerminating, isTracked, type JobWorld, jobFinished, jobHas } from './job-facts.ts';
import { type JobPodPlan, planJobPods } from './job-pods.ts';
import { type JobTally, tallyJob } from './job-tally.ts';
import {
  ANNOUNCES,
  deadlineLeftMs,
  indexTexts,
  type JobVerdict,
  judgeJob,
  verdictNote,
} from './job-verdict.ts';
import type { Moment } from './moment.ts';
import { isActive, isReady } from './pod-facts.ts';

/** Something to tell about the job. */
export interface JobNote {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/**
 * What a job needs. `status` goes to the store first whenever `isEnding`, so that pods which are stopped because of it are never
 * taken for failures; finalizers of `release` go only after it is stored.
 */
export interface JobPlan extends JobPodPlan {
  readonly status: JobStatus;
  readonly changed: boolean;
  readonly isEnding: boolean;
  /** Pods to stop because the job ends; they count as failures, as in Kubernetes. */
  readonly stop: readonly Pod[];
  readonly release: readonly Pod[];
  readonly notes: readonly JobNote[];
  readonly lookAgainMs: number | undefined;
  /** The job has outlived its ttlSecondsAfterFinished. */
  readonly isExpired: boolean;
}

const NO_PODS: JobPodPlan = { create: [], remove: [] };

/** Plans for one job. Applying the plan and planning again comes to an empty plan. Pure; never throws. */
export function planJob(world: JobWorld): JobPlan {
  return jobFinished(world.job) === undefined ? planRunning(world) : planFinished(world);
}

function planFinished({ job, pods, now }: JobWorld): JobPlan {
  const leftMs = job.metadata.deletionTimestamp === undefined ? ttlLeftMs(job, now) : undefined;
  const ended = pods.filter(
    (p) => isTracked(p) && (!isActive(p) || job.metadata.deletionTimestamp !== undefined),
  );
  return {
    ...NO_PODS,
    status: job.status ?? {},
    changed: false,
    isEnding: false,
    stop: pods.filter(isActive),
    release: ended,
    notes: [],
    lookAgainMs: leftMs !== undefined && leftMs > 0 ? leftMs : undefined,
    isExpired: leftMs !== undefined && leftMs <= 0,
  };
}

function ttlLeftMs(job: Job, now: Moment): number | undefined {
  const { ttlSecondsAfterFinished: seconds } = job.spec;
  if (seconds === undefined) return undefined;
  const outcome = job.status?.conditions?.find(
    (c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True',
  );
  const finishedAtMs = Date.parse(outcome?.lastTransitionTime ?? '');
  // A time in the future is a clock that was set back since: the job then waits its full time from now on, not longer.
  const sinceMs = Math.min(Number.isNaN(finishedAtMs) ? now.atMs : finishedAtMs, now.atMs);
  return sinceMs + seconds * 1000 - now.atMs;
}

function planRunning(world: JobWorld): JobPlan {
  const { job, pods } = world;
  const tally = tallyJob(world);
  const verdict = judgeJob(world, tally);
  const goesOn = verdict === undefined && job.metadata.deletionTimestamp === undefined;
  const plan = goesOn ? planJobPods(world, tally) : NO_PODS;
  const { status, notes } = statusOf(world, tally, verdict);
  const waits = [
    plan.waitMs,
    verdict === undefined ? deadlineLeftMs({ ...world, job: { ...job, status } }) : undefined,
  ];
  const known = waits.filter((ms) => ms !== undefined);
  return {
    ...plan,
    status,
    changed: !sameJson(status, job.status ?? {}),
    isEnding: verdict !== undefined,
    stop: verdict === undefined ? [] : pods.filter(isActive),
    release: tally.release,
    notes,
    lookAgainMs: known.length === 0 ? undefined : Math.max(1, Math.min(...known)),
    isExpired: false,
  };
}

function statusOf(
  world: JobWorld,
  tally: JobTally,
  verdict: JobVerdict | undefined,
): { status: JobStatus; notes: JobNote[] } {
  const { job, pods, now } = world;
  const active = pods.filter(isActive);
  const { uncounted, counted } = tally;
  const terminating = pods.filter((pod) => isTerminating(pod) && !world.isLost(pod)).length;
  const hasUncounted = uncounted.succeeded.length + uncounted.failed.length + tally.later > 0;
  const before = job.status ?? {};
  const { conditions, startTime, notes } = conditionsOf(job, verdict, now);
  const ends = verdict !== undefined && !hasUncounted && active.length === 0 && terminating === 0;
  if (ends) {
    const { outcome: type, reason, message } = verdict;
    conditions.push({
      type,
      status: 'True',
      reason,
      message,
      lastProbeTime: now.time,
      lastTransitionTime: now.time,
    });
    notes.push(verdictNote(verdict));
  }
  const status: JobStatus = {
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(ends && verdict.outcome === 'Complete' ? { completionTime: now.time } : {}),
    ...positive({ active: active.length, succeeded: counted.succeeded, failed: counted.failed }),
    ready: active.filter(isReady).length,
    terminating,
    ...indexTexts(job, tally),
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length > 0 ? { succeeded: [...uncounted.succeeded] } : {}),
      ...(uncounted.failed.length > 0 ? { failed: [...uncounted.failed] } : {}),
    },
    ...(before.completionTime === undefined ? {} : { completionTime: before.completionTime }),
  };
  return { status, notes };
}

/** As Kubernetes writes them: a count of 0 is left out. */
function positive<K extends string>(counts: Record<K, number>): Partial<Record<K, number>> {
  return Object.fromEntries(Object.entries(counts).filter(([, n]) => n !== 0)) as Partial<Record<K, number>>;
}

function conditionsOf(
  job: Job,
  verdict: JobVerdict | undefined,
  now: Moment,
): { conditions: Condition[]; startTime: string | undefined; notes: JobNote[] } {
  const conditions = [...(job.status?.conditions ?? [])];
  const notes: JobNote[] = [];
  const stamp = { lastProbeTime: now.time, lastTransitionTime: now.time };
  let startTime = job.status?.startTime;
  const isSuspended = job.spec.suspend === true;
  if (verdict !== undefined) {
    const type = ANNOUNCES[verdict.outcome];
    const { reason, message } = verdict;
    if (!jobHas(job, type)) conditions.push({ type, status: 'True', reason, message, ...stamp });
  } else if (isSuspended !== jobHas(job, 'Suspended')) {
    const [reason, message] = isSuspended ? ['JobSuspended', 'Job suspended'] : ['JobResumed', 'Job resumed'];
    const at = conditions.findIndex((c) => c.type === 'Suspended');
    conditions.splice(at < 0 ? conditions.length : at, at < 0 ? 0 : 1, {
      type: 'Suspended',
      status: isSuspended ? 'True' : 'False',
      reason,
      message,
      ...stamp,
    });
    notes.push({ type: 'Normal', reason: isSuspended ? 'Suspended' : 'Resumed', message });
    // The deadline runs anew for a job that is resumed.
    if (!isSuspended) startTime = now.time;
  }
  if (startTime === undefined && !isSuspended) startTime = now.time;
  return { conditions, startTime, notes };
}
