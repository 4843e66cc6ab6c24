import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { podToPlace } from '../../hub/decide/pod-to-place.ts';
import { Preview } from '../../hub/scheduler/preview.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { allowedNodes } from '../build/placement-oracle.ts';
import { anyNode, anyPodNamed, NAMESPACES } from '../build/random-cluster.ts';
import { RebalanceWorld, type SimulatedFleet, type SimulatedPod } from '../build/rebalance-world.ts';
import { PlacementWorld } from '../build/scheduling.ts';
import { spec } from '../spec.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NAMES = ['a', 'b', 'c', 'd', 'e'];
const STEP = [12_000, 24_000] as const;

/** Random fleets with steady load: where pods are is as bad as can be. */
const anyFleet = fc
  .record({
    nodes: fc.array(
      fc.record({
        other: fc.integer({ min: 0, max: 1_200 }),
        price: fc.option(fc.constantFrom('0', '0.5', '1', '3'), { nil: undefined }),
      }),
      { minLength: 2, maxLength: 5 },
    ),
    pods: fc.array(
      fc.record({
        owner: fc.constantFrom('web', 'api', 'db'),
        on: fc.nat(4),
        use: fc.integer({ min: 0, max: 700 }),
        cpu: fc.constantFrom(undefined, '100m', '300m'),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    budget: fc.constantFrom(2, 1_000),
  })
  .map(({ nodes, pods, budget }): SimulatedFleet => {
    const names = NAMES.slice(0, nodes.length);
    return {
      nodes: Object.fromEntries(
        names.map((name, i) => {
          const { other = 0, price } = nodes[i] ?? {};
          return [name, { other: () => other, ...(price === undefined ? {} : { price }) }];
        }),
      ),
      pods: pods.map(({ owner, on, use, cpu }, i) => ({
        name: `${owner}-${i}`,
        owner,
        on: names[on % names.length] ?? 'a',
        use: () => use,
        ...(cpu === undefined ? {} : { parts: { requests: { cpu } } }),
      })),
      maxMovesPerHour: budget,
    };
  });

const replicas = (owner: string, on: readonly string[], use = 30): SimulatedPod[] =>
  on.map((node, i) => ({ name: `${owner}-${i}`, owner, on: node, use: () => use }));

const unbound = (pod: Pod | undefined): Pod => {
  if (pod === undefined) throw new Error('no pod');
  const { nodeName: _bound, ...rest } = pod.spec;
  return { ...pod, spec: rest };
};

const idle = (...names: string[]): SimulatedFleet['nodes'] =>
  Object.fromEntries(names.map((name) => [name, { other: () => 100 }]));

spec('rebalancing', (it) => {
  it('comes to rest within its budget, where it said, and no pod comes back while nothing else changed', () => {
    fc.assert(
      fc.property(anyFleet, (fleet) => {
        const world = new RebalanceWorld(fleet);
        world.run(2 * HOUR_MS, ...STEP);
        for (const { atMs, to, planned } of world.moves) {
          const within = world.moves.filter((m) => m.atMs > atMs - HOUR_MS && m.atMs <= atMs).length;
          assert.ok(within <= (fleet.maxMovesPerHour ?? 0), 'no more moves in any hour than it may');
          assert.is(to, planned);
        }
        if (fleet.maxMovesPerHour === 2) return;
        const settled = world.moves.length;
        world.run(HOUR_MS, ...STEP);
        assert.is(world.moves.length, settled, JSON.stringify(world.moves));
        assert.ok(world.moves.length <= 2 * fleet.pods.length, 'in a bounded number of moves');
        for (const [i, { pod, from, to }] of world.moves.entries()) {
          const next = world.moves.slice(i + 1).findIndex((m) => m.pod === pod) + i + 1;
          const isBack = next > i && world.moves[next]?.to === from;
          const between = world.moves.slice(i + 1, next).flatMap((m) => [m.from, m.to]);
          const isOther = between.includes(from) || between.includes(to);
          assert.ok(!isBack || isOther, JSON.stringify(world.moves));
        }
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it('wants nothing that the rules refuse, as long as the pod is still where it is', () => {
    let wished = 0;
    const anyCluster = fc.tuple(
      fc.uniqueArray(anyNode, { minLength: 2, maxLength: 5, selector: (n) => n.metadata.name }),
      fc
        .array(fc.nat(4), { minLength: 2, maxLength: 10 })
        .chain((on) => fc.tuple(fc.constant(on), fc.tuple(...on.map((_, i) => anyPodNamed(`p${i}`))))),
    );
    fc.assert(
      fc.property(anyCluster, ([nodes, [on, templates]]) => {
        const pods = templates.map((pod, i): Pod => {
          const nodeName = nodes[(on[i] ?? 0) % nodes.length]?.metadata.name ?? '';
          return { ...pod, spec: { ...pod.spec, nodeName }, status: { phase: 'Running' } };
        });
        const { state, placer } = new PlacementWorld(nodes, pods, undefined, NAMESPACES);
        const firstPlaced = (): string => JSON.stringify(placer.place(podToPlace(unbound(pods[0]))));
        const before = firstPlaced();
        const preview = new Preview(state, placer, (pod) => podToPlace(pod));
        for (const pod of pods) {
          const to = preview.elsewhere({ pod, use: undefined }, (outlook) => outlook.to.name);
          if (to === undefined) continue;
          wished++;
          assert.ok(allowedNodes(unbound(pod), { nodes, pods, namespaces: NAMESPACES }).includes(to));
          assert.is.not(to, pod.spec.nodeName);
        }
        assert.is(firstPlaced(), before, 'looking changes nothing');
      }),
      { numRuns: 300 },
    );
    assert.ok(wished > 100, 'the property says something');
  });

  it('gives a node that joins its share in as many moves as that takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), (owners, each) => {
        const pods = Array.from({ length: owners }, (_, i) =>
          replicas(
            `app${i}`,
            ['a', 'b'].flatMap((n) => Array<string>(each).fill(n)),
          ),
        ).flat();
        const joins = { c: 20 * MINUTE_MS };
        const world = new RebalanceWorld({ nodes: idle('a', 'b', 'c'), pods, joins });
        world.run(3 * HOUR_MS, ...STEP);
        const share = Math.floor((2 * each) / 3);
        for (let i = 0; i < owners; i++) assert.is(world.counts(`app${i}`)['c'] ?? 0, share);
        assert.is(world.moves.length, owners * share);
      }),
      { numRuns: 12, endOnFailure: true },
    );
  });

  it('relieves a node that is hot for long by the one pod that does it, soon after five minutes', () => {
    const fleet: SimulatedFleet = {
      nodes: idle('a', 'b', 'c'),
      pods: [
        ...replicas('small', ['a', 'b', 'c'], 20),
        { name: 'big', owner: 'big', on: 'a', use: (t) => (t > 10 * MINUTE_MS ? 900 : 100) },
        { name: 'other', owner: 'other', on: 'a', use: () => 850 },
      ],
    };
    const world = new RebalanceWorld(fleet);
    world.run(2 * HOUR_MS, 3_000, 9_000);
    assert.is(world.moves.length, 1, JSON.stringify(world.moves));
    assert.is(world.moves[0]?.pod, 'big');
    assert.is(world.moves[0]?.why, 'load');
    const afterMs = (world.moves[0]?.atMs ?? 0) - 10 * MINUTE_MS;
    assert.ok(afterMs >= 5 * MINUTE_MS && afterMs <= 7.5 * MINUTE_MS, `${afterMs / 1_000} s`);
  });

  it('moves nothing when the load would only go along', () => {
    const pods = [{ name: 'big', owner: 'big', on: 'a', use: () => 1_800 }];
    const world = new RebalanceWorld({ nodes: idle('a', 'b'), pods });
    world.run(2 * HOUR_MS, ...STEP);
    assert.equal(world.moves, []);
  });

  it('follows a price that changes, and stays for one that moves a little', () => {
    const nodes = { a: { other: () => 300, price: '1' }, b: { other: () => 300, price: '1' } };
    const world = new RebalanceWorld({ nodes, pods: replicas('web', ['a']) });
    for (const price of ['1.05', '0.95', '1.1', '1']) {
      world.price('a', price);
      world.run(15 * MINUTE_MS, ...STEP);
    }
    assert.equal(world.moves, []);
    world.price('a', '2');
    world.run(15 * MINUTE_MS, ...STEP);
    assert.equal(
      world.moves.map(({ to, why }) => [to, why]),
      [['b', 'price']],
    );
  });
});
