import { finalStatus } from '../decide/pod-status.ts';
import type { PodAction } from '../decide/pod-view.ts';
import type { PodCell, Tools } from './pod-cell.ts';
import { writeEnded } from './pod-record.ts';

/** Fixes the final status; of a pod that stays it is written down first, so that no reboot runs it again. */
export async function end(
  tools: Tools,
  cell: PodCell,
  action: Extract<PodAction, { do: 'end' }>,
): Promise<void> {
  // The event of an end lacks details (out of memory, last words) that the final status must have.
  await tools.observer.settled(cell.uid);
  const context = { hostIp: tools.node.hostIp(), wallMs: tools.clock.nowMs() };
  const status = finalStatus(cell.view(tools), context, action);
  const leaves = cell.memory.terminating !== undefined && cell.memory.terminating.why !== 'DeadlineExceeded';
  if (!leaves) await writeEnded(tools.volumes.paths(cell.uid), status);
  cell.memory = { ...cell.memory, ended: status };
}

/** Gives back volumes, files and address. */
export async function release(tools: Tools, cell: PodCell): Promise<void> {
  await tools.volumes.release(cell.uid);
  const { ip: _, ...rest } = cell.memory;
  cell.memory = { ...rest, released: true };
}
