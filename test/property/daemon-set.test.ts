import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  type DaemonPlan,
  type DaemonWorld,
  daemonBounds,
  daemonNodes,
  planDaemonSet,
} from '../../hub/decide/daemon-set.ts';
import { nodeJudge } from '../../hub/decide/daemon-set-pod.ts';
import { isActive, isAvailable, isReady } from '../../hub/decide/pod-facts.ts';
import type { Node, Taint } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { DaemonSetSpec } from '../../protocol/kinds/workloads.ts';
import { daemonPod, daemonSet } from '../build/daemons.ts';
import { node } from '../build/workloads.ts';
import { spec } from '../spec.ts';

const AWAY: Taint[] = [
  { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
];
const UNFIT: Taint[] = [{ key: 'x', effect: 'NoExecute' }];

const pick = fc.nat({ max: 1023 });
const amount = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constantFrom('20%', '50%', '100%'));
const updateStrategy: fc.Arbitrary<DaemonSetSpec['updateStrategy']> = fc.oneof(
  amount.map((n) => ({ type: 'RollingUpdate' as const, rollingUpdate: { maxUnavailable: n, maxSurge: 0 } })),
  amount.map((n) => ({ type: 'RollingUpdate' as const, rollingUpdate: { maxUnavailable: 0, maxSurge: n } })),
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('plan'), pick }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('ready'), pick }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('sweep'), pick }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('unready', 'fail', 'remove', 'time'), pick }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('template'), pick }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('away', 'unfit', 'fit', 'join'), pick }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A DaemonSet among nodes that come and go, driven by its pure decision alone. */
class Daemons {
  nodes: Node[];
  pods: Pod[] = [];
  hash = 'h0';
  nowMs = Date.parse('2026-01-01T00:00:00Z');
  readonly set: DaemonWorld['set'];
  #count = 0;

  constructor(nodes: number, strategy: DaemonSetSpec['updateStrategy'], minReadySeconds: number) {
    this.nodes = Array.from({ length: nodes }, (_, i) => node(`n${i}`));
    this.set = daemonSet('a', { ...(strategy && { updateStrategy: strategy }), minReadySeconds });
  }

  world(): DaemonWorld {
    const { set, nodes, pods, hash, nowMs } = this;
    return { set, nodes, pods, hash, nowMs, holdMs: () => 0 };
  }

  plan(): DaemonPlan {
    const plan = planDaemonSet(this.world());
    const gone = new Set(plan.remove.map((r) => r.pod));
    this.pods = this.pods.map((p) => (gone.has(p) ? deleting(p) : p));
    for (const name of plan.create) this.#start(name);
    return plan;
  }

  happen({ type, pick: n }: Step): void {
    const live = this.pods.filter(isActive);
    const chosen = live[n % Math.max(1, live.length)];
    const at = this.nodes[n % this.nodes.length]?.metadata.name;
    if (type === 'plan') this.plan();
    if (type === 'ready') for (const [i, p] of live.entries()) if ((n >> (i % 10)) & 1) this.#ready(p, true);
    if (type === 'sweep') this.sweep();
    if (type === 'time') this.nowMs += n * 20;
    if (type === 'template') this.hash = `h${n % 3}`;
    if (type === 'join') this.nodes = [...this.nodes, node(`n${this.nodes.length}`)];
    if (type === 'away') this.#taint(at, AWAY);
    if (type === 'unfit') this.#taint(at, UNFIT);
    if (type === 'fit') this.#taint(at, []);
    if (chosen === undefined) return;
    if (type === 'unready') this.#ready(chosen, false);
    if (type === 'fail') this.#replace(chosen, { ...chosen, status: { phase: 'Failed' } });
    if (type === 'remove') this.#replace(chosen, deleting(chosen));
  }

  sweep(): void {
    this.pods = this.pods.filter((p) => p.metadata.deletionTimestamp === undefined);
  }

  /** Everything starts well until nothing is left to do; false when that never comes. */
  settle(): boolean {
    for (let round = 0, quiet = 0; round < 200; round++) {
      const { create, remove } = this.plan();
      this.sweep();
      for (const p of this.pods) if (isActive(p)) this.#ready(p, true);
      this.nowMs += 60_000;
      quiet = create.length + remove.length === 0 ? quiet + 1 : 0;
      if (quiet === 2) return true;
    }
    return false;
  }

  /** Nodes that should run the pod and are served, nodes that should, and pods that count. */
  counts(): { served: number; desired: number; pods: number; most: number } {
    const minReady = this.set.spec.minReadySeconds ?? 0;
    const wanted = daemonNodes(this.world()).filter((n) => n.verdict === 'run');
    const serves = (p: Pod): boolean => isAvailable(p, minReady, this.nowMs);
    return {
      served: wanted.filter((n) => n.running.some(serves)).length,
      desired: wanted.length,
      pods: wanted.reduce((n, w) => n + w.running.length, 0),
      most: Math.max(0, ...wanted.map((n) => n.running.length)),
    };
  }

  #start(name: string): void {
    this.#count++;
    const created = new Date(this.nowMs).toISOString();
    const id = `p${String(this.#count).padStart(4, '0')}`;
    const parts = { hash: this.hash, name: id, ready: false, phase: 'Pending', created } as const;
    this.pods = [...this.pods, daemonPod(name, parts)];
  }

  #ready(p: Pod, ready: boolean): void {
    if (isReady(p) === ready) return;
    const lastTransitionTime = new Date(this.nowMs).toISOString();
    const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime } as const];
    this.#replace(p, { ...p, status: { phase: 'Running', conditions } });
  }

  #taint(name: string | undefined, taints: Taint[]): void {
    this.nodes = this.nodes.map((n) => (n.metadata.name === name ? { ...n, spec: { taints } } : n));
  }

  #replace(before: Pod, after: Pod): void {
    this.pods = this.pods.map((p) => (p === before ? after : p));
  }
}

function deleting(p: Pod): Pod {
  return { ...p, metadata: { ...p.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
}

const scene = fc.record({
  nodes: fc.integer({ min: 1, max: 8 }),
  strategy: updateStrategy,
  minReady: fc.constantFrom(0, 0, 10),
  running: fc.boolean(),
  steps: fc.array(step, { maxLength: 80 }),
});
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

function daemonsOf({ nodes, strategy, minReady, running }: Scene): Daemons {
  const daemons = new Daemons(nodes, strategy, minReady);
  if (running) assert.ok(daemons.settle());
  return daemons;
}

/** One of two nodes falls silent with the old and the new pod on it, and the other must not wait for that. */
const awayInMidSurge: Scene = {
  nodes: 2,
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '20%' } },
  minReady: 0,
  running: true,
  steps: [
    { type: 'template', pick: 4 },
    { type: 'plan', pick: 0 },
    { type: 'away', pick: 0 },
  ],
};

spec('a DaemonSet, whatever happens', (it) => {
  it('never has more pods than one a node and the surge, nor takes one beyond the bound away', () => {
    fc.assert(
      fc.property(scene, (given) => {
        const daemons = daemonsOf(given);
        for (const next of given.steps) {
          const before = daemons.counts();
          daemons.happen(next);
          if (next.type !== 'plan') continue;
          const after = daemons.counts();
          const { maxSurge, maxUnavailable } = daemonBounds(daemons.set, after.desired);
          assert.ok(after.pods <= Math.max(before.pods, after.desired + maxSurge), 'pods');
          assert.ok(after.most <= (maxSurge > 0 ? 2 : 1), 'pods of a node');
          assert.ok(after.served >= Math.min(before.served, after.desired - maxUnavailable), 'served');
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('makes pods only where they should run', () => {
    fc.assert(
      fc.property(scene, (given) => {
        const daemons = daemonsOf(given);
        for (const next of given.steps) {
          daemons.happen(next);
          const judge = nodeJudge(daemons.set);
          const { create } = planDaemonSet(daemons.world());
          assert.is(new Set(create).size, create.length);
          for (const name of create) {
            const on = daemons.nodes.find((n) => n.metadata.name === name);
            assert.is(on && judge(on), 'run');
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('comes to an end: one available pod of the present template on every node that should run it', () => {
    fc.assert(
      fc.property(scene, (given) => {
        const daemons = daemonsOf(given);
        for (const next of given.steps) daemons.happen(next);
        assert.ok(daemons.settle(), 'it settles');
        for (const { verdict, running } of daemonNodes(daemons.world())) {
          if (verdict === 'leave') assert.is(running.length, 0);
          if (verdict !== 'run') continue;
          assert.is(running.length, 1);
          assert.is(running[0]?.metadata.labels?.['controller-revision-hash'], daemons.hash);
        }
        const { create, remove } = planDaemonSet(daemons.world());
        assert.equal([create, remove], [[], []]);
      }),
      { numRuns: 500, examples: [[awayInMidSurge]] },
    );
  });

  it('does not care about the order it is told things in', () => {
    fc.assert(
      fc.property(scene, fc.integer({ min: 1, max: 7 }), (given, by) => {
        const daemons = daemonsOf(given);
        for (const next of given.steps) daemons.happen(next);
        const turn = <T>(list: readonly T[]): T[] =>
          list.map((_, i) => list[(i * by + by) % list.length]).filter((x): x is T => x !== undefined);
        const turned = (list: readonly Pod[]): Pod[] =>
          new Set(turn(list)).size === list.length ? turn(list) : list.toReversed();
        const world = daemons.world();
        const other = { ...world, nodes: world.nodes.toReversed(), pods: turned(world.pods) };
        assert.equal(planDaemonSet(other), planDaemonSet(world));
      }),
      { numRuns: 300 },
    );
  });
});
