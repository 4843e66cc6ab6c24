import type { PodAction } from '../decide/pod-view.ts';
import { createContainer } from './perform-create.ts';
import { discard, end, release } from './perform-end.ts';
import { fetchImage, findAddress, mountVolumes } from './perform-prepare.ts';
import { startContainer } from './perform-start.ts';
import {
  killContainers,
  postStart,
  removeContainers,
  signalContainers,
  stopContainers,
} from './perform-stop.ts';
import type { PodCell, Tools } from './pod-cell.ts';

/**
 * Carries out one action. What takes long (pulls, hooks) only begins here and wakes the pod when it is done; a failure
 * that is the pod's own goes into its memory and events. Rejects only when the engine is gone or the agent stops.
 */
export async function perform(
  tools: Tools,
  cell: PodCell,
  action: PodAction,
  signal: AbortSignal,
): Promise<void> {
  switch (action.do) {
    case 'begin-termination':
      cell.memory = {
        ...cell.memory,
        terminating: {
          why: action.why,
          sinceMs: cell.memory.terminating?.sinceMs ?? tools.clock.monotonicMs(),
        },
      };
      return;
    case 'mount':
      return mountVolumes(tools, cell);
    case 'address':
      return findAddress(tools, cell);
    case 'fetch':
      return fetchImage(tools, cell, action.name, action.restart, signal);
    case 'create':
      return createContainer(tools, cell, action, signal);
    case 'start':
      return startContainer(tools, cell, action.id, signal);
    case 'post-start':
      return postStart(tools, cell, action.id, signal);
    case 'stop':
      return stopContainers(tools, cell, action, signal);
    case 'signal':
      return signalContainers(tools, cell, action.ids, signal);
    case 'kill':
      return killContainers(tools, cell, action.ids, signal);
    case 'remove':
      return removeContainers(tools, cell, action.ids, signal);
    case 'end':
      return end(tools, cell, action);
    case 'release':
      return release(tools, cell);
    case 'discard':
      return discard(tools, cell);
    case 'gone':
      cell.memory = { ...cell.memory, gone: true };
      return;
    case 'wait':
    case 'idle':
      return;
    default:
      return action satisfies never;
  }
}
