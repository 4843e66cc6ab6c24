import {
  type CreateFailureReason,
  containerMemory,
  failAgain,
  SANDBOX,
  withContainer,
} from '../decide/pod-memory.ts';
import { CRASH_MAX_MS } from '../decide/restart.ts';
import type { RuntimeError } from '../decide/runtime-error.ts';
import type { PodCell, Tools } from './pod-cell.ts';

/** Longest the engine may take to create or start one container. */
export const ENGINE_LIMIT_MS = 120_000;
/** Configuration and engine refusals are tried again after 2 s, doubling to 5 min. */
const retryMs = (failures: number): number => Math.min(CRASH_MAX_MS, 2000 * 2 ** Math.min(failures - 1, 10));

/** Says nothing about the container: the whole action is tried again. */
export function isTransient(error: RuntimeError): boolean {
  return error.reason === 'EngineUnreachable' || error.reason === 'Aborted';
}

/** Writes down why a container cannot be made or started now, and tells people. */
export function refuse(
  tools: Tools,
  cell: PodCell,
  name: string,
  reason: CreateFailureReason,
  message: string,
): void {
  const { failure: before } = containerMemory(cell.memory, name);
  const failure = failAgain(before, reason, message, tools.clock.monotonicMs(), retryMs);
  cell.memory = withContainer(cell.memory, name, { failure });
  if (name === SANDBOX)
    tools.events.warning(cell.pod, 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${message}`);
  else if (reason === 'UnexpectedAdmissionError') tools.events.warning(cell.pod, reason, message, name);
  else tools.events.warning(cell.pod, 'Failed', `Error: ${message}`, name);
}

/** The next round finds an address again, which makes the network first. */
export function loseNetwork(tools: Tools, cell: PodCell): void {
  tools.node.networkLost();
  forgetAddress(cell);
}

export function forgetAddress(cell: PodCell): void {
  const { ip: _, ...rest } = cell.memory;
  cell.memory = rest;
}
