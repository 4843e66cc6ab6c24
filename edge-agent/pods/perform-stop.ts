import type { LifecycleHandler } from '../../protocol/kinds/pod.ts';
import type { ContainerView } from '../decide/container.ts';
import { type StopMemory, type StopReason, withoutRuns } from '../decide/pod-memory.ts';
import { plannedOf } from '../decide/pod-view.ts';
import { KILL_AGAIN_MS, LEAST_GRACE_MS } from '../decide/stop-step.ts';
import { runHandler } from './handlers.ts';
import { nodeContext, type PodCell, type Tools } from './pod-cell.ts';

/** A post-start hook may take this long; Kubernetes sets no limit, but a hook that hangs blocks the pod for ever. */
const POST_START_LIMIT_MS = 10 * 60_000;

/** Begins to stop containers: tells why, and starts their pre-stop hooks. The signal follows as the next action. */
export function stopContainers(
  tools: Tools,
  cell: PodCell,
  action: { readonly ids: readonly string[]; readonly why: StopReason; readonly graceMs: number },
  signal: AbortSignal,
): void {
  const nowMs = tools.clock.monotonicMs();
  for (const container of known(tools, action.ids)) {
    if (container.role === 'sandbox') {
      const stop: StopMemory = { why: action.why, preStop: 'none', signalled: true, killAtMs: nowMs };
      cell.changeRun(container, { stop });
      continue;
    }
    const hook = plannedOf(cell.pod, container.name)?.spec.lifecycle?.preStop;
    const preStop = hook === undefined ? 'none' : 'running';
    const stop: StopMemory = { why: action.why, preStop, signalled: false, killAtMs: nowMs + action.graceMs };
    cell.changeRun(container, { stop });
    tools.events.normal(cell.pod, 'Killing', killingText(container.name, action.why), container.name);
    if (hook !== undefined) runPreStop(tools, cell, container, hook, action.graceMs, signal);
  }
}

function killingText(name: string, why: StopReason): string {
  switch (why) {
    case 'SpecChanged':
      return `Container ${name} definition changed, will be restarted`;
    case 'Unhealthy':
      return `Container ${name} failed liveness probe, will be restarted`;
    case 'FailedPostStartHook':
      return `FailedPostStartHook: container ${name} will be restarted`;
    case 'DeviceChanged':
      return `A device of container ${name} is back as another, will be restarted`;
    case 'SandboxChanged':
      return `Container ${name} lost its sandbox, will be restarted`;
    default:
      return `Stopping container ${name}`;
  }
}

function runPreStop(
  tools: Tools,
  cell: PodCell,
  container: ContainerView,
  hook: LifecycleHandler,
  graceMs: number,
  signal: AbortSignal,
): void {
  runHook(tools, cell, container, hook, Math.max(graceMs, LEAST_GRACE_MS), signal, (failure) => {
    if (failure !== undefined) tools.events.warning(cell.pod, 'FailedPreStopHook', failure, container.name);
    const { stop } = cell.run(tools, container);
    if (stop !== undefined) cell.changeRun(container, { stop: { ...stop, preStop: 'done' } });
  });
}

/** Runs the post-start hook beside; the pod goes on when it is done. */
export function postStart(tools: Tools, cell: PodCell, id: string, signal: AbortSignal): void {
  const container = tools.observer.get(id);
  const hook = container && plannedOf(cell.pod, container.name)?.spec.lifecycle?.postStart;
  if (container === undefined || hook === undefined) return;
  cell.changeRun(container, { postStart: 'running' });
  runHook(tools, cell, container, hook, POST_START_LIMIT_MS, signal, (failure) => {
    if (failure !== undefined) tools.events.warning(cell.pod, 'FailedPostStartHook', failure, container.name);
    cell.changeRun(container, { postStart: failure === undefined ? 'done' : 'failed' });
  });
}

/** Runs a hook beside the worker and wakes the pod when it ended; `done` gets the failure, if any. */
function runHook(
  tools: Tools,
  cell: PodCell,
  container: ContainerView,
  hook: LifecycleHandler,
  limitMs: number,
  signal: AbortSignal,
  done: (failure: string | undefined) => void,
): void {
  const spec = plannedOf(cell.pod, container.name)?.spec;
  if (spec === undefined) {
    done(undefined);
    return;
  }
  const target = { containerId: container.id, container: spec, host: nodeContext(tools, cell).podIp };
  runHandler(tools.runtime, hook, target, limitMs, signal).then(
    (result) => {
      done(result.ok ? undefined : `hook of container ${container.name} failed: ${result.message}`);
      tools.wake(cell.uid);
    },
    (error: unknown) => {
      if (signal.aborted) return;
      done(`hook of container ${container.name} could not be run: ${String(error)}`);
      tools.wake(cell.uid);
    },
  );
}

/** Asks main processes to end. */
export async function signalContainers(
  tools: Tools,
  cell: PodCell,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    known(tools, ids).map(async (container) => {
      await tools.runtime.kill(container.id, container.stopSignal, signal);
      const { stop } = cell.run(tools, container);
      const killAtMs = Math.max(stop?.killAtMs ?? 0, tools.clock.monotonicMs() + LEAST_GRACE_MS);
      if (stop !== undefined) cell.changeRun(container, { stop: { ...stop, signalled: true, killAtMs } });
    }),
  );
}

/** Ends main processes. Its end is seen by the engine's event; when it is not, the container is asked for again. */
export async function killContainers(
  tools: Tools,
  cell: PodCell,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    known(tools, ids).map(async (container) => {
      await tools.runtime.kill(container.id, 'SIGKILL', signal);
      await tools.observer.refresh(container.id, signal);
      const { stop } = cell.run(tools, container);
      const killAtMs = tools.clock.monotonicMs() + KILL_AGAIN_MS;
      if (stop !== undefined) cell.changeRun(container, { stop: { ...stop, killAtMs } });
    }),
  );
}

/** Removes dead containers and what was remembered of them. */
export async function removeContainers(
  tools: Tools,
  cell: PodCell,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(ids.map((id) => tools.runtime.remove(id, signal)));
  for (const id of ids) tools.observer.forget(id);
  cell.memory = withoutRuns(cell.memory, ids);
}

function known(tools: Tools, ids: readonly string[]): ContainerView[] {
  return ids.flatMap((id) => tools.observer.get(id) ?? []);
}
