import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { isActive } from '../../hub/decide/pod-facts.ts';
import { rolloutBounds } from '../../hub/decide/rollout.ts';
import type { DeploymentSpec } from '../../protocol/kinds/workloads.ts';
import { RolloutWorld } from '../build/rollout-world.ts';
import { template } from '../build/workloads.ts';
import { spec } from '../spec.ts';

const count = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('0%', '25%', '40%', '100%'));
const image = fc.constantFrom('a', 'b', 'c');
const replicas = fc.integer({ min: 0, max: 10 });
const pick = fc.nat({ max: 1023 });

/** What happens next: the controllers run, containers start, break and die, somebody edits the deployment. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ type: 'roll-out' } as const) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('reconcile' as const), pick }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('ready' as const), pick }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constantFrom('unready', 'fail', 'remove'), pick }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('time' as const), pick }) },
  { weight: 3, arbitrary: fc.constant({ type: 'sweep' } as const) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('image' as const), image }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('replicas' as const), replicas }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('bounds' as const), maxSurge: count, maxUnavailable: count }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'pause' } as const) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const start = fc.record({
  image,
  replicas,
  maxSurge: count,
  maxUnavailable: count,
  minReady: fc.nat(20),
  running: fc.boolean(),
});
type Start = typeof start extends fc.Arbitrary<infer T> ? T : never;

function worldOf({
  image: first,
  replicas: n,
  maxSurge,
  maxUnavailable,
  minReady,
  running,
}: Start): RolloutWorld {
  const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } } as const;
  const world = new RolloutWorld(first, { replicas: n, strategy, minReadySeconds: minReady });
  if (running) assert.ok(world.settle());
  return world;
}

function happen(world: RolloutWorld, next: Step): void {
  const { wanted, pods, sets } = world;
  const change = (part: Partial<DeploymentSpec>): void => world.change(part);
  const chosen = 'pick' in next ? pods.filter(isActive)[next.pick % Math.max(1, pods.length)] : undefined;
  switch (next.type) {
    case 'roll-out':
      return void world.rollOut();
    case 'reconcile': {
      const rs = 'pick' in next ? sets[next.pick % Math.max(1, sets.length)] : undefined;
      return void (rs && world.reconcile(rs));
    }
    case 'ready':
      // The bits say which: containers start in any order, several between two passes.
      for (const [i, p] of pods.filter(isActive).entries())
        if ('pick' in next && ((next.pick >> (i % 10)) & 1) === 1) world.setReady(p, true);
      return;
    case 'unready':
      return void (chosen && world.setReady(chosen, false));
    case 'fail':
      return void (chosen && world.fail(chosen));
    case 'remove':
      return void (chosen && world.remove(chosen));
    case 'time':
      world.nowMs += 'pick' in next ? next.pick * 20 : 0;
      return;
    case 'sweep':
      return void world.sweep();
    case 'image':
      return void ('image' in next ? change({ template: template(next.image) }) : undefined);
    case 'replicas':
      return void ('replicas' in next ? change({ replicas: next.replicas }) : undefined);
    case 'bounds': {
      if (!('maxSurge' in next)) return;
      const { maxSurge, maxUnavailable } = next;
      const rollingUpdate = { maxSurge, maxUnavailable };
      return void change({ strategy: { type: 'RollingUpdate', rollingUpdate } });
    }
    case 'pause':
      return void change({ paused: wanted.spec.paused !== true });
  }
}

/** Pods that are or are promised. */
const total = (world: RolloutWorld): number =>
  world.members().reduce((n, m) => n + Math.max(m.rs.spec.replicas ?? 0, m.active), 0);
/** Available pods that no ReplicaSet is about to remove. */
const sure = (world: RolloutWorld): number =>
  world.members().reduce((n, m) => n + Math.min(m.available, m.rs.spec.replicas ?? 0), 0);

spec('a rollout, whatever happens', (it) => {
  it('never has more pods than the surge allows', () => {
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 80 }), (first, steps) => {
        const world = worldOf(first);
        let allowed = total(world);
        for (const next of steps) {
          const before = total(world);
          happen(world, next);
          const { replicas: n, maxSurge } = rolloutBounds(world.wanted);
          // What was promised under an earlier wish may still be there; nothing is added to it.
          allowed = Math.max(n + maxSurge, Math.min(allowed, before));
          assert.ok(total(world) <= allowed, `${next.type}: ${total(world)} of ${allowed}`);
        }
      }),
      { numRuns: 800 },
    );
  });

  it('never takes an available pod beyond the bound away', () => {
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 80 }), (first, steps) => {
        const world = worldOf(first);
        for (const next of steps) {
          const before = sure(world);
          const { replicas: n, maxUnavailable } = rolloutBounds(world.wanted);
          happen(world, next);
          if (next.type === 'roll-out')
            assert.ok(
              sure(world) >= Math.min(before, n - maxUnavailable),
              `rollout: ${before} ${sure(world)}`,
            );
          if (next.type === 'reconcile')
            assert.ok(sure(world) >= before, `reconcile: ${before} ${sure(world)}`);
        }
      }),
      { numRuns: 800 },
    );
  });

  it('keeps serving while nothing breaks', () => {
    const calm = step.filter((s) => !['unready', 'fail', 'remove', 'replicas', 'bounds'].includes(s.type));
    fc.assert(
      fc.property(start, fc.array(calm, { maxLength: 120 }), (first, steps) => {
        const world = worldOf(first);
        assert.ok(world.settle());
        const { replicas: n, maxSurge, maxUnavailable } = rolloutBounds(world.wanted);
        for (const next of steps) {
          happen(world, next);
          const available = world.members().reduce((sum, m) => sum + m.available, 0);
          const active = world.members().reduce((sum, m) => sum + m.active, 0);
          assert.ok(available >= n - maxUnavailable, `${next.type}: ${available} available of ${n}`);
          assert.ok(active <= n + maxSurge, `${next.type}: ${active} pods for ${n}`);
        }
      }),
      { numRuns: 800 },
    );
  });

  it('comes to an end: all pods of the new template, and nothing more to do', () => {
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 60 }), (first, steps) => {
        const world = worldOf(first);
        for (const next of steps) happen(world, next);
        world.change({ paused: false });
        assert.ok(world.settle(), 'it settles');
        assert.is(world.fresh()?.available, world.wanted.spec.replicas);
        assert.is(world.pods.filter(isActive).length, world.wanted.spec.replicas);
        assert.equal(world.rollOut(), []);
      }),
      { numRuns: 500 },
    );
  });

  it('with Recreate never runs two templates at once', () => {
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 80 }), (first, steps) => {
        const world = worldOf(first);
        world.change({ strategy: { type: 'Recreate' } });
        for (const next of steps) {
          if (next.type === 'bounds' || next.type === 'pause') continue;
          happen(world, next);
          const owners = world.members().filter((m) => m.running > 0);
          assert.ok(owners.length <= 1, `${next.type}: ${owners.map((m) => m.rs.metadata.name).join(' ')}`);
        }
      }),
      { numRuns: 800 },
    );
  });
});
