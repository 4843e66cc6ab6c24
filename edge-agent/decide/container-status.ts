import type { ContainerState, ContainerStateTerminated, ContainerStatus } from '../../protocol/kinds/pod.ts';
import { type ContainerView, newest, predecessor } from './container.ts';
import { FRESH_FAILURE_MS, restartDueMs, wantsRestart } from './container-step.ts';
import { containerMemory } from './pod-memory.ts';
import type { PlannedContainer } from './pod-shape.ts';
import { isInitialized, type PodView, runOf } from './pod-view.ts';
import { timeText } from './time.ts';

/** Longest termination message of a container, in characters, as in Kubernetes. */
export const MAX_MESSAGE = 4096;

const ENGINE_ID = 'docker://';

/** How a container ended, as Kubernetes shows it. */
export function terminatedState(view: ContainerView): ContainerStateTerminated {
  const exitCode = view.exitCode ?? 0;
  const neverRan = view.startedAtMs === undefined;
  const reason = view.oomKilled
    ? 'OOMKilled'
    : neverRan
      ? 'StartError'
      : exitCode === 0
        ? 'Completed'
        : 'Error';
  return {
    exitCode,
    reason,
    ...(view.message ? { message: view.message.slice(0, MAX_MESSAGE) } : {}),
    ...(view.startedAtMs === undefined ? {} : { startedAt: timeText(view.startedAtMs) }),
    ...(view.finishedAtMs === undefined ? {} : { finishedAt: timeText(view.finishedAtMs) }),
    containerID: `${ENGINE_ID}${view.id}`,
  };
}

/** Status of one container of the spec, from its newest container, the one before and what is remembered. */
export function containerStatus(view: PodView, planned: PlannedContainer): ContainerStatus {
  const { name, image } = planned.spec;
  const current = newest(view.containers, name);
  const memory = containerMemory(view.memory, name);
  const state = currentState(view, planned, current);
  const ended = current?.state === 'exited' ? terminatedState(current) : undefined;
  const previous = predecessor(view.containers, name);
  const before = previous === undefined ? memory.lastExit : terminatedState(previous);
  const last = state.terminated === undefined ? (ended ?? before) : before;
  const running = current?.state === 'running' ? runOf(view, current) : undefined;
  const doneInit = planned.role === 'init' && !planned.sidecar && current?.exitCode === 0;
  const ready =
    planned.role === 'ephemeral'
      ? false
      : planned.role === 'init' && !planned.sidecar
        ? doneInit
        : isReady(planned, running);
  return {
    name,
    state,
    ...(last === undefined ? {} : { lastState: { terminated: last } }),
    ready,
    started: running?.started === true,
    restartCount: Math.max(0, current?.attempt ?? -1, memory.attempts),
    image,
    imageID: current === undefined ? '' : `${ENGINE_ID}${current.imageId}`,
    ...(current === undefined ? {} : { containerID: `${ENGINE_ID}${current.id}` }),
  };
}

function isReady(planned: PlannedContainer, run: ReturnType<typeof runOf> | undefined): boolean {
  if (run === undefined || !run.started) return false;
  const hooked = planned.spec.lifecycle?.postStart === undefined || run.postStart === 'done';
  return run.ready && hooked;
}

function currentState(
  view: PodView,
  planned: PlannedContainer,
  current: ContainerView | undefined,
): ContainerState {
  if (current?.state === 'running')
    return {
      running: current.startedAtMs === undefined ? {} : { startedAt: timeText(current.startedAtMs) },
    };
  if (current?.state !== 'exited') return { waiting: waitingFor(view, planned) };
  const stays = view.memory.terminating !== undefined || !wantsRestart(view, planned, current);
  if (stays) return { terminated: terminatedState(current) };
  const failure = failureOf(view, planned);
  if (failure !== undefined) return { waiting: failure };
  const dueMs = restartDueMs(view, current);
  if (dueMs <= view.nowMs) return { terminated: terminatedState(current) };
  if (current.startedAtMs === undefined)
    return { waiting: { reason: 'RunContainerError', message: current.message ?? '' } };
  const delayMs = containerMemory(view.memory, current.name).backoff?.delayMs ?? 0;
  return {
    waiting: { reason: 'CrashLoopBackOff', message: backoffMessage(view, planned.spec.name, delayMs) },
  };
}

/** Kubernetes' words for a container in crash back-off. */
function backoffMessage(view: PodView, name: string, delayMs: number): string {
  const { metadata } = view.pod;
  const seconds = Math.round(delayMs / 1000);
  const delay = seconds >= 60 ? `${Math.floor(seconds / 60)}m${seconds % 60}s` : `${seconds}s`;
  const pod = `${metadata.name}_${metadata.namespace ?? 'default'}(${metadata.uid})`;
  return `back-off ${delay} restarting failed container=${name} pod=${pod}`;
}

type Waiting = NonNullable<ContainerState['waiting']>;

function failureOf(view: PodView, planned: PlannedContainer): Waiting | undefined {
  const { image, failure } = containerMemory(view.memory, planned.spec.name);
  if (image?.state === 'failed' && image.ref === planned.spec.image) {
    const { reason, message, failedMs } = image.failure;
    if (reason !== 'ErrImagePull') return { reason, message };
    return view.nowMs < failedMs + FRESH_FAILURE_MS
      ? { reason, message }
      : { reason: 'ImagePullBackOff', message: `Back-off pulling image "${planned.spec.image}": ${message}` };
  }
  return failure === undefined ? undefined : { reason: failure.reason, message: failure.message };
}

function waitingFor(view: PodView, planned: PlannedContainer): Waiting {
  const failure = failureOf(view, planned);
  if (failure !== undefined) return failure;
  const inits = (view.pod.spec.initContainers ?? []).length > 0;
  return { reason: inits && !isInitialized(view) ? 'PodInitializing' : 'ContainerCreating' };
}
