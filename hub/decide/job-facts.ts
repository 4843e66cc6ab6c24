import type { Job } from '../../protocol/kinds/batch.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Moment } from './moment.ts';
import { isTerminal } from './pod-facts.ts';

/** Finalizer that keeps a pod until its end is counted. */
export const JOB_TRACKING = 'batch.kubernetes.io/job-tracking';
/** Annotation and label of the pods of an Indexed job. */
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';
/** Annotations that carry on the failures of an index from pod to pod. */
export const INDEX_FAILURES = 'batch.kubernetes.io/job-index-failure-count';
export const INDEX_IGNORED = 'batch.kubernetes.io/job-index-ignored-failure-count';

/** A job, all pods it controls, and the instant: all that its decisions look at. */
export interface JobWorld {
  readonly job: Job;
  readonly pods: readonly Pod[];
  /** True for a pod that is being deleted on a node nobody hears from: its end may never be confirmed. */
  readonly isLost: (pod: Pod) => boolean;
  readonly now: Moment;
}

/** True when the condition is there and holds. */
export function jobHas(job: Job, type: string): boolean {
  return job.status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;
}

/** Complete or Failed, once and for all. */
export function jobFinished(job: Job): 'Complete' | 'Failed' | undefined {
  if (jobHas(job, 'Complete')) return 'Complete';
  return jobHas(job, 'Failed') ? 'Failed' : undefined;
}

/** True for Indexed jobs. */
export function isIndexed(job: Job): boolean {
  return job.spec.completionMode === 'Indexed';
}

/** True when the pod's end is still to be counted. */
export function isTracked(pod: Pod): boolean {
  return pod.metadata.finalizers?.includes(JOB_TRACKING) ?? false;
}

/** The pod's completion index; undefined when it has none or one the job does not have. */
export function indexOf(job: Job, pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX];
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  const index = Number(text);
  return index < (job.spec.completions ?? 0) ? index : undefined;
}

/** A whole number of an annotation; 0 when absent or unreadable. */
export function countIn(pod: Pod, annotation: string): number {
  const text = pod.metadata.annotations?.[annotation] ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

/**
 * True when the pod has failed for its job: it ended so, it is written down as failed, or it is being deleted. With
 * podReplacementPolicy Failed the last counts only once nothing waits for a device any more, so that two pods never work side by side.
 */
export function hasFailed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  if (pod.metadata.deletionTimestamp === undefined) return false;
  if (pod.status?.phase === 'Succeeded') return isWrittenOff(job, pod);
  return job.spec.podReplacementPolicy !== 'Failed' || pod.metadata.deletionGracePeriodSeconds === 0;
}

/** True when the pod has ended well, and was not counted as failed before it did. */
export function hasSucceeded(job: Job, pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' && !isWrittenOff(job, pod);
}

/** Of a pod that was counted as failed while it was being stopped, and then ended well after all, the first word stands. */
function isWrittenOff(job: Job, pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp === undefined) return false;
  return job.status?.uncountedTerminatedPods?.failed?.includes(pod.metadata.uid) ?? false;
}

/** True when the pod is being deleted and has not ended. */
export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined && !isTerminal(pod);
}

/**
 * Epoch ms at which the pod ended, by its device, but not before its creation nor after now, which are times of the hub: a
 * device without a clock can neither hold up nor hurry a retry by more than the pod's own life.
 */
export function endedAtMs(pod: Pod, nowMs: number): number {
  const ends = (pod.status?.containerStatuses ?? []).map((c) =>
    Date.parse(c.state?.terminated?.finishedAt ?? ''),
  );
  const known = [...ends, Date.parse(pod.metadata.deletionTimestamp ?? '')].filter((at) => !Number.isNaN(at));
  const created = Date.parse(pod.metadata.creationTimestamp) || 0;
  return Math.min(nowMs, Math.max(created, ...(known.length > 0 ? known : [created])));
}
