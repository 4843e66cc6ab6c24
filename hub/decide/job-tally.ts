import type { Job } from '../../protocol/kinds/batch.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import {
  countIn,
  endedAtMs,
  hasFailed,
  hasSucceeded,
  INDEX_FAILURES,
  INDEX_IGNORED,
  indexOf,
  isIndexed,
  isTracked,
  type JobWorld,
  jobFinished,
} from './job-facts.ts';
import { judgeFailure } from './job-failure-policy.ts';
import { type IndexSet, parseIndexes } from './job-indexes.ts';

/**
 * The ends of a job's pods, each counted once. An end goes three ways, each durable before the next: its uid is written to
 * `uncounted`, its finalizer is taken off (`release`), and without finalizer it moves into the count. An index set needs no
 * middle step, because adding to it twice changes nothing.
 */
export interface JobTally {
  /** For `status.succeeded` and `status.failed`. */
  readonly counted: { readonly succeeded: number; readonly failed: number };
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** Ends that are known and found no room among the uncounted yet: they are written down once others were let go. */
  readonly later: number;
  /** All known ends: counted, uncounted and later ones; of an Indexed job the indexes that are done. */
  readonly succeeded: number;
  readonly failed: number;
  readonly doneIndexes: IndexSet;
  /** Indexes that failed for good; empty without backoffLimitPerIndex. */
  readonly failedIndexes: IndexSet;
  /** Pods whose finalizer may go once the tally is stored. */
  readonly release: readonly Pod[];
}

/** Ends written down at a time, as in Kubernetes. */
const MAX_UNCOUNTED = 500;

/** Counts; the same world gives the same tally in any order of its pods. Pure; never throws. */
export function tallyJob({ job, pods, now }: JobWorld): JobTally {
  const { status = {} } = job;
  const tracked = pods
    .filter(isTracked)
    .sort(
      (a, b) => endedAtMs(a, now.atMs) - endedAtMs(b, now.atMs) || (a.metadata.uid < b.metadata.uid ? -1 : 1),
    );
  const present = new Set(tracked.map((pod) => pod.metadata.uid));
  const split = (kind: 'succeeded' | 'failed'): { counted: number; uncounted: string[] } => {
    const before = status.uncountedTerminatedPods?.[kind] ?? [];
    const uncounted = before.filter((uid) => present.has(uid));
    return { counted: (status[kind] ?? 0) + before.length - uncounted.length, uncounted };
  };
  const good = split('succeeded');
  const bad = split('failed');
  const completions = job.spec.completions ?? 0;
  const doneIndexes = parseIndexes(status.completedIndexes, isIndexed(job) ? completions : 0);
  const failedIndexes = parseIndexes(status.failedIndexes, perIndex(job) ? completions : 0);
  const known = new Set([...good.uncounted, ...bad.uncounted]);
  const release: Pod[] = [];
  const later = { succeeded: 0, failed: 0 };
  for (const pod of tracked) {
    const { uid } = pod.metadata;
    const isNew = !known.has(uid);
    // What finds no room is known all the same, or work that is done would be done again; it is written down by a later pass.
    const hasRoom = !isNew || known.size < MAX_UNCOUNTED;
    if (hasSucceeded(job, pod)) {
      if (isIndexed(job)) addIndex(doneIndexes, indexOf(job, pod));
      else if (isNew && hasRoom) good.uncounted.push(uid);
      else if (isNew) later.succeeded += 1;
    } else if (hasFailed(job, pod)) {
      if (isNew && counts(job, pod)) {
        if (hasRoom) bad.uncounted.push(uid);
        else later.failed += 1;
      }
      if (perIndex(job) && indexFails(job, pod)) addIndex(failedIndexes, indexOf(job, pod));
    } else if (!isForsaken(job, pod)) continue;
    if (!hasRoom) continue;
    known.add(uid);
    release.push(pod);
  }
  for (const index of doneIndexes) failedIndexes.delete(index);
  const succeeded = isIndexed(job)
    ? doneIndexes.size
    : good.counted + good.uncounted.length + later.succeeded;
  const remembered = rememberedOf(job, pods, doneIndexes, failedIndexes);
  return {
    counted: { succeeded: isIndexed(job) ? doneIndexes.size : good.counted, failed: bad.counted },
    uncounted: { succeeded: isIndexed(job) ? [] : good.uncounted, failed: bad.uncounted },
    succeeded,
    failed: bad.counted + bad.uncounted.length + later.failed,
    later: later.succeeded + later.failed,
    doneIndexes,
    failedIndexes,
    release: release.filter((pod) => !remembered.has(pod)),
  };
}

function addIndex(to: Set<number>, index: number | undefined): void {
  if (index !== undefined) to.add(index);
}

/** True when every index has its own limit of failures. */
export function perIndex(job: Job): boolean {
  return isIndexed(job) && job.spec.backoffLimitPerIndex !== undefined;
}

function counts(job: Job, pod: Pod): boolean {
  if (isIndexed(job) && indexOf(job, pod) === undefined) return false;
  return judgeFailure(job, pod)?.action !== 'Ignore';
}

/** True when the failure of this pod is the last that its index had. */
function indexFails(job: Job, pod: Pod): boolean {
  const action = judgeFailure(job, pod)?.action;
  if (action === 'FailIndex') return true;
  return action !== 'Ignore' && countIn(pod, INDEX_FAILURES) >= (job.spec.backoffLimitPerIndex ?? 0);
}

/** Nobody counts any more: the job is over or going, and the pod too. */
function isForsaken(job: Job, pod: Pod): boolean {
  if (job.metadata.deletionTimestamp !== undefined) return true;
  return jobFinished(job) !== undefined && pod.metadata.deletionTimestamp !== undefined;
}

/** How often the index has failed before this pod, ignored failures included: the order of its pods. */
export function attemptOf(pod: Pod): number {
  return countIn(pod, INDEX_FAILURES) + countIn(pod, INDEX_IGNORED);
}

/** The last failed pod of every open index stays until its successor, which carries its count on, is there. */
function rememberedOf(job: Job, pods: readonly Pod[], done: IndexSet, failed: IndexSet): Set<Pod> {
  const last = new Map<number, Pod>();
  const isOver =
    job.metadata.deletionTimestamp !== undefined || jobFinished(job) !== undefined || isEnding(job);
  if (!perIndex(job) || isOver) return new Set();
  for (const pod of pods) {
    const index = indexOf(job, pod);
    if (index === undefined || done.has(index) || failed.has(index)) continue;
    const rival = last.get(index);
    if (rival === undefined || attemptOf(pod) > attemptOf(rival)) last.set(index, pod);
  }
  return new Set(last.values());
}

function isEnding(job: Job): boolean {
  return (job.status?.conditions ?? []).some(
    (c) => (c.type === 'FailureTarget' || c.type === 'SuccessCriteriaMet') && c.status === 'True',
  );
}
