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
  isTerminating,
  type JobWorld,
} from './job-facts.ts';
import { judgeFailure } from './job-failure-policy.ts';
import { attemptOf, type JobTally, perIndex } from './job-tally.ts';
import { isActive, isReady } from './pod-facts.ts';

/** A pod to make. */
export interface NewJobPod {
  readonly index?: number;
  /** Failures of the index so far; only with backoffLimitPerIndex. */
  readonly failures?: number;
  readonly ignored?: number;
}

/** Which pods to make and to take away. */
export interface JobPodPlan {
  readonly create: readonly NewJobPod[];
  /** Not wanted any more, and not to be counted as failures. */
  readonly remove: readonly Pod[];
  /** Ms until a pod that is due may be made; undefined when none waits. */
  readonly waitMs?: number;
}

/** First wait after a failed pod, and the longest: 10 s, doubled for every failure in a row, up to 6 min. */
const BACKOFF_BASE_MS = 10_000;
const BACKOFF_MAX_MS = 360_000;
/** Pods made or taken away in one pass. */
const BURST = 500;

/** Chooses pods for a job that goes on. An empty plan without a wait means converged. Pure; never throws. */
export function planJobPods(world: JobWorld, tally: JobTally): JobPodPlan {
  const { job } = world;
  const active = world.pods.filter(isActive);
  const useless = uselessOf(job, active, tally);
  const wanted = job.spec.suspend === true ? 0 : wantedActive(job, tally, active.length);
  const surplus = Math.max(useless.size, active.length - wanted);
  const remove = rankedForRemoval(active, useless).slice(0, Math.min(BURST, surplus));
  if (remove.length > 0) return { create: [], remove };
  const holding = job.spec.podReplacementPolicy === 'Failed' ? stillGoing(world) : [];
  const missing = Math.min(BURST, wanted - active.length - holding.length);
  if (missing <= 0) return { create: [], remove: [] };
  if (!isIndexed(job)) return waiting(backoffLeftMs(world, world.pods), missing, () => ({}));
  return planIndexes(world, tally, missing, [...active, ...holding]);
}

function wantedActive(job: Job, tally: JobTally, active: number): number {
  const { completions, parallelism = 1 } = job.spec;
  // Without completions the first success says that the work is done: those at work may finish, no more are made.
  if (completions === undefined) return tally.succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  const left = completions - tally.succeeded - tally.failedIndexes.size;
  return Math.max(0, Math.min(parallelism, left));
}

/** Pods that may still be at work: with podReplacementPolicy Failed nothing takes their place. */
function stillGoing({ job, pods }: JobWorld): Pod[] {
  return pods.filter((pod) => isTerminating(pod) && !hasFailed(job, pod));
}

function waiting(leftMs: number, count: number, make: (i: number) => NewJobPod): JobPodPlan {
  if (leftMs > 0) return { create: [], remove: [], waitMs: leftMs };
  return { create: Array.from({ length: count }, (_, i) => make(i)), remove: [] };
}

function planIndexes(world: JobWorld, tally: JobTally, missing: number, holding: readonly Pod[]): JobPodPlan {
  const { job, pods } = world;
  const taken = new Set(holding.map((pod) => indexOf(job, pod)));
  const open: number[] = [];
  const isOwn = perIndex(job);
  const byIndex = isOwn ? groupByIndex(job, pods) : new Map<number, Pod[]>();
  let waitMs: number | undefined;
  for (let i = 0; i < (job.spec.completions ?? 0) && open.length < missing; i++) {
    if (taken.has(i) || tally.doneIndexes.has(i) || tally.failedIndexes.has(i)) continue;
    const leftMs = isOwn ? backoffLeftMs(world, byIndex.get(i) ?? []) : 0;
    if (leftMs <= 0) open.push(i);
    else waitMs = Math.min(waitMs ?? leftMs, leftMs);
  }
  if (!isOwn) return waiting(backoffLeftMs(world, pods), open.length, (i) => ({ index: open[i] ?? 0 }));
  const create = open.map((index) => ({ index, ...carriedOn(job, byIndex.get(index) ?? []) }));
  return { create, remove: [], ...(waitMs === undefined ? {} : { waitMs }) };
}

function groupByIndex(job: Job, pods: readonly Pod[]): Map<number, Pod[]> {
  const groups = new Map<number, Pod[]>();
  for (const pod of pods) {
    const index = indexOf(job, pod);
    if (index !== undefined) groups.set(index, [...(groups.get(index) ?? []), pod]);
  }
  return groups;
}

/** What the next pod of an index is told of the failures before it. */
function carriedOn(job: Job, pods: readonly Pod[]): { failures: number; ignored: number } {
  const last = pods.filter((pod) => hasFailed(job, pod)).sort((a, b) => attemptOf(b) - attemptOf(a))[0];
  if (last === undefined) return { failures: 0, ignored: 0 };
  const isIgnored = judgeFailure(job, last)?.action === 'Ignore';
  return {
    failures: countIn(last, INDEX_FAILURES) + (isIgnored ? 0 : 1),
    ignored: countIn(last, INDEX_IGNORED) + (isIgnored ? 1 : 0),
  };
}

/** Ms until a pod may be made after the failures since the last success among `pods`. */
function backoffLeftMs({ job, now }: JobWorld, pods: readonly Pod[]): number {
  const ended = (pod: Pod): number => endedAtMs(pod, now.atMs);
  const good = pods.filter((pod) => hasSucceeded(job, pod));
  const lastSuccess = Math.max(Number.NEGATIVE_INFINITY, ...good.map(ended));
  const failures = pods.filter((pod) => hasFailed(job, pod) && ended(pod) > lastSuccess);
  if (failures.length === 0) return 0;
  const waitMs = Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures.length - 1, 20));
  return Math.max(0, Math.max(...failures.map(ended)) + waitMs - now.atMs);
}

/** Pods of an index that is done, has failed, is not the job's, or has a better pod already. */
function uselessOf(job: Job, active: readonly Pod[], tally: JobTally): Set<Pod> {
  const useless = new Set<Pod>();
  if (!isIndexed(job)) return useless;
  const best = new Map<number, Pod>();
  for (const pod of active) {
    const index = indexOf(job, pod);
    if (index === undefined || tally.doneIndexes.has(index) || tally.failedIndexes.has(index)) {
      useless.add(pod);
      continue;
    }
    const rival = best.get(index);
    const isBetter = rival === undefined || compareUse(pod, rival) > 0;
    if (isBetter) best.set(index, pod);
    if (rival !== undefined) useless.add(isBetter ? rival : pod);
  }
  return useless;
}

/** Active pods, those first that are missed least. */
function rankedForRemoval(active: readonly Pod[], useless: ReadonlySet<Pod>): Pod[] {
  return [...active].sort((a, b) => Number(useless.has(b)) - Number(useless.has(a)) || compareUse(a, b));
}

/** Negative when `a` is of less use: unbound, not running, not ready, younger. Total, so that plans do not depend on order. */
function compareUse(a: Pod, b: Pod): number {
  const rank = (pod: Pod): readonly number[] => [
    pod.spec.nodeName === undefined ? 0 : 1,
    pod.status?.phase === 'Running' ? 1 : 0,
    isReady(pod) ? 1 : 0,
    -Date.parse(pod.metadata.creationTimestamp) || 0,
  ];
  const [left, right] = [rank(a), rank(b)];
  const differs = left.findIndex((value, i) => value !== right[i]);
  if (differs >= 0) return (left[differs] ?? 0) - (right[differs] ?? 0);
  return a.metadata.uid < b.metadata.uid ? 1 : -1;
}
