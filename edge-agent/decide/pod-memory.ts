import type { ContainerStateTerminated, PodStatus } from '../../protocol/kinds/pod.ts';
import type { CrashBackoff } from './restart.ts';

/** Why containers are being stopped. */
export type StopReason =
  | 'Deleted'
  | 'Removed'
  | 'DeadlineExceeded'
  | 'Evicted'
  | 'SpecChanged'
  | 'SandboxChanged'
  | 'DeviceChanged'
  | 'Unhealthy'
  | 'FailedPostStartHook'
  | 'PodEnded';

/** Something that failed and is tried again at `retryAtMs` (monotonic). */
export interface Failure<R extends string> {
  readonly reason: R;
  readonly message: string;
  readonly failedMs: number;
  readonly retryAtMs: number;
  readonly failures: number;
}

export type CreateFailureReason =
  | 'CreateContainerConfigError'
  | 'CreateContainerError'
  | 'RunContainerError'
  | 'UnexpectedAdmissionError';
export type ImageFailureReason =
  | 'ErrImagePull'
  | 'ErrImageNeverPull'
  | 'InvalidImageName'
  | 'ErrImagePlatform';

/** The image a container name needs, as far as it is known to be on the node. */
export type ImageMemory =
  | { readonly ref: string; readonly state: 'fetching' }
  | {
      readonly ref: string;
      readonly state: 'ready';
      readonly id: string;
      readonly user: string;
      readonly stopSignal: string;
    }
  | { readonly ref: string; readonly state: 'failed'; readonly failure: Failure<ImageFailureReason> };

/** What is remembered of a container name across its containers. */
export interface ContainerMemory {
  /** Highest attempt ever made; -1 before the first. Never goes down. */
  readonly attempts: number;
  /** True when the container of the highest attempt was removed without ever having run: its number is used again. */
  readonly unstarted?: boolean;
  readonly backoff?: CrashBackoff;
  readonly failure?: Failure<CreateFailureReason>;
  readonly image?: ImageMemory;
  /** How the last container ended, kept for when the engine has lost it. */
  readonly lastExit?: ContainerStateTerminated;
}

/** A stop under way: hook, then signal, then kill at `killAtMs` (monotonic). */
export interface StopMemory {
  readonly why: StopReason;
  readonly preStop: 'none' | 'running' | 'done';
  readonly signalled: boolean;
  readonly killAtMs: number;
}

/** What is remembered of one container by id. */
export interface RunMemory {
  readonly started: boolean;
  readonly ready: boolean;
  readonly healthy: boolean;
  readonly postStart?: 'running' | 'done' | 'failed';
  readonly stop?: StopMemory;
}

/** Why a pod is brought to its end. */
export type TerminationReason = 'Deleted' | 'Removed' | 'DeadlineExceeded' | 'Evicted';

/** The node took the pod's place back: the words for people, and the longest grace of its containers. */
export interface Eviction {
  readonly message: string;
  readonly graceMs: number;
  /** The pod took more than it may: it is no victim of what others need, and its status does not say so. */
  readonly isOverLimit?: boolean;
}

export interface Terminating {
  readonly why: TerminationReason;
  readonly sinceMs: number;
}

/** State of the pod's volumes: which revision of their content is on disk, and the last failure. */
export interface VolumesMemory {
  /** Undefined until all volumes have been there once since the agent started. */
  readonly revision?: string;
  readonly failed?: Failure<'FailedMount'> & { readonly revision: string };
  /** The content was given back although the pod's record stays. */
  readonly discarded?: boolean;
}

/**
 * What the agent knows of a pod beside its desired state and its containers. Monotonic times end in plain `Ms`,
 * wall times in `AtMs`. Phases go one way: syncing, terminating, gone.
 */
export interface PodMemory {
  /** Wall time the pod was first seen; `status.startTime`. */
  readonly startAtMs: number;
  /** The same moment on the monotonic clock; may lie before the agent's own start. */
  readonly startMs: number;
  readonly ip?: string;
  /** Why the pod cannot get an address yet. */
  readonly addressFailure?: Failure<'NetworkNotReady'>;
  readonly containers: Readonly<Record<string, ContainerMemory>>;
  readonly runs: Readonly<Record<string, RunMemory>>;
  readonly volumes: VolumesMemory;
  readonly terminating?: Terminating;
  /** Set once, durably: the pod never runs again on this node. */
  readonly eviction?: Eviction;
  /** Final status of a pod that will never run again. */
  readonly ended?: PodStatus;
  /** True when volumes, files and address are given back. */
  readonly released: boolean;
  readonly gone: boolean;
}

type ContainerChange = { readonly [K in keyof ContainerMemory]?: ContainerMemory[K] | undefined };

/** Key of the sandbox in `PodMemory.containers`. */
export const SANDBOX = '';

/** Memory of a pod seen for the first time. */
export function newMemory(startAtMs: number, startMs: number): PodMemory {
  return { startAtMs, startMs, containers: {}, runs: {}, volumes: {}, released: false, gone: false };
}

/** What is known of a container name; `attempts: -1` when nothing. */
export function containerMemory(memory: PodMemory, name: string): ContainerMemory {
  return memory.containers[name] ?? { attempts: -1 };
}

/** The memory with one container name's part changed; an `undefined` value removes the field. */
export function withContainer(memory: PodMemory, name: string, change: ContainerChange): PodMemory {
  const { backoff, failure, image, lastExit, attempts, unstarted } = {
    ...containerMemory(memory, name),
    ...change,
  };
  const next: ContainerMemory = {
    attempts: attempts ?? -1,
    ...(unstarted && { unstarted }),
    ...(backoff && { backoff }),
    ...(failure && { failure }),
    ...(image && { image }),
    ...(lastExit && { lastExit }),
  };
  return { ...memory, containers: { ...memory.containers, [name]: next } };
}

/** The memory with one container's run changed, starting from `fallback` when nothing was known. */
export function withRun(
  memory: PodMemory,
  id: string,
  change: Partial<RunMemory>,
  fallback: RunMemory,
): PodMemory {
  const next = { ...(memory.runs[id] ?? fallback), ...change };
  return { ...memory, runs: { ...memory.runs, [id]: next } };
}

/** The memory without what was known of these containers. */
export function withoutRuns(memory: PodMemory, ids: readonly string[]): PodMemory {
  if (!ids.some((id) => id in memory.runs)) return memory;
  const runs = Object.fromEntries(Object.entries(memory.runs).filter(([id]) => !ids.includes(id)));
  return { ...memory, runs };
}

/** The memory after the engine was away: what failed or ended meanwhile says nothing about the pod and is tried again at once. */
export function forgetFailures(memory: PodMemory): PodMemory {
  const { addressFailure: _, ...rest } = memory;
  return Object.keys(memory.containers).reduce<PodMemory>(
    (next, name) => withContainer(next, name, { failure: undefined, backoff: undefined }),
    rest,
  );
}

/** The memory after the desired state changed: what was missing (a ConfigMap, the node's range) may be there now. */
export function forgetMissing(memory: PodMemory): PodMemory {
  const { addressFailure: _, ...rest } = memory;
  const refused = Object.entries(memory.containers).filter(
    ([, c]) => c.failure?.reason === 'CreateContainerConfigError',
  );
  return refused.reduce<PodMemory>((next, [name]) => withContainer(next, name, { failure: undefined }), rest);
}

/** The memory after devices came or were given back: who waited for one may try again. */
export function forgetShortages(memory: PodMemory): PodMemory {
  const short = Object.entries(memory.containers).filter(
    ([, c]) => c.failure?.reason === 'UnexpectedAdmissionError',
  );
  return short.reduce<PodMemory>((next, [name]) => withContainer(next, name, { failure: undefined }), memory);
}

/** The failure to remember after one more failure of the same kind. */
export function failAgain<R extends string>(
  previous: Failure<R> | undefined,
  reason: R,
  message: string,
  nowMs: number,
  delayMs: (failures: number) => number,
): Failure<R> {
  const failures = (previous?.failures ?? 0) + 1;
  return { reason, message, failedMs: nowMs, retryAtMs: nowMs + delayMs(failures), failures };
}
