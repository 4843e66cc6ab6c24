import {
  type NodeState,
  nodeState,
  type PodToPlace,
  podToPlace,
  withLive,
  withPod,
} from '../../hub/decide/node-state.ts';
import { place } from '../../hub/decide/place.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Bench } from './figure.ts';

const SIZES = [100, 1_000];
const PODS_PER_NODE = 10;
const MIB = 2 ** 20;
const CREATED = '2026-01-01T00:00:00Z';

function node(i: number): Node {
  const name = `node-${i}`;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: name,
      resourceVersion: '1',
      creationTimestamp: CREATED,
      labels: { 'kubernetes.io/hostname': name, zone: `z${i % 7}` },
    },
    spec: {},
    status: {
      capacity: { cpu: '4', memory: '4Gi', pods: '110' },
      allocatable: { cpu: '3800m', memory: '3900Mi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

function pod(i: number): PodToPlace {
  const object: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${i}`,
      namespace: 'default',
      uid: `pod-${i}`,
      resourceVersion: '1',
      creationTimestamp: CREATED,
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: `rs-${i % 20}`, controller: true },
      ],
    },
    spec: {
      containers: [
        { name: 'main', image: 'busybox', resources: { requests: { cpu: '20m', memory: '16Mi' } } },
      ],
    },
  };
  return podToPlace(object);
}

function fleet(size: number): Map<string, NodeState> {
  return new Map(
    Array.from({ length: size }, (_, i) => {
      const used = 0.1 + (i % 50) / 100;
      const live = {
        cpuRatio: used,
        heldCpuRatio: used,
        heldMemoryRatio: used,
        memoryUsedBytes: used * 4096 * MIB,
        memoryTotalBytes: 4096 * MIB,
      };
      const state = withLive(nodeState(node(i), []), live, { cpuMilli: 0, memoryBytes: 0 });
      return [state.name, state] as const;
    }),
  );
}

/** Placements a second of the decision itself, in a fleet of `size` that fills up and is emptied again. */
function podsPerSecond(size: number, runMs: number): number {
  let states = fleet(size);
  let placed = 0;
  const startedAtMs = performance.now();
  let elapsedMs = 0;
  while (elapsedMs < runMs) {
    const next = pod(placed);
    const result = place(next, [...states.values()]);
    if (!result.ok) throw new Error('the fleet is full');
    const chosen = states.get(result.node);
    if (chosen !== undefined) states.set(result.node, withPod(chosen, next, true));
    placed++;
    if (placed % (size * PODS_PER_NODE) === 0) states = fleet(size);
    elapsedMs = performance.now() - startedAtMs;
  }
  return Math.round((placed * 1000) / elapsedMs);
}

/** How fast placement decides, without any store or device: one figure per size of fleet. */
export const benchScheduler: Bench = async (report, { quick }) => {
  for (const size of SIZES) {
    report({
      name: `scheduler, pure, ${size} nodes`,
      value: podsPerSecond(size, quick ? 300 : 2_000),
      unit: 'pods/s',
      note: 'one decision after the other, each assumed before the next',
    });
  }
};
