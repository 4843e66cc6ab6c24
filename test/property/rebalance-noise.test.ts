import * as assert from 'uvu/assert';
import { RebalanceWorld, random, type SimulatedFleet, type SimulatedPod } from '../build/rebalance-world.ts';
import { spec } from '../spec.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NODES = ['a', 'b', 'c', 'd'] as const;

/** Three replicas on each of four nodes and two owners more: a fleet that nothing is wrong with. */
function evenFleet(use: (pod: number) => (atMs: number) => number): SimulatedPod[] {
  return ['web', 'api', 'db'].flatMap((owner, o) =>
    NODES.map((on, n) => ({ name: `${owner}-${n}`, owner, on, use: use(o * NODES.length + n) })),
  );
}

/** A value that is drawn anew every so often, the same whenever it is asked for the same time. */
function noise(seed: number, everyMs: number, from: number, to: number): (atMs: number) => number {
  return (atMs) => {
    const draw = random(seed * 7_919 + Math.floor(atMs / everyMs) * 104_729);
    for (let i = 0; i < 3; i++) draw();
    return from + (to - from) * draw();
  };
}

/** One peak in every 40 minutes, each node or pod at another time. */
function peaks(seed: number, which: number, lengthMs: number, height: number): (atMs: number) => number {
  const startsAtMs = (10 + 10 * which + 5 * random(seed * 31 + which)()) * MINUTE_MS;
  return (atMs) => (atMs >= startsAtMs && (atMs - startsAtMs) % (40 * MINUTE_MS) < lengthMs ? height : 0);
}

/** Peaks to the brim of nodes whose pods could bring relief. */
const peakFleet = (seed: number, lengthMs: number): SimulatedFleet => ({
  nodes: nodesWith((n) => (atMs) => 200 + peaks(seed, n, lengthMs, 1_600)(atMs)),
  pods: evenFleet((p) => noise(seed * 43 + p, 30_000, 80, 160)),
});

const nodesWith = (other: (node: number) => (atMs: number) => number): SimulatedFleet['nodes'] =>
  Object.fromEntries(NODES.map((name, i) => [name, { other: other(i) }]));

const NOISES: readonly [string, (seed: number) => SimulatedFleet][] = [
  [
    'random load around equal means, from sample to sample',
    (seed) => ({
      nodes: nodesWith((n) => noise(seed * 13 + n, 3_000, 0, 1_200)),
      pods: evenFleet((p) => noise(seed * 17 + p, 3_000, 50, 250)),
    }),
  ],
  [
    'random load of nodes that are nearly full',
    (seed) => ({
      nodes: nodesWith((n) => noise(seed * 11 + n, 20_000, 1_000, 1_500)),
      pods: evenFleet((p) => noise(seed * 19 + p, 20_000, 50, 250)),
    }),
  ],
  [
    'load that wanders, for minutes at a time',
    (seed) => ({
      nodes: nodesWith((n) => noise(seed * 23 + n, 160_000, 0, 1_500)),
      pods: evenFleet((p) => noise(seed * 29 + p, 110_000, 70, 200)),
    }),
  ],
  [
    'saw-tooths out of step',
    (seed) => ({
      nodes: nodesWith((n) => (atMs) => 1_600 * (((atMs + n * 47_000 + seed * 9_000) % 180_000) / 180_000)),
      pods: evenFleet((p) => (atMs) => 120 * (((atMs + p * 31_000) % 95_000) / 95_000)),
    }),
  ],
  ['peaks of four and a half minutes to the brim', (seed) => peakFleet(seed, 4.5 * MINUTE_MS)],
  [
    'peaks of single pods',
    (seed) => ({
      nodes: nodesWith(() => () => 200),
      pods: evenFleet((p) => (atMs) => 40 + peaks(seed, p / 3, 4.5 * MINUTE_MS, 1_500)(atMs)),
    }),
  ],
  [
    'telemetry that comes and goes, with a lasting difference in between',
    (seed) => ({
      nodes: nodesWith((n) => () => (n === 0 ? 1_800 : 200)),
      pods: evenFleet((p) => noise(seed * 53 + p, 9_000, 60, 120)),
      silent: (node, atMs) => (atMs + node.charCodeAt(0) * 20_000 + seed * 1_000) % (4 * MINUTE_MS) < 15_000,
    }),
  ],
];

spec('rebalancing and noise', (it) => {
  for (const [name, fleet] of NOISES) {
    it(`moves nothing for ${name}`, () => {
      for (let seed = 1; seed <= 4; seed++) {
        const world = new RebalanceWorld(fleet(seed));
        world.run(2 * HOUR_MS, 6_000, 12_000);
        assert.equal(world.moves, [], `seed ${seed}`);
      }
    });
  }

  it('moves pods for load that lasts though beats are late now and then', () => {
    const late = (node: string, atMs: number): boolean =>
      (atMs + node.charCodeAt(0) * 21_000) % (2 * MINUTE_MS) < 3_000;
    for (let seed = 1; seed <= 3; seed++) {
      const world = new RebalanceWorld({
        nodes: nodesWith((n) => () => (n === 0 ? 1_800 : 200)),
        pods: evenFleet((p) => noise(seed * 53 + p, 9_000, 60, 120)),
        silent: late,
      });
      world.run(HOUR_MS / 2, 3_000, 12_000);
      assert.ok(world.moves.length > 0, `seed ${seed}`);
    }
  });

  it('moves pods for peaks that are longer: the silence above is no deafness', () => {
    for (let seed = 1; seed <= 3; seed++) {
      const world = new RebalanceWorld(peakFleet(seed, 9 * MINUTE_MS));
      world.run(HOUR_MS, 6_000, 12_000);
      assert.ok(world.moves.length > 0, `seed ${seed}`);
    }
  });
});
