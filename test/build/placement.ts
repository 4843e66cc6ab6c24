import { NO_AFFINITY } from '../../hub/decide/affinity.ts';
import type { LiveState, NodeState } from '../../hub/decide/node-state.ts';
import type { PodToPlace } from '../../hub/decide/pod-to-place.ts';

const MIB = 2 ** 20;

/** A ready, empty node of 2 cores and 1 GiB, nearly idle; parts replaced at will. */
export function nodeOf(name: string, parts: Partial<NodeState> = {}): NodeState {
  return {
    name,
    labels: { 'kubernetes.io/hostname': name },
    taints: [],
    unschedulable: false,
    ready: true,
    allocatable: { cpu: 2000, memory: 1024 * MIB, pods: 110, 'ephemeral-storage': 2 ** 34 },
    cpuCapacityMilli: 2000,
    requested: {},
    podCount: 0,
    hostPorts: new Map(),
    owners: new Map(),
    images: new Map(),
    foreignImages: new Map(),
    live: live(0.05),
    assumed: { cpuMilli: 0, memoryBytes: 0 },
    levelled: false,
    ...parts,
  };
}

/** Fresh telemetry with this busy share of CPU, and of 1 GiB memory. */
export function live(cpuRatio: number, memoryRatio = 0.2, parts: Partial<LiveState> = {}): LiveState {
  return {
    cpuRatio,
    heldCpuRatio: cpuRatio,
    heldMemoryRatio: memoryRatio,
    memoryUsedBytes: memoryRatio * 1024 * MIB,
    memoryTotalBytes: 1024 * MIB,
    ...parts,
  };
}

/** A small pod of a ReplicaSet; parts replaced at will. */
export function podOf(parts: Partial<PodToPlace> = {}): PodToPlace {
  return {
    uid: 'uid',
    namespace: 'default',
    name: 'pod',
    labels: {},
    priority: 0,
    preempts: true,
    ownerUid: 'owner',
    requests: { cpu: 20, memory: 8 * MIB },
    estimate: { cpuMilli: 20, memoryBytes: 8 * MIB },
    hostPorts: [],
    tolerations: [],
    nodeSelector: undefined,
    nodeAffinity: undefined,
    images: ['docker.io/library/busybox:latest'],
    platforms: [],
    volumeNodes: [],
    affinity: NO_AFFINITY,
    spread: [],
    terminating: false,
    ...parts,
  };
}
