import { type ContainerView, newest } from './container.ts';
import { hasMoved } from './devices.ts';
import { type ContainerMemory, containerMemory, type StopReason } from './pod-memory.ts';
import { needsSandbox, type PlannedContainer, restartRule, restartsAfter } from './pod-shape.ts';
import {
  act,
  BLOCKED,
  blockedUntil,
  generationOf,
  isInitialized,
  OK,
  type PodView,
  runOf,
  type Step,
  sandboxOf,
} from './pod-view.ts';
import { restartAtMs } from './restart.ts';
import { specHash } from './spec-hash.ts';
import { podGraceMs, probeGraceMs, stopStep } from './stop-step.ts';

/** For this long a failed pull is shown as ErrImagePull before it turns into ImagePullBackOff. */
export const FRESH_FAILURE_MS = 1_000;

/** Whether a container that ended is to run again, whatever the back-off says. */
export function wantsRestart(view: PodView, planned: PlannedContainer, ended: ContainerView): boolean {
  const why = view.memory.runs[ended.id]?.stop?.why;
  if (why === 'SpecChanged' || why === 'DeviceChanged') return true;
  return restartsAfter(restartRule(view.pod.spec, planned), ended.exitCode ?? 0);
}

/** Monotonic time from which a container that ended may start again; containers we replaced ourselves wait for nothing. */
export function restartDueMs(view: PodView, ended: ContainerView): number {
  const why = view.memory.runs[ended.id]?.stop?.why;
  const exitedMs = ended.exitedMs ?? view.nowMs;
  const memory = containerMemory(view.memory, ended.name);
  // A successor that could not be started has served the back-off already.
  if (isReplaced(why) || memory.unstarted === true) return exitedMs;
  return restartAtMs(memory.backoff, exitedMs);
}

/** True when the agent itself took the container away to make another: no failure of the container. */
export function isReplaced(why: StopReason | undefined): boolean {
  return why === 'SpecChanged' || why === 'SandboxChanged' || why === 'DeviceChanged';
}

/** Number of the next container of this name: never one that ran before. */
export function nextAttempt(memory: ContainerMemory, last: ContainerView | undefined): number {
  if (memory.unstarted === true) return memory.attempts;
  return Math.max(memory.attempts, last?.attempt ?? -1) + 1;
}

/** Makes a new container: image first, then the container itself; waits out the failures of both. */
export function createStep(view: PodView, planned: PlannedContainer): Step {
  const { name, image: ref } = planned.spec;
  const memory = containerMemory(view.memory, name);
  if (memory.failure !== undefined && view.nowMs < memory.failure.retryAtMs)
    return blockedUntil(memory.failure.retryAtMs);
  const last = newest(view.containers, name);
  const attempt = nextAttempt(memory, last);
  const { image } = memory;
  const fetch = act({ do: 'fetch', name, restart: last?.image === ref });
  if (image === undefined || image.ref !== ref) return fetch;
  if (image.state === 'fetching') return BLOCKED;
  if (image.state === 'failed') {
    const { retryAtMs, failedMs } = image.failure;
    if (view.nowMs >= retryAtMs) return fetch;
    const settledMs = failedMs + FRESH_FAILURE_MS;
    return blockedUntil(view.nowMs < settledMs ? Math.min(settledMs, retryAtMs) : retryAtMs);
  }
  const generation = generationOf(view);
  if (generation === undefined) return BLOCKED;
  return act({ do: 'create', name, role: planned.role, attempt, generation });
}

/** Starts what was created, unless its namespaces are gone or the last start failed a moment ago. */
function startStep(view: PodView, created: ContainerView): Step {
  if (created.generation !== generationOf(view)) return act({ do: 'remove', ids: [created.id] });
  const { failure } = containerMemory(view.memory, created.name);
  if (failure !== undefined && view.nowMs < failure.retryAtMs) return blockedUntil(failure.retryAtMs);
  return act({ do: 'start', id: created.id });
}

function restartStep(view: PodView, planned: PlannedContainer, ended: ContainerView): Step {
  if (!wantsRestart(view, planned, ended)) return OK;
  const dueMs = restartDueMs(view, ended);
  return view.nowMs < dueMs ? blockedUntil(dueMs) : createStep(view, planned);
}

/** A running app or sidecar: replaced when its spec changed or its probes say so; its post-start hook runs once. */
function runningStep(view: PodView, planned: PlannedContainer, container: ContainerView): Step {
  const run = runOf(view, container);
  const stop = (why: StopReason, graceMs: number): Step => {
    const step = stopStep(view, [container], why, graceMs);
    return step.step === 'ok' ? BLOCKED : step;
  };
  if (run.stop !== undefined) return stop(run.stop.why, podGraceMs(view.pod));
  if (container.specHash !== specHash(planned.spec)) return stop('SpecChanged', podGraceMs(view.pod));
  if (hasMoved(container.devices, view.devices ?? {})) return stop('DeviceChanged', podGraceMs(view.pod));
  if (!run.healthy) return stop('Unhealthy', probeGraceMs(view.pod, container.name));
  if (planned.spec.lifecycle?.postStart === undefined) return OK;
  if (run.postStart === undefined) return act({ do: 'post-start', id: container.id });
  if (run.postStart === 'failed') return stop('FailedPostStartHook', podGraceMs(view.pod));
  return run.postStart === 'running' ? BLOCKED : OK;
}

/** Next step of an app container or sidecar. `ok`: it runs, or has ended for good. */
export function appStep(view: PodView, planned: PlannedContainer): Step {
  const container = newest(view.containers, planned.spec.name);
  if (container === undefined) return createStep(view, planned);
  if (container.state === 'created') return startStep(view, container);
  if (container.state === 'exited') return restartStep(view, planned, container);
  return runningStep(view, planned, container);
}

/** Next step of an init container that must end: `ok` once it succeeded in the present generation. */
export function initStep(view: PodView, planned: PlannedContainer): Step {
  if (isInitialized(view)) return OK;
  const container = newest(view.containers, planned.spec.name);
  if (container === undefined) return createStep(view, planned);
  if (container.state === 'created') return startStep(view, container);
  if (container.state === 'running') return BLOCKED;
  if (container.generation !== generationOf(view)) return createStep(view, planned);
  if (container.exitCode === 0) return OK;
  return restartStep(view, planned, container);
}

/** Next step of a sidecar: before the pod is initialized, `ok` only when it has started. */
export function sidecarStep(view: PodView, planned: PlannedContainer): Step {
  const step = appStep(view, planned);
  if (step.step !== 'ok' || isInitialized(view)) return step;
  const container = newest(view.containers, planned.spec.name);
  return container !== undefined && runOf(view, container).started ? OK : BLOCKED;
}

/**
 * Next step of an ephemeral container: made once, when the pod runs and what it is to join does; never made again, because whoever
 * debugs has seen its end.
 */
export function ephemeralStep(view: PodView, planned: PlannedContainer): Step {
  const container = newest(view.containers, planned.spec.name);
  if (container !== undefined) return container.state === 'created' ? startStep(view, container) : OK;
  const { attempts, unstarted } = containerMemory(view.memory, planned.spec.name);
  if (attempts >= 0 && unstarted !== true) return OK;
  const { network, processes } = joinedBy(view, planned);
  const joined = processes === undefined ? [network] : [network, processes];
  if (!isInitialized(view) || joined.some((c) => c?.state !== 'running')) return BLOCKED;
  return createStep(view, planned);
}

/**
 * Whose namespaces an ephemeral container joins: the network of the pod's sandbox, or of the container that has its place; the processes
 * of the container it debugs, which may be missing.
 */
export function joinedBy(
  view: Pick<PodView, 'pod' | 'containers'>,
  planned: PlannedContainer,
): { readonly network: ContainerView | undefined; readonly processes?: ContainerView | undefined } {
  const { spec } = view.pod;
  const owner = spec.containers[0]?.name ?? '';
  const network = needsSandbox(spec) ? sandboxOf(view.containers) : newest(view.containers, owner);
  return planned.debugs === undefined
    ? { network }
    : { network, processes: newest(view.containers, planned.debugs) };
}

/** How the pod's main containers ended for good, once all of them have; undefined while any runs or will run again. */
export function podOutcome(
  view: PodView,
  planned: readonly PlannedContainer[],
): 'Succeeded' | 'Failed' | undefined {
  const generation = generationOf(view);
  const initialized = isInitialized(view);
  for (const init of planned.filter((p) => p.role === 'init' && !p.sidecar)) {
    const container = newest(view.containers, init.spec.name);
    const ended = !initialized && container?.state === 'exited' && container.generation === generation;
    if (ended && container.exitCode !== 0 && !wantsRestart(view, init, container)) return 'Failed';
  }
  const apps = planned.filter((p) => p.role === 'app');
  if (apps.length === 0) return undefined;
  let outcome: 'Succeeded' | 'Failed' = 'Succeeded';
  for (const app of apps) {
    const container = newest(view.containers, app.spec.name);
    if (container?.state !== 'exited' || wantsRestart(view, app, container)) return undefined;
    if (container.exitCode !== 0) outcome = 'Failed';
  }
  return outcome;
}
