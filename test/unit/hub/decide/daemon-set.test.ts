import * as assert from 'uvu/assert';
import {
  type DaemonPlan,
  type DaemonWorld,
  daemonBounds,
  planDaemonSet,
} from '../../../../hub/decide/daemon-set.ts';
import { rollUpDaemonSet } from '../../../../hub/decide/daemon-set-status.ts';
import type { Taint } from '../../../../protocol/kinds/node.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { daemonPod, daemonSet } from '../../../build/daemons.ts';
import { node } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const NODES = ['n1', 'n2', 'n3'];
const lost: Taint[] = [
  { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
];

const world = (pods: readonly Pod[], parts: Partial<DaemonWorld> = {}): DaemonWorld => ({
  set: daemonSet('a'),
  nodes: NODES.map((name) => node(name)),
  pods,
  hash: 'a',
  nowMs: NOW,
  holdMs: () => 0,
  ...parts,
});
const told = ({ create, remove }: DaemonPlan): unknown => [
  [...create],
  remove.map((r) => `${r.pod.metadata.name} ${r.why}`),
];
const rolling = (rollingUpdate: object, minReadySeconds = 0): DaemonWorld['set'] =>
  daemonSet('a', { updateStrategy: { type: 'RollingUpdate', rollingUpdate }, minReadySeconds });

spec('daemonBounds', (it) => {
  const cases: readonly [object, number, number, number][] = [
    [{}, 10, 1, 0],
    [{ maxUnavailable: '30%' }, 10, 3, 0],
    [{ maxUnavailable: '25%' }, 3, 1, 0],
    [{ maxUnavailable: 0, maxSurge: '10%' }, 11, 0, 2],
    [{ maxUnavailable: 0, maxSurge: 0 }, 11, 1, 0],
  ];
  for (const [given, desired, maxUnavailable, maxSurge] of cases)
    it(`${JSON.stringify(given)} of ${desired}`, () =>
      assert.equal(daemonBounds(rolling(given), desired), { maxUnavailable, maxSurge }));
});

spec('planDaemonSet', (it) => {
  const on = daemonPod;
  const all = NODES.map((n) => on(n));
  const cases: readonly [string, DaemonWorld, string[], string[]][] = [
    ['makes one a node', world([]), ['n1', 'n2', 'n3'], []],
    ['is content', world(all), [], []],
    ['makes the missing one', world([on('n1'), on('n3')]), ['n2'], []],
    ['waits for one being deleted', world([on('n1', { deleting: true }), on('n2'), on('n3')]), [], []],
    [
      'does not wait for an ended one being deleted',
      world([on('n1', { deleting: true, phase: 'Failed' }), on('n2'), on('n3')]),
      ['n1'],
      [],
    ],
    [
      'replaces a failed one',
      world([on('n1', { phase: 'Failed' }), on('n2'), on('n3')]),
      [],
      ['n1-a failed'],
    ],
    [
      'leaves a failed one for a while',
      world([on('n1', { phase: 'Failed' }), on('n2'), on('n3')], { holdMs: () => 500 }),
      [],
      [],
    ],
    [
      'replaces an ended one',
      world([on('n1', { phase: 'Succeeded' }), on('n2'), on('n3')]),
      [],
      ['n1-a succeeded'],
    ],
    [
      'of two keeps the one that serves',
      world([...all, on('n2', { name: 'b', ready: false }), on('n3', { name: 'z' })]),
      [],
      ['b surplus', 'z surplus'],
    ],
    [
      'leaves a node that no longer fits, and one that is no more',
      world([on('n1'), on('n2'), on('n3'), on('gone', { bound: false })], {
        nodes: [node('n1'), node('n2', { taints: [{ key: 'x', effect: 'NoExecute' }] }), node('n3')],
      }),
      [],
      ['n2-a misplaced', 'gone-a misplaced'],
    ],
    [
      'stays where it may, and does not come where it may not',
      world([on('n1'), on('n2')], {
        nodes: [node('n1'), node('n2', { taints: lost }), node('n3', { taints: lost })],
      }),
      [],
      [],
    ],
    [
      'updates one at a time',
      world([on('n1', { hash: 'b' }), on('n2', { hash: 'b' }), on('n3', { hash: 'b' })]),
      [],
      ['n1-b outdated'],
    ],
    [
      'waits while one is on its way',
      world([on('n1', { ready: false }), on('n2', { hash: 'b' }), on('n3', { hash: 'b' })]),
      [],
      [],
    ],
    ['waits while one is missing', world([on('n2', { hash: 'b' }), on('n3', { hash: 'b' })]), ['n1'], []],
    [
      'replaces what does not serve first, and nothing that does beside it',
      world([on('n1', { hash: 'b' }), on('n2', { hash: 'b', ready: false }), on('n3', { hash: 'b' })]),
      [],
      ['n2-b outdated'],
    ],
    [
      'updates as many as may be unavailable',
      world([on('n1', { hash: 'b' }), on('n2', { hash: 'b' }), on('n3', { hash: 'b' })], {
        set: rolling({ maxUnavailable: '50%' }),
      }),
      [],
      ['n1-b outdated', 'n2-b outdated'],
    ],
    [
      'is not held up by a device that was away before',
      world([on('n1', { hash: 'b', ready: false }), on('n2', { hash: 'b' }), on('n3', { hash: 'b' })], {
        nodes: [node('n1', { taints: lost }), node('n2'), node('n3')],
      }),
      [],
      ['n2-b outdated'],
    ],
    [
      'stops at a device that went away with the new pod',
      world([on('n1', { ready: false }), on('n2', { hash: 'b' }), on('n3', { hash: 'b' })], {
        nodes: [node('n1', { taints: lost }), node('n2'), node('n3')],
      }),
      [],
      [],
    ],
    [
      'with OnDelete leaves old ones',
      world([on('n1', { hash: 'b' }), on('n2', { hash: 'b' })], {
        set: daemonSet('a', { updateStrategy: { type: 'OnDelete' } }),
      }),
      ['n3'],
      [],
    ],
    [
      'with surge starts the new one first',
      world(
        NODES.map((n) => on(n, { hash: 'b' })),
        { set: rolling({ maxSurge: 1, maxUnavailable: 0 }) },
      ),
      ['n1'],
      [],
    ],
    [
      'with surge waits for it',
      world([...NODES.map((n) => on(n, { hash: 'b' })), on('n1', { ready: false })], {
        set: rolling({ maxSurge: 1, maxUnavailable: 0 }),
      }),
      [],
      [],
    ],
    [
      'with surge takes the old one away then, and goes on',
      world([...NODES.map((n) => on(n, { hash: 'b' })), on('n1')], {
        set: rolling({ maxSurge: 1, maxUnavailable: 0 }),
      }),
      ['n2'],
      ['n1-b outdated'],
    ],
    [
      'with surge replaces in place what does not serve',
      world([on('n1', { hash: 'b', ready: false }), on('n2'), on('n3')], {
        set: rolling({ maxSurge: 1, maxUnavailable: 0 }),
      }),
      [],
      ['n1-b outdated'],
    ],
    [
      'waits for minReadySeconds',
      world(
        [on('n1', { readySince: '2026-01-01T00:59:50Z' }), on('n2', { hash: 'b' }), on('n3', { hash: 'b' })],
        {
          set: rolling({}, 30),
        },
      ),
      [],
      [],
    ],
  ];
  for (const [name, given, create, remove] of cases)
    it(name, () => {
      assert.equal(told(planDaemonSet(given)), [create, remove]);
      const turned = { ...given, nodes: given.nodes.toReversed(), pods: given.pods.toReversed() };
      assert.equal(told(planDaemonSet(turned)), [create, remove], 'whatever the order');
    });

  it('looks again when time alone will change something', () => {
    const held = world([on('n1', { phase: 'Failed' }), on('n2'), on('n3')], { holdMs: () => 500 });
    assert.is(planDaemonSet(held).lookAgainMs, 500);
    const waiting = world([on('n1', { readySince: '2026-01-01T00:59:50Z' })], { set: rolling({}, 30) });
    assert.is(planDaemonSet(waiting).lookAgainMs, 20_000);
    assert.is(planDaemonSet(world(all)).lookAgainMs, undefined);
  });
});

spec('rollUpDaemonSet', (it) => {
  it('counts nodes as Kubernetes does', () => {
    const given = world(
      [
        daemonPod('n1'),
        daemonPod('n2', { hash: 'b', ready: false }),
        daemonPod('n4', { ready: false }),
        daemonPod('n5', { deleting: true }),
      ],
      {
        nodes: [...NODES, 'n5'].map((name) => node(name)).concat(node('n4', { taints: lost })),
        set: rolling({}, 60),
      },
    );
    const { status, changed } = rollUpDaemonSet(given, 0);
    assert.equal(status, {
      currentNumberScheduled: 3,
      numberMisscheduled: 1,
      desiredNumberScheduled: 4,
      numberReady: 2,
      updatedNumberScheduled: 2,
      numberAvailable: 2,
      numberUnavailable: 2,
      observedGeneration: 1,
    });
    assert.is(changed, true);
    assert.is(rollUpDaemonSet({ ...given, set: { ...given.set, status } }, 0).changed, false);
    assert.is(rollUpDaemonSet(given, 2).status.collisionCount, 2);
  });
});
