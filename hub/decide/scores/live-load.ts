import type { NodeState } from '../node-state.ts';
import type { Score } from './score.ts';

/** A node that nobody hears from counts as at least half loaded: unknown is not idle. */
const UNKNOWN_LOAD_RATIO = 0.5;

/**
 * Least loaded in truth: the scarcer of CPU and memory decides, damped telemetry plus what was placed since.
 * Flat up to half load, so that noise among idle nodes does not beat the spread of replicas; steep above. While somebody has yet to
 * tell, what is below half load counts as half, as for those who have not told: else the first pods after a start would crowd
 * whoever speaks first.
 */
export const liveLoad: Score = (pod, node) => {
  const { live, assumed } = node;
  const levelled = node.levelled || live === undefined;
  const memoryBytes = live?.memoryTotalBytes ?? node.allocatable['memory'] ?? 0;
  const cpu = loadWith(
    live?.heldCpuRatio ?? unknownRatio(node, 'cpu'),
    assumed.cpuMilli / Math.max(1, node.cpuCapacityMilli),
    levelled,
  );
  const memory = loadWith(
    live?.heldMemoryRatio ?? unknownRatio(node, 'memory'),
    assumed.memoryBytes / Math.max(1, memoryBytes),
    levelled,
  );
  const cpuAfter = cpu + pod.estimate.cpuMilli / Math.max(1, node.cpuCapacityMilli);
  const memoryAfter = memory + pod.estimate.memoryBytes / Math.max(1, memoryBytes);
  return Math.min(worth(cpuAfter), worth(memoryAfter));
};

/** What is thought away lowers what was told; what was placed since comes on top of what counts. */
function loadWith(ratio: number, assumedRatio: number, levelled: boolean): number {
  const rest = ratio + Math.min(0, assumedRatio);
  return (levelled ? Math.max(UNKNOWN_LOAD_RATIO, rest) : rest) + Math.max(0, assumedRatio);
}

function unknownRatio(node: NodeState, name: string): number {
  return Math.max(UNKNOWN_LOAD_RATIO, requestedRatio(node, name));
}

/** Least allocated by requests, as in Kubernetes: the mean over CPU and memory. */
export const requestsFree: Score = (pod, node) => {
  const cpu = freeRatio(node, 'cpu', pod.requests['cpu'] ?? 0);
  return 50 * (cpu + freeRatio(node, 'memory', pod.requests['memory'] ?? 0));
};

function freeRatio(node: NodeState, name: string, more: number): number {
  const total = node.allocatable[name] ?? 0;
  return total <= 0 ? 0 : Math.max(0, 1 - ((node.requested[name] ?? 0) + more) / total);
}

function requestedRatio(node: NodeState, name: string): number {
  const total = node.allocatable[name] ?? 0;
  return total <= 0 ? 0 : (node.requested[name] ?? 0) / total;
}

/** 0 → 100, 0.5 → 85, 0.8 → 20, 1 and more → 0. */
function worth(ratio: number): number {
  if (ratio <= 0.5) return 100 - 30 * Math.max(0, ratio);
  if (ratio <= 0.8) return 85 - ((ratio - 0.5) / 0.3) * 65;
  return Math.max(0, 20 - ((ratio - 0.8) / 0.2) * 20);
}
