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

function peaks(seed: number, lengthMs: number, height: number): (atMs: number) => number {
  const startsAtMs = 7 * MINUTE_MS + random(seed * 31 + 5)() * 30 * MINUTE_MS;
  const everyMs = 18 * MINUTE_MS;
  return (atMs) => (atMs >= startsAtMs && (atMs - startsAtMs) % everyMs < lengthMs ? height : 0);
}

const nodesWith = (other: (node: number) => (atMs: number) => number): SimulatedFleet['nodes'] =>
  Object.fromEntries(NODES.map((name, i) => [name, { other: other(i) }]));

const NOISES: readonly [string, (seed: number) => SimulatedFleet][] = [
  [
    'random load around equal means, from sample to sample',
    (seed) => ({
      nodes: nodesWith((n) => noise(seed * 13 + n, 3_000, 0, 1_200)),
      pods: evenFleet((p) => noise(seed * 17 + p, 3_000, 0, 250)),
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
    'load that wanders for a minute or two at a time',
    (seed) => ({
      nodes: nodesWith((n) => noise(seed * 23 + n, 80_000, 100, 1_400)),
      pods: evenFleet((p) => noise(seed * 29 + p, 110_000, 0, 200)),
    }),
  ],
  [
    'saw-tooths out of step',
    (seed) => ({
      nodes: nodesWith((n) => (atMs) => 1_600 * (((atMs + n * 47_000 + seed * 9_000) % 180_000) / 180_000)),
      pods: evenFleet((p) => (atMs) => 120 * (((atMs + p * 31_000) % 95_000) / 95_000)),
    }),
  ],
  [
    'peaks of four and a half minutes to the brim',
    (seed) => ({
      nodes: nodesWith((n) => (atMs) => 200 + peaks(seed * 41 + n, 4.5 * MINUTE_MS, 1_700)(atMs)),
      pods: evenFleet((p) => noise(seed * 43 + p, 30_000, 20, 90)),
    }),
  ],
  [
    'peaks of single pods',
    (seed) => ({
      nodes: nodesWith(() => () => 200),
      pods: evenFleet((p) => (atMs) => 40 + peaks(seed * 47 + p, 4.5 * MINUTE_MS, 1_500)(atMs)),
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
      for (let seed = 1; seed <= 6; seed++) {
        const world = new RebalanceWorld(fleet(seed));
        world.run(2 * HOUR_MS, 6_000, 12_000);
        assert.equal(world.moves, [], `seed ${seed}`);
      }
    });
  }
});
