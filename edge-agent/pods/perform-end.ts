import { keepsRemains } from '../decide/next-pod-action.ts';
import { finalStatus } from '../decide/pod-status.ts';
import type { PodAction } from '../decide/pod-view.ts';
import { discardVolumes } from './discard-volumes.ts';
import { unlessFull } from './evict-pod.ts';
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
  const { terminating } = cell.memory;
  const leaves = terminating !== undefined && !keepsRemains(terminating.why);
  const isEvicted = terminating?.why === 'Evicted';
  const write = (): Promise<void> => writeEnded(tools.volumes.paths(cell.uid), status);
  if (isEvicted) await unlessFull(tools, cell, write());
  else if (!leaves) await write();
  cell.memory = { ...cell.memory, ended: status };
}

/** Gives back volumes, files and address. */
export async function release(tools: Tools, cell: PodCell): Promise<void> {
  await tools.volumes.release(cell.uid);
  const { ip: _, ...rest } = cell.memory;
  cell.memory = { ...rest, released: true };
}

/** Gives back the volumes of a pod that was evicted; its record, and its last containers for their logs, stay. */
export async function discard(tools: Tools, cell: PodCell): Promise<void> {
  await discardVolumes(tools.volumes.paths(cell.uid));
  cell.memory = { ...cell.memory, volumes: { ...cell.memory.volumes, discarded: true } };
}
