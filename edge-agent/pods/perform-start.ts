import { withDeadline } from '../../kit/deadline.ts';
import type { ContainerView } from '../decide/container.ts';
import { containerMemory, SANDBOX, withContainer } from '../decide/pod-memory.ts';
import type { PlannedContainer } from '../decide/pod-shape.ts';
import { plannedOf } from '../decide/pod-view.ts';
import { isRuntimeError, type RuntimeError } from '../decide/runtime-error.ts';
import { ENGINE_LIMIT_MS, forgetAddress, isTransient, loseNetwork, refuse } from './perform-refused.ts';
import type { PodCell, Tools } from './pod-cell.ts';

/** Starts a created container. One that cannot be started has ended with the engine's code, as in Kubernetes. */
export async function startContainer(
  tools: Tools,
  cell: PodCell,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const container = tools.observer.get(id);
  if (container === undefined) return;
  const { name } = container;
  try {
    await tools.observer.settled(cell.uid);
    await withDeadline(ENGINE_LIMIT_MS, signal, (s) => tools.runtime.start(id, s));
    await tools.observer.refresh(id, signal);
    cell.memory = withContainer(cell.memory, name, { failure: undefined });
    if (name !== SANDBOX) tools.events.normal(cell.pod, 'Started', `Started container ${name}`, name);
  } catch (error) {
    if (!isRuntimeError(error) || isTransient(error)) throw error;
    await startFailed(tools, cell, container, plannedOf(cell.pod, name), error, signal);
  }
}

async function startFailed(
  tools: Tools,
  cell: PodCell,
  container: ContainerView,
  planned: PlannedContainer | undefined,
  error: RuntimeError,
  signal: AbortSignal,
): Promise<void> {
  const { id, name } = container;
  if (error.reason === 'StartFailed' && planned !== undefined) {
    tools.events.warning(cell.pod, 'Failed', `Error: ${error.message}`, name);
    const nowAtMs = tools.clock.nowMs();
    tools.observer.note({
      ...container,
      state: 'exited',
      exitCode: 128,
      message: error.message,
      finishedAtMs: nowAtMs,
    });
    return;
  }
  const again = containerMemory(cell.memory, name).failure !== undefined;
  if (error.reason === 'AddressInUse' && container.podIp !== undefined && again) {
    tools.node.avoidAddress(container.podIp);
    forgetAddress(cell);
  }
  if (error.reason === 'NetworkMissing') loseNetwork(tools, cell);
  // Made anew the next time: its network or port may be another by then. The attempt has not run, so it does not count.
  await tools.runtime.remove(id, signal);
  tools.observer.forget(id);
  cell.memory = withContainer(cell.memory, name, { unstarted: true });
  refuse(tools, cell, name, 'RunContainerError', error.message);
}
