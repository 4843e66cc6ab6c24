import * as assert from 'uvu/assert';
import type { Pod, TopologySpreadConstraint } from '../../../../protocol/kinds/pod.ts';
import { evenly, nodeObject, PlacementWorld, type PodParts, podObject } from '../../../build/scheduling.ts';
import { spec } from '../../../spec.ts';

const HOST = 'kubernetes.io/hostname';
const zones: Readonly<Record<string, string>> = { a: 'z1', b: 'z1', c: 'z2', d: 'z3' };
const nodes = Object.entries(zones).map(([name, zone]) => nodeObject(name, { labels: { zone, kind: 'pi' } }));
const bare = nodeObject('e');

/** One pod of the app on each letter's node. */
const on = (letters: string, parts: PodParts = {}): Pod[] =>
  [...letters].map((node, i) => podObject(`p${i}`, { labels: { app: 'web' }, on: node, ...parts }));

const asking = (...topologySpreadConstraints: TopologySpreadConstraint[]): Pod =>
  podObject('new', { labels: { app: 'web' }, spec: { topologySpreadConstraints } });

spec('topology spread, DoNotSchedule', (it) => {
  const cases: readonly [string, Pod, readonly Pod[], string][] = [
    ['anywhere when empty', asking(evenly('web', 'zone')), [], 'abcd'],
    ['not where one is more', asking(evenly('web', 'zone')), on('a'), 'cd'],
    ['until all are level', asking(evenly('web', 'zone')), on('acd'), 'abcd'],
    ['a larger skew lets more in', asking(evenly('web', 'zone', { maxSkew: 2 })), on('a'), 'abcd'],
    ['several constraints hold together', asking(evenly('web', 'zone'), evenly('web', HOST)), on('acd'), 'b'],
    [
      'too few domains count as an empty one',
      asking(evenly('web', 'zone', { minDomains: 4 })),
      on('acd'),
      '',
    ],
    ['enough domains do not', asking(evenly('web', 'zone', { minDomains: 3 })), on('acd'), 'abcd'],
    ['pods of others do not count', asking(evenly('web', 'zone')), on('a', { labels: { app: 'x' } }), 'abcd'],
    ['nor those of other namespaces', asking(evenly('web', 'zone')), on('a', { namespace: 'x' }), 'abcd'],
    ['nor those being deleted', asking(evenly('web', 'zone')), on('a', { deleting: true }), 'abcd'],
    [
      'matchLabelKeys counts the own revision only',
      podObject('new', {
        labels: { app: 'web', rev: '2' },
        spec: { topologySpreadConstraints: [evenly('web', 'zone', { matchLabelKeys: ['rev'] })] },
      }),
      on('a', { labels: { app: 'web', rev: '1' } }),
      'abcd',
    ],
    [
      'a pod that is not counted itself may fill up to the skew',
      podObject('new', { spec: { topologySpreadConstraints: [evenly('web', 'zone')] } }),
      on('a'),
      'abcd',
    ],
    [
      'nodes out of the question do not count (nodeAffinityPolicy Honor)',
      podObject('new', {
        labels: { app: 'web' },
        spec: { nodeSelector: { zone: 'z1' }, topologySpreadConstraints: [evenly('web', HOST)] },
      }),
      on('a'),
      'b',
    ],
    [
      'unless they are to (Ignore)',
      podObject('new', {
        labels: { app: 'web' },
        spec: {
          nodeSelector: { zone: 'z1' },
          topologySpreadConstraints: [evenly('web', HOST, { nodeAffinityPolicy: 'Ignore' })],
        },
      }),
      on('ab'),
      '',
    ],
  ];
  for (const [name, pod, present, expected] of cases) {
    it(name, () => assert.is(new PlacementWorld([...nodes, bare], present).feasible(pod).join(''), expected));
  }

  it('counts tainted domains, unless nodeTaintsPolicy says Honor', () => {
    const taints = [{ key: 'k', effect: 'NoSchedule' as const }];
    const fleet = [
      nodeObject('a', { labels: { zone: 'z1' } }),
      nodeObject('c', { labels: { zone: 'z2' }, spec: { taints } }),
    ];
    const world = new PlacementWorld(fleet, on('a'));
    assert.equal(world.feasible(asking(evenly('web', 'zone'))), []);
    assert.equal(world.feasible(asking(evenly('web', 'zone', { nodeTaintsPolicy: 'Honor' }))), ['a']);
  });

  it('tells a skew from a missing label', () => {
    assert.is(
      new PlacementWorld([...nodes.slice(0, 3), bare], on('ac')).where(
        asking(evenly('web', 'zone', { minDomains: 3 })),
      ),
      "0/4 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label), 3 node(s) didn't match pod topology spread constraints.",
    );
  });
});

spec('topology spread, ScheduleAnyway', (it) => {
  const soft = evenly('web', 'zone', { whenUnsatisfiable: 'ScheduleAnyway' });

  it('prefers the emptier zone', () =>
    assert.is(new PlacementWorld(nodes, on('ac')).where(asking(soft)), 'd'));

  it('takes the fuller one when there is no other', () => {
    assert.is(new PlacementWorld(nodes.slice(0, 1), on('aaa')).where(asking(soft)), 'a');
  });

  it('takes a node without the label last', () => {
    assert.is(new PlacementWorld([nodeObject('aa'), ...nodes.slice(2)], []).where(asking(soft)), 'c');
  });

  it('keeps zones level over many pods', () => {
    const pods = Array.from({ length: 9 }, (_, i) =>
      podObject(`n${i}`, { labels: { app: 'web' }, spec: { topologySpreadConstraints: [soft] } }),
    );
    const { a = 0, b = 0, c, d } = new PlacementWorld(nodes).placeAll(pods);
    assert.equal([a + b, c, d], [3, 3, 3]);
  });
});

spec('default spread', (it) => {
  it('puts replicas of one owner into zones first, then onto nodes', () => {
    const zoned = Object.entries(zones).map(([name, zone]) =>
      nodeObject(name, { labels: { 'topology.kubernetes.io/zone': zone } }),
    );
    const replica = (i: number): Pod => {
      const pod = podObject(`r${i}`);
      const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'rs', controller: true };
      return { ...pod, metadata: { ...pod.metadata, ownerReferences: [owner] } };
    };
    const world = new PlacementWorld(zoned);
    const three = world.placeAll([0, 1, 2].map(replica));
    assert.equal(three, { a: 1, c: 1, d: 1 });
    assert.equal(world.placeAll([3, 4, 5].map(replica)), { b: 1, c: 1, d: 1 });
  });
});
