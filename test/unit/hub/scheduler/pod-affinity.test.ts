import * as assert from 'uvu/assert';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import {
  aboutApp,
  nodeObject,
  PlacementWorld,
  type PodParts,
  podObject,
  ruled,
} from '../../../build/scheduling.ts';
import { spec } from '../../../spec.ts';

const HOST = 'kubernetes.io/hostname';

/** Nodes a and b in zone z1, c in z2, d in none. */
const nodes = [
  nodeObject('a', { labels: { zone: 'z1' } }),
  nodeObject('b', { labels: { zone: 'z1' } }),
  nodeObject('c', { labels: { zone: 'z2' } }),
  nodeObject('d'),
];
const NAMESPACES = { other: { team: 'x' }, default: { team: 'y' } };

function feasible(pod: PodParts, present: readonly Pod[]): string {
  return new PlacementWorld(nodes, present, undefined, NAMESPACES).feasible(podObject('new', pod)).join('');
}

const web = podObject('web', { labels: { app: 'web' }, on: 'a' });
const self = { labels: { app: 'web' } };

spec('required rules between pods', (it) => {
  const cases: readonly [string, PodParts, readonly Pod[], string][] = [
    ['anti-affinity keeps off the host', { spec: ruled('away', aboutApp('web', HOST)) }, [web], 'bcd'],
    ['anti-affinity keeps out of the zone', { spec: ruled('away', aboutApp('web', 'zone')) }, [web], 'cd'],
    [
      'a node without the label is in nobody’s domain',
      { spec: ruled('away', aboutApp('web', 'zone')) },
      [podObject('web', { labels: { app: 'web' }, on: 'd' })],
      'abcd',
    ],
    ['affinity wants the zone', { spec: ruled('near', aboutApp('web', 'zone')) }, [web], 'ab'],
    ['affinity wants the host', { spec: ruled('near', aboutApp('web', HOST)) }, [web], 'a'],
    ['affinity without anybody to join', { spec: ruled('near', aboutApp('web', 'zone')) }, [], ''],
    [
      'the first of its kind goes wherever the label is',
      { ...self, spec: ruled('near', aboutApp('web', 'zone')) },
      [],
      'abc',
    ],
    ['the second joins the first', { ...self, spec: ruled('near', aboutApp('web', 'zone')) }, [web], 'ab'],
    [
      'the first needs all the labels',
      { ...self, spec: ruled('near', aboutApp('web', 'zone'), aboutApp('web', HOST)) },
      [],
      'abc',
    ],
    [
      'all terms must hold of one pod',
      {
        spec: ruled('near', aboutApp('web', HOST), {
          topologyKey: 'zone',
          labelSelector: { matchLabels: { tier: 'front' } },
        }),
      },
      [
        web,
        podObject('front', { labels: { tier: 'front' }, on: 'a' }),
        podObject('both', { labels: { app: 'web', tier: 'front' }, on: 'c' }),
      ],
      'c',
    ],
    [
      'pods there keep newcomers away too',
      self,
      [podObject('hermit', { on: 'a', spec: ruled('away', aboutApp('web', 'zone')) })],
      'cd',
    ],
    [
      'but only those they mean',
      { labels: { app: 'db' } },
      [podObject('hermit', { on: 'a', spec: ruled('away', aboutApp('web', 'zone')) })],
      'abcd',
    ],
    [
      'other namespaces do not count',
      { spec: ruled('away', aboutApp('web', HOST)) },
      [podObject('web', { labels: { app: 'web' }, on: 'a', namespace: 'other' })],
      'abcd',
    ],
    [
      'unless they are named',
      { spec: ruled('away', aboutApp('web', HOST, { namespaces: ['other'] })) },
      [web, podObject('far', { labels: { app: 'web' }, on: 'b', namespace: 'other' })],
      'acd',
    ],
    [
      'or selected by their labels',
      {
        spec: ruled('away', aboutApp('web', HOST, { namespaceSelector: { matchLabels: { team: 'x' } } })),
      },
      [web, podObject('far', { labels: { app: 'web' }, on: 'b', namespace: 'other' })],
      'acd',
    ],
    [
      'an empty namespace selector means all',
      { spec: ruled('away', aboutApp('web', HOST, { namespaceSelector: {} })) },
      [web, podObject('far', { labels: { app: 'web' }, on: 'b', namespace: 'other' })],
      'cd',
    ],
    [
      'matchLabelKeys narrows to the own value',
      {
        labels: { app: 'web', rev: '2' },
        spec: ruled('away', aboutApp('web', HOST, { matchLabelKeys: ['rev', 'absent'] })),
      },
      [
        podObject('old', { labels: { app: 'web', rev: '1' }, on: 'a' }),
        podObject('new1', { labels: { app: 'web', rev: '2' }, on: 'b' }),
      ],
      'acd',
    ],
    [
      'mismatchLabelKeys to all others',
      {
        labels: { app: 'web', rev: '2' },
        spec: ruled('away', aboutApp('web', HOST, { mismatchLabelKeys: ['rev'] })),
      },
      [
        podObject('old', { labels: { app: 'web', rev: '1' }, on: 'a' }),
        podObject('new1', { labels: { app: 'web', rev: '2' }, on: 'b' }),
      ],
      'bcd',
    ],
    ['an absent label selector means nobody', { spec: ruled('away', { topologyKey: HOST }) }, [web], 'abcd'],
    [
      'an empty one everybody',
      { spec: ruled('away', { topologyKey: HOST, labelSelector: {} }) },
      [web],
      'bcd',
    ],
    [
      'pods being deleted still count',
      { spec: ruled('away', aboutApp('web', HOST)) },
      [podObject('web', { labels: { app: 'web' }, on: 'a', deleting: true })],
      'bcd',
    ],
    [
      'ended pods do not',
      { spec: ruled('away', aboutApp('web', HOST)) },
      [podObject('web', { labels: { app: 'web' }, on: 'a', phase: 'Succeeded' })],
      'abcd',
    ],
  ];
  for (const [name, pod, present, expected] of cases) {
    it(name, () => assert.is(feasible(pod, present), expected));
  }

  it('says what stood in the way in the words of kube-scheduler', () => {
    const world = new PlacementWorld(nodes.slice(0, 3), [
      web,
      podObject('hermit', { on: 'c', spec: ruled('away', aboutApp('web', HOST)) }),
    ]);
    assert.is(
      world.where(podObject('new', { ...self, spec: ruled('away', aboutApp('web', 'zone')) })),
      "0/3 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules, 2 node(s) didn't match pod anti-affinity rules.",
    );
    assert.match(
      world.where(podObject('new', { spec: ruled('near', aboutApp('none', HOST)) })),
      "3 node(s) didn't match pod affinity rules",
    );
  });
});

const prefer = (how: 'podAffinity' | 'podAntiAffinity', app: string): Partial<Pod['spec']> => ({
  affinity: {
    [how]: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, podAffinityTerm: aboutApp(app, 'zone') },
      ],
    },
  },
});

spec('preferences between pods', (it) => {
  const zoned = nodes.slice(0, 3);
  const there = (on: string, parts: PodParts = {}): Pod => podObject(`on-${on}`, { on, ...parts });
  const cases: readonly [string, PodParts, readonly Pod[], string][] = [
    ['seeks company', { spec: prefer('podAffinity', 'web') }, [there('c', self)], 'c'],
    ['keeps away where it can', { spec: prefer('podAntiAffinity', 'web') }, [there('a', self)], 'c'],
    ['those there attract', self, [there('c', { spec: prefer('podAffinity', 'web') })], 'c'],
    ['those there repel', self, [there('a', { spec: prefer('podAntiAffinity', 'web') })], 'c'],
    [
      'required affinity of those there attracts too',
      self,
      [there('c', { labels: { app: 'web' }, spec: ruled('near', aboutApp('web', 'zone')) })],
      'c',
    ],
  ];
  for (const [name, pod, present, expected] of cases) {
    it(name, () => assert.is(new PlacementWorld(zoned, present).where(podObject('new', pod)), expected));
  }
});
