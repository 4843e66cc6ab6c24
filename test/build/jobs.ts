import { COMPLETION_INDEX, JOB_TRACKING, type JobWorld } from '../../hub/decide/job-facts.ts';
import type { CronJob, CronJobSpec, Job, JobSpec } from '../../protocol/kinds/batch.ts';
import type { Event } from '../../protocol/kinds/core.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodTemplateSpec } from '../../protocol/kinds/workloads.ts';
import type { MemoryDevice } from '../fakes/memory-devices.ts';
import type { HubWorld } from './hub-world.ts';

/** A template whose pods run once. */
export const onceTemplate = (restartPolicy: 'Never' | 'OnFailure' = 'Never'): PodTemplateSpec => ({
  spec: { restartPolicy, containers: [{ name: 'main', image: 'busybox:latest' }] },
});

/** Creates a Job in the store; parts of its spec replaced at will. */
export function createJob(world: HubWorld, name: string, spec: Partial<JobSpec> = {}): Promise<Job> {
  return world.store.create('Job', {
    metadata: { name, namespace: 'default' },
    spec: { template: onceTemplate(), ...spec },
  });
}

/** Creates a CronJob in the store; parts of its spec replaced at will. */
export function createCronJob(
  world: HubWorld,
  name: string,
  spec: Partial<CronJobSpec> = {},
): Promise<CronJob> {
  return world.store.create('CronJob', {
    metadata: { name, namespace: 'default' },
    spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: onceTemplate() } }, ...spec },
  });
}

/** The job as the store has it. */
export function jobOf(world: HubWorld, name: string): Job | undefined {
  return world.store.get('Job', 'default', name);
}

/** All pods of a job, also ended ones. */
export function podsOf(world: HubWorld, name: string): Pod[] {
  return world.store.list('Pod', 'default').filter((p) => p.metadata.labels?.['job-name'] === name);
}

/** Pods of a job that a device runs and that have not ended. */
export function runningOf(world: HubWorld, name: string): Pod[] {
  return podsOf(world, name).filter(
    (p) => p.status?.phase === 'Running' && p.metadata.deletionTimestamp === undefined,
  );
}

/** Ends the pod on whichever device runs it. */
export function endPod(devices: readonly MemoryDevice[], pod: Pod, exitCode = 0): void {
  devices.find((device) => device.running.has(pod.metadata.uid))?.end(pod.metadata.uid, exitCode);
}

/** The condition of a job that holds, `Type:Reason`, in their order. */
export function conditionsOf(world: HubWorld, name: string): string[] {
  return (jobOf(world, name)?.status?.conditions ?? [])
    .filter((c) => c.status === 'True')
    .map((c) => `${c.type}:${c.reason ?? ''}`);
}

/** Events of an object of the namespace default, as `Reason: message`. */
export function eventsOf(world: HubWorld, name: string): string[] {
  return world.store
    .list('Event', 'default')
    .filter((e: Event) => e.involvedObject.name === name)
    .map((e) => `${e.reason}: ${e.message}`);
}

const CREATED = '2026-01-01T00:00:00Z';

/** A job as a decision sees it; parts of spec and status replaced at will. */
export function plainJob(spec: Partial<JobSpec> = {}, status: Job['status'] = {}): Job {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: 'j',
      namespace: 'default',
      uid: 'job',
      resourceVersion: '1',
      creationTimestamp: CREATED,
    },
    spec: { parallelism: 1, completions: 1, backoffLimit: 6, template: onceTemplate(), ...spec },
    status: { startTime: CREATED, ...status },
  };
}

/** A pod of that job, still tracked unless told otherwise. */
export function jobPodOf(
  name: string,
  parts: {
    phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
    index?: number;
    exitCode?: number;
    endedAt?: string;
    deleting?: boolean;
    graceSeconds?: number;
    tracked?: boolean;
    restarts?: number;
    annotations?: Record<string, string>;
    conditions?: { type: string; status: 'True' | 'False' }[];
  } = {},
): Pod {
  const { phase = 'Running', index, exitCode, endedAt = CREATED, restarts = 0 } = parts;
  const isOver = phase === 'Succeeded' || phase === 'Failed';
  const state = isOver
    ? { terminated: { exitCode: exitCode ?? (phase === 'Failed' ? 1 : 0), finishedAt: endedAt } }
    : { running: {} };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      resourceVersion: '1',
      creationTimestamp: CREATED,
      ...(parts.deleting === true
        ? { deletionTimestamp: endedAt, deletionGracePeriodSeconds: parts.graceSeconds ?? 30 }
        : {}),
      ...(parts.tracked === false ? {} : { finalizers: [JOB_TRACKING] }),
      annotations: {
        ...(index === undefined ? {} : { [COMPLETION_INDEX]: String(index) }),
        ...parts.annotations,
      },
    },
    spec: { nodeName: 'n', containers: [{ name: 'main', image: 'i' }] },
    status: {
      phase,
      conditions: parts.conditions ?? [],
      containerStatuses: [
        { name: 'main', ready: !isOver, restartCount: restarts, image: 'i', imageID: '', state },
      ],
    },
  };
}

/** The world of that job at so many seconds after its creation. */
export function jobWorld(
  job: Job,
  pods: readonly Pod[],
  afterS = 3600,
  isLost: JobWorld['isLost'] = () => false,
): JobWorld {
  const atMs = Date.parse(CREATED) + afterS * 1000;
  return { job, pods, isLost, now: { atMs, time: `${new Date(atMs).toISOString().slice(0, 19)}Z` } };
}
