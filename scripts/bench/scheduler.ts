import { podToPlace } from '../../hub/decide/pod-to-place.ts';
import { ClusterState } from '../../hub/scheduler/cluster-state.ts';
import { Placer } from '../../hub/scheduler/placer.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { type Bench, median, type Report } from './figure.ts';

const ROUNDS = 5;
const OWNERS = 20;
const ZONES = 7;
const CREATED = '2026-01-01T00:00:00Z';

/** What a pod asks of others. */
type Rules = 'none' | 'anti-affinity and spread';

function node(i: number, maxPods: number): Node {
  const name = `node-${i}`;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: name,
      resourceVersion: '1',
      creationTimestamp: CREATED,
      labels: { 'kubernetes.io/hostname': name, zone: `z${i % ZONES}` },
    },
    spec: {},
    status: {
      capacity: { cpu: '64', memory: '256Gi', pods: String(maxPods) },
      allocatable: { cpu: '63', memory: '255Gi', pods: String(maxPods) },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  };
}

/** Pod `i` of a crowd in which `owners` owners have one pod after the other. */
function pod(prefix: string, i: number, owners: number, rules: Rules): Pod {
  const app = `${prefix}-${i % owners}`;
  const labelSelector = { matchLabels: { app } };
  const restrained: Partial<Pod['spec']> = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector },
        ],
      },
    },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector },
    ],
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${prefix}-${i}`,
      namespace: 'default',
      uid: `${prefix}-${i}`,
      resourceVersion: '1',
      creationTimestamp: CREATED,
      labels: { app },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: app, uid: app, controller: true }],
    },
    spec: {
      containers: [
        { name: 'main', image: 'busybox', resources: { requests: { cpu: '20m', memory: '16Mi' } } },
      ],
      ...(rules === 'none' ? {} : restrained),
    },
  };
}

/** A fleet of `size` with fresh telemetry, and `present` pods on it, a hundred of each owner. */
function fleet(size: number, present: number, rules: Rules): ClusterState {
  const state = new ClusterState({ get: () => undefined }, (name) => {
    const used = 0.1 + (Number(name.slice(5)) % 50) / 100;
    return {
      cpuRatio: used,
      heldCpuRatio: used,
      heldMemoryRatio: used,
      memoryUsedBytes: used * 2 ** 38,
      memoryTotalBytes: 2 ** 38,
      confirmedAtMs: 0,
      windowMs: 0,
    };
  });
  for (let i = 0; i < size; i++) state.setNode(node(i, 10_000));
  const owners = Math.max(1, Math.ceil(present / 100));
  for (let i = 0; i < present; i++) {
    const placed = pod('old', i, owners, rules);
    // Each owner's pods on nodes one after the other, so that the rules hold among them.
    const at = (Math.floor(i / owners) + (i % owners)) % size;
    state.observe(
      { ...placed, spec: { ...placed.spec, nodeName: `node-${at}` }, status: { phase: 'Running' } },
      0,
    );
  }
  return state;
}

/**
 * Placements a second through what the scheduler itself does for each pod: read it, decide, and bring the state up to date. The
 * median of several rounds of `count` pods. Seconds are those of the process on the CPU, so that others on the machine count less.
 */
function podsPerSecond(size: number, present: number, rules: Rules, count: number): number {
  const state = fleet(size, present, rules);
  const placer = new Placer(state);
  const rates: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const pods = Array.from({ length: count }, (_, i) => pod(`new${round}`, i, OWNERS, rules));
    const before = process.cpuUsage();
    for (const next of pods) {
      const wanted = podToPlace(next);
      const placement = placer.place(wanted);
      if (!placement.ok) throw new Error('the fleet is full');
      state.assume(wanted, placement.node);
    }
    const used = process.cpuUsage(before);
    const rate = (count * 1_000_000) / (used.user + used.system);
    // The first round is to warm up.
    if (round > 0) rates.push(rate);
    for (const { metadata } of pods) state.forget(metadata.uid);
  }
  return Math.round(median(rates));
}

/** Prints a rate, judged against the least that is wanted. */
function rateFigure(
  report: Report,
  name: string,
  value: number,
  min: number | undefined,
  note: string,
): void {
  const judged = min === undefined ? {} : { target: `>= ${min} pods/s`, ok: value >= min };
  report({ name, value, unit: 'pods/s', ...judged, note });
}

/** How fast placement decides, without any store or device, and how its cost grows with nodes and with pods that are there. */
export const benchScheduler: Bench = async (report, { quick }) => {
  const count = quick ? 1_000 : 4_000;
  const note = 'read, decide, assume; one after the other; seconds of CPU time';
  const few = podsPerSecond(100, 1_000, 'none', count);
  rateFigure(report, 'scheduler, 100 nodes', few, undefined, note);
  const plain = podsPerSecond(1_000, 10_000, 'none', count);
  rateFigure(report, 'scheduler, 1000 nodes', plain, 10_000, note);
  const ruled = podsPerSecond(1_000, 10_000, 'anti-affinity and spread', count);
  rateFigure(report, 'scheduler, 1000 nodes, required anti-affinity and spread', ruled, 1_000, note);
  const many = podsPerSecond(5_000, 10_000, 'none', count);
  rateFigure(report, 'scheduler, 5000 nodes', many, undefined, note);
  const manyRuled = podsPerSecond(5_000, 10_000, 'anti-affinity and spread', count);
  rateFigure(report, 'scheduler, 5000 nodes, required anti-affinity and spread', manyRuled, undefined, note);
  growth(report, 'scheduler, cost a pod, 5000 nodes to 1000', plain / many, 5);
  growth(report, 'scheduler, the same with anti-affinity and spread', ruled / manyRuled, 5);
  for (const rules of ['none', 'anti-affinity and spread'] as const) {
    const rates = [1_000, 10_000, 100_000].map((present) => podsPerSecond(1_000, present, rules, count));
    const [at1k = 1, at10k = 1, at100k = 1] = rates;
    growth(report, `scheduler, cost a pod, 10k pods present to 1k, rules: ${rules}`, at1k / at10k, 1.25);
    growth(report, `scheduler, cost a pod, 100k pods present to 1k, rules: ${rules}`, at1k / at100k, 1.25);
  }
};

function growth(report: Report, name: string, ratio: number, max: number): void {
  const value = Number(ratio.toFixed(2));
  report({ name, value, unit: 'times', target: `<= ${max} times`, ok: value <= max });
}
