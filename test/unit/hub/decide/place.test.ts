import * as assert from 'uvu/assert';
import { type NodeState, withFreshPod } from '../../../../hub/decide/node-state.ts';
import { place } from '../../../../hub/decide/place.ts';
import { placementText, preemptionText, refusalText } from '../../../../hub/decide/placement-text.ts';
import type { PodToPlace } from '../../../../hub/decide/pod-to-place.ts';
import { live, nodeOf, podOf } from '../../../build/placement.ts';
import { spec } from '../../../spec.ts';

const MIB = 2 ** 20;

/** Places pods one after the other, each assumed before the next; gives how many each node got. */
function placeMany(count: number, pod: PodToPlace, nodes: readonly NodeState[]): Record<string, number> {
  const states = new Map(nodes.map((n) => [n.name, n]));
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const placed = place(pod, [...states.values()]);
    if (!placed.ok) throw new Error(refusalText(placed.reasons));
    const node = states.get(placed.node);
    if (node !== undefined) states.set(placed.node, withFreshPod(node, pod));
    counts[placed.node] = (counts[placed.node] ?? 0) + 1;
  }
  return counts;
}

const why = (pod: PodToPlace, node: NodeState): string => {
  const placed = place(pod, [node]);
  return placed.ok ? 'fits' : refusalText(placed.reasons);
};

spec('place: filters', (it) => {
  const cases: readonly [string, Partial<PodToPlace>, Partial<NodeState>, RegExp][] = [
    ['takes what fits', {}, {}, /fits/],
    ['refuses a cordoned node', {}, { unschedulable: true }, /1 node\(s\) were unschedulable\. a: /],
    ['refuses a silent node', {}, { ready: false }, /1 node\(s\) were not ready/],
    [
      'refuses an untolerated taint and names it',
      {},
      { taints: [{ key: 'only', value: 'others', effect: 'NoSchedule' }] },
      /1 node\(s\) had untolerated taint \{only: others\}/,
    ],
    [
      'takes a tolerated taint',
      { tolerations: [{ key: 'only', operator: 'Exists' }] },
      { taints: [{ key: 'only', effect: 'NoExecute' }] },
      /fits/,
    ],
    ['refuses another selector', { nodeSelector: { zone: 'x' } }, {}, /didn't match Pod's node affinity/],
    [
      'follows required affinity',
      {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['2'] }] }],
          },
        },
      },
      { labels: { cores: '4' } },
      /fits/,
    ],
    [
      'refuses requests beyond what is unrequested',
      { requests: { memory: 900 * MIB } },
      { requested: { memory: 500 * MIB } },
      /1 Insufficient memory\. a: Insufficient memory \(requests 900Mi, 524Mi unrequested\)/,
    ],
    ['refuses CPU by requests', { requests: { cpu: 2001 } }, {}, /Insufficient cpu/],
    [
      'refuses unknown resources',
      { requests: { 'example.com/camera': 1 } },
      {},
      /Insufficient example.com\/camera/,
    ],
    ['refuses a full node', {}, { podCount: 110 }, /Too many pods/],
    [
      'refuses a taken host port',
      { hostPorts: ['TCP/80/127.0.0.1'] },
      { hostPorts: new Map([['TCP/80', 1]]) },
      /free ports/,
    ],
    ['takes the other protocol', { hostPorts: ['UDP/80'] }, { hostPorts: new Map([['TCP/80', 1]]) }, /fits/],
    [
      'refuses memory that is really gone though requests say it is free',
      { estimate: { cpuMilli: 1, memoryBytes: 100 * MIB } },
      { live: live(0.1, 0.9) },
      /Insufficient live memory \(needs 100Mi, 51Mi really free\)/,
    ],
    [
      'counts what was placed since the last telemetry',
      { estimate: { cpuMilli: 1, memoryBytes: 100 * MIB } },
      { live: live(0.1, 0.5), assumed: { cpuMilli: 0, memoryBytes: 400 * MIB } },
      /Insufficient live memory/,
    ],
    ['judges by requests alone without telemetry', {}, { live: undefined }, /fits/],
  ];
  for (const [name, pod, node, expected] of cases) {
    it(name, () => assert.match(why(podOf(pod), nodeOf('a', node)), expected));
  }

  it('tells for every node why not, as Kubernetes does', () => {
    const placed = place(podOf({ requests: { memory: 2 ** 40 } }), [
      nodeOf('c', { taints: [{ key: 'k', effect: 'NoSchedule' }] }),
      nodeOf('a'),
      nodeOf('b'),
    ]);
    const text = placed.ok ? '' : refusalText(placed.reasons);
    assert.match(
      text,
      '0/3 nodes are available: 1 node(s) had untolerated taint {k: }, 2 Insufficient memory.',
    );
    assert.match(text, /a: Insufficient memory .*; b: Insufficient memory .*; c: node\(s\) had/);
  });

  it('tells what came of preemption between the summary and the nodes', () => {
    const placed = place(podOf({ requests: { cpu: 1500 } }), [
      nodeOf('a', { requested: { cpu: 1000 } }),
      nodeOf('b', { unschedulable: true }),
      nodeOf('c', { allocatable: { cpu: 1000 } }),
    ]);
    assert.not.ok(placed.ok);
    const reasons = placed.ok ? [] : placed.reasons;
    const why = preemptionText(reasons);
    assert.is(
      why,
      '0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.',
    );
    assert.match(
      refusalText(reasons, why),
      `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. preemption: ${why} a: Insufficient cpu (requests 1500m, 1 unrequested); b:`,
    );
  });

  it('says so when no node has joined', () => {
    const placed = place(podOf(), []);
    assert.match(placed.ok ? '' : refusalText(placed.reasons), 'no node has joined');
  });
});

spec('place: scores', (it) => {
  it('spreads replicas over equal workers', () => {
    const nodes = ['a', 'b', 'c'].map((name) => nodeOf(name));
    assert.equal(placeMany(6, podOf(), nodes), { a: 2, b: 2, c: 2 });
  });

  it('spreads them also when idle workers are not quite equally idle', () => {
    const nodes = [
      nodeOf('a', { live: live(0.02) }),
      nodeOf('b', { live: live(0.2) }),
      nodeOf('c', { live: live(0.11) }),
    ];
    assert.equal(placeMany(6, podOf(), nodes), { a: 2, b: 2, c: 2 });
  });

  it('sends twenty of twenty to the idle node when two of three are busy (k8s#109405)', () => {
    const nodes = [nodeOf('a', { live: live(0.9) }), nodeOf('b', { live: live(0.9) }), nodeOf('c')];
    assert.equal(placeMany(20, podOf(), nodes), { c: 20 });
    const tiny = podOf({
      requests: { cpu: 5, memory: 4 * MIB },
      estimate: { cpuMilli: 5, memoryBytes: 4 * MIB },
    });
    const rising = [nodeOf('a', { live: live(0.6) }), nodeOf('b', { live: live(0.6) }), nodeOf('c')];
    assert.equal(
      placeMany(20, tiny, rising),
      { c: 20 },
      'also when telemetry has not risen to the full load yet',
    );
  });

  it('goes on to the busy ones when the idle one is full', () => {
    const small = podOf({
      requests: { cpu: 200, memory: MIB },
      estimate: { cpuMilli: 200, memoryBytes: MIB },
    });
    const counts = placeMany(12, small, [nodeOf('a', { live: live(0.7) }), nodeOf('b')]);
    assert.ok((counts['b'] ?? 0) <= 10 && (counts['a'] ?? 0) >= 2, JSON.stringify(counts));
  });

  it('takes the least loaded when CPU is short everywhere, and says so', () => {
    const placed = place(podOf(), [nodeOf('a', { live: live(1) }), nodeOf('b', { live: live(0.97) })]);
    assert.ok(placed.ok && placed.cpuSaturated && placed.node === 'b');
    assert.match(placed.ok ? placementText(placed, 2) : '', 'no node has live CPU headroom');
  });

  it('takes unknown for half loaded, not for idle, and says so', () => {
    const stale = nodeOf('a', { live: undefined });
    assert.is(chosen(podOf(), [stale, nodeOf('b')]), 'b');
    const placed = place(podOf(), [stale, nodeOf('b', { live: live(0.9) })]);
    assert.ok(placed.ok && placed.node === 'a' && placed.staleTelemetry);
    assert.match(placed.ok ? placementText(placed, 2) : '', 'judged by requests alone');
  });

  it('takes loads below half for alike while somebody has yet to tell, and no others', () => {
    const told = nodeOf('b', { levelled: true });
    const untold = nodeOf('a', { live: undefined, levelled: true });
    assert.is(chosen(podOf(), [told, untold]), 'a', 'the first by name of two that are alike');
    assert.is(chosen(podOf(), [nodeOf('b'), untold]), 'b');
    assert.equal(placeMany(6, podOf({ ownerUid: undefined }), [told, untold]), { a: 3, b: 3 });
    assert.is(chosen(podOf(), [nodeOf('b', { live: live(0.7), levelled: true }), untold]), 'a');
    const busy = nodeOf('a', { live: live(0.7), levelled: true });
    assert.is(chosen(podOf(), [told, busy]), 'b');
  });

  const preferA = {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 10,
        preference: { matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: ['a'] }] },
      },
    ],
  };
  const choices: readonly [string, Partial<PodToPlace>, readonly NodeState[], string][] = [
    ['prefers the less loaded', {}, [nodeOf('a', { live: live(0.7) }), nodeOf('b')], 'b'],
    ['prefers free memory', {}, [nodeOf('a', { live: live(0.1, 0.8) }), nodeOf('b')], 'b'],
    ['prefers fewer requests', {}, [nodeOf('a', { requested: { cpu: 1500 } }), nodeOf('b')], 'b'],
    [
      'follows preferred affinity',
      { nodeAffinity: preferA },
      [nodeOf('b'), nodeOf('a', { live: live(0.3) })],
      'a',
    ],
    [
      'avoids PreferNoSchedule',
      {},
      [nodeOf('a', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }), nodeOf('b', { live: live(0.2) })],
      'b',
    ],
    [
      'avoids a throttled board',
      {},
      [nodeOf('a', { live: live(0.05, 0.2, { throttled: true }) }), nodeOf('b')],
      'b',
    ],
    [
      'avoids a hot board',
      {},
      [nodeOf('a', { live: live(0.05, 0.2, { temperatureCelsius: 79 }) }), nodeOf('b')],
      'b',
    ],
    [
      'prefers a node with the image',
      {},
      [
        nodeOf('a', { images: new Map([['x', 0]]) }),
        nodeOf('b', { images: new Map([['docker.io/library/busybox:latest', 0]]) }),
      ],
      'b',
    ],
    ['goes by name at last', {}, [nodeOf('b'), nodeOf('a')], 'a'],
  ];
  for (const [name, pod, nodes, expected] of choices) {
    it(name, () => assert.is(chosen(podOf(pod), nodes), expected));
  }
});

function chosen(pod: PodToPlace, nodes: readonly NodeState[]): string {
  const placed = place(pod, nodes);
  return placed.ok ? placed.node : refusalText(placed.reasons);
}
