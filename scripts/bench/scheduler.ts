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

/** A fleet on which rounds of placements are timed. */
class Trial {
  readonly #state: ClusterState;
  readonly #placer: Placer;
  readonly #rules: Rules;
  #round = 0;

  constructor(size: number, present: number, rules: Rules) {
    this.#state = fleet(size, present, rules);
    this.#placer = new Placer(this.#state);
    this.#rules = rules;
  }

  /** Places `count` pods through what the scheduler itself does for each (read it, decide, bring the state up to date); pods a second. */
  round(count: number): number {
    const prefix = `new${this.#round++}`;
    const pods = Array.from({ length: count }, (_, i) => pod(prefix, i, OWNERS, this.#rules));
    const before = process.cpuUsage();
    for (const next of pods) {
      const wanted = podToPlace(next);
      const placement = this.#placer.place(wanted);
      if (!placement.ok) throw new Error('the fleet is full');
      this.#state.assume(wanted, placement.node);
    }
    const used = process.cpuUsage(before);
    for (const { metadata } of pods) this.#state.forget(metadata.uid);
    return (count * 1_000_000) / (used.user + used.system);
  }
}

/**
 * Median rates of several fleets, in pods for a second of the process on the CPU, so that others on the machine count less. The
 * fleets take turns, so that what does disturb disturbs all alike; the first round warms up.
 */
function rates(trials: readonly Trial[], count: number): number[] {
  const measured = trials.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [i, trial] of trials.entries()) {
      const rate = trial.round(count);
      if (round > 0) measured[i]?.push(rate);
    }
  }
  return measured.map((all) => Math.round(median(all)));
}

const NOTE = 'read, decide, assume; one after the other; a second of CPU time';

/** How fast placement decides, without any store or device, and how its cost grows with nodes and with pods that are there. */
export const benchScheduler: Bench = async (report, { quick }) => {
  const count = quick ? 500 : 3_000;
  byNodes(report, 'none', count, 10_000);
  byNodes(report, 'anti-affinity and spread', count, 1_000);
  for (const rules of ['none', 'anti-affinity and spread'] as const) {
    const present = [1_000, 10_000, 100_000];
    const [at1k = 1, at10k = 1, at100k = 1] = rates(
      present.map((n) => new Trial(1_000, n, rules)),
      count,
    );
    growth(report, `scheduler, cost a pod, 10k pods present to 1k, rules: ${rules}`, at1k / at10k, 1.3);
    growth(report, `scheduler, cost a pod, 100k pods present to 1k, rules: ${rules}`, at1k / at100k, 1.3);
  }
};

function byNodes(report: Report, rules: Rules, count: number, min: number): void {
  const sizes = [1_000, 5_000, ...(rules === 'none' ? [100] : [])];
  const [many = 1, most = 1, few] = rates(
    sizes.map((size) => new Trial(size, 10_000, rules)),
    count,
  );
  const name = (size: number): string => `scheduler, ${size} nodes, rules: ${rules}`;
  const judged = { target: `>= ${min} pods/s`, ok: many >= min };
  report({ name: name(1_000), value: many, unit: 'pods/s', ...judged, note: NOTE });
  if (few !== undefined) report({ name: name(100), value: few, unit: 'pods/s', note: NOTE });
  report({ name: name(5_000), value: most, unit: 'pods/s', note: NOTE });
  growth(report, `scheduler, cost a pod, 5000 nodes to 1000, rules: ${rules}`, many / most, 5);
}

function growth(report: Report, name: string, ratio: number, max: number): void {
  const value = Number(ratio.toFixed(2));
  report({ name, value, unit: 'times', target: `<= ${max} times`, ok: value <= max });
}
