import { liveCpuRatio, type NodeState } from '../node-state.ts';
import type { PodToPlace } from '../pod-to-place.ts';
import { type Filter, NO_REFUSAL } from './filter.ts';

/** Share of a node's real memory that placement fills at most; the rest is for the system and for peaks. */
export const MAX_LIVE_MEMORY_RATIO = 0.95;
/** Share of a node's real CPU above which placement looks elsewhere. */
export const MAX_LIVE_CPU_RATIO = 0.95;

const MIB = 1024 * 1024;

/**
 * Memory really used, plus what was placed since, plus this pod must stay below the limit. Memory that is not there cannot be
 * shared, whatever the requests of the pods say. Without fresh telemetry requests alone decide.
 */
export const liveMemory: Filter = (pod, node) => {
  const { live } = node;
  if (live === undefined || live.memoryTotalBytes <= 0) return NO_REFUSAL;
  const limitBytes = MAX_LIVE_MEMORY_RATIO * live.memoryTotalBytes;
  // The larger of now and damped: a peak that just ended may come again.
  const usedBytes = Math.max(live.memoryUsedBytes, live.heldMemoryRatio * live.memoryTotalBytes);
  const freeBytes = limitBytes - usedBytes - node.assumed.memoryBytes;
  if (pod.estimate.memoryBytes <= freeBytes) return NO_REFUSAL;
  const detail = (): string => {
    const needs = Math.ceil(pod.estimate.memoryBytes / MIB);
    return `needs ${needs}Mi, ${Math.max(0, Math.floor(freeBytes / MIB))}Mi really free`;
  };
  const final = pod.estimate.memoryBytes > limitBytes;
  return [{ kind: 'live', reason: 'Insufficient live memory', final, detail }];
};

/**
 * True when CPU really used, plus what was placed since, plus this pod stays below the limit; also when unknown. CPU is shared by
 * time, so a fleet that is busy everywhere still takes pods: `place` asks this first and falls back to the least loaded.
 */
export function hasCpuHeadroom(pod: PodToPlace, node: NodeState): boolean {
  const ratio = liveCpuRatio(node);
  if (ratio === undefined) return true;
  return ratio + pod.estimate.cpuMilli / Math.max(1, node.cpuCapacityMilli) <= MAX_LIVE_CPU_RATIO;
}
