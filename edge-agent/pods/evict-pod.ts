import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type { Eviction } from '../decide/pod-memory.ts';
import type { PodCell, Tools } from './pod-cell.ts';
import { writeEviction } from './pod-record.ts';

/** A pod that is here and could be evicted: its description, its containers, and the folder of its volumes. */
export interface EvictablePod {
  readonly pod: DesiredPod;
  readonly containers: readonly {
    readonly id: string;
    readonly name: string;
    readonly attempt: number;
    readonly isRunning: boolean;
  }[];
  readonly volumes: string;
}

/** True for a pod that was evicted and has not ended yet. */
export function isBeingEvicted({ memory }: PodCell): boolean {
  return memory.eviction !== undefined && memory.ended === undefined;
}

/** The pod as a candidate; undefined when it ends anyway, or has no container yet. */
export function asEvictable(tools: Tools, cell: PodCell): EvictablePod | undefined {
  const { memory, pod, removed } = cell;
  if (
    removed ||
    memory.terminating !== undefined ||
    memory.ended !== undefined ||
    memory.eviction !== undefined
  )
    return undefined;
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  const containers = tools.observer
    .containersOf(cell.uid)
    .filter((view) => view.role !== 'sandbox')
    .map(({ id, name, attempt, state }) => ({ id, name, attempt, isRunning: state === 'running' }));
  const volumes = `${tools.volumes.paths(cell.uid).data}/volumes`;
  return containers.length === 0 ? undefined : { pod, containers, volumes };
}

/**
 * Marks a pod as evicted, durably before anything is stopped: neither a crash nor a reboot in the middle starts it again. Its worker
 * stops it then.
 */
export async function evictPod(tools: Tools, cell: PodCell, eviction: Eviction): Promise<void> {
  await unlessFull(tools, cell, writeEviction(tools.volumes.paths(cell.uid), eviction));
  cell.memory = { ...cell.memory, eviction };
  tools.events.warning(cell.pod, 'Evicted', eviction.message);
  tools.log.warn('pod evicted', { key: cell.uid, pod: cell.pod.metadata.name, why: eviction.message });
  tools.wake(cell.uid);
}

/**
 * Waits for a write about an evicted pod; a disk that takes nothing more is the very reason to go on. Such a pod may start once more after
 * a reboot.
 */
export async function unlessFull(tools: Tools, cell: PodCell, write: Promise<void>): Promise<void> {
  try {
    await write;
  } catch (err) {
    if ((err as { code?: unknown } | null)?.code !== 'ENOSPC') throw err;
    tools.log.warn('eviction could not be written down, going on without', { key: cell.uid, err });
  }
}
