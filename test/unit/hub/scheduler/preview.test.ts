import * as assert from 'uvu/assert';
import { podToPlace } from '../../../../hub/decide/pod-to-place.ts';
import { Preview } from '../../../../hub/scheduler/preview.ts';
import type { Node } from '../../../../protocol/kinds/node.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { aboutApp, evenly, nodeObject, PlacementWorld, podObject, ruled } from '../../../build/scheduling.ts';
import { spec } from '../../../spec.ts';

const HOST = 'kubernetes.io/hostname';
const tainted = (key: string): Node => nodeObject('a', { spec: { taints: [{ key, effect: 'NoSchedule' }] } });
const web = (name: string, on: string, spec: Partial<Pod['spec']> = {}): Pod => ({
  ...podObject(name, { on, labels: { app: 'web' }, spec }),
});

/** Where the first of the pods would go, and whether rules between pods want it away. */
function elsewhere(nodes: readonly Node[], pods: readonly Pod[]): string | undefined {
  const { state, placer } = new PlacementWorld(nodes, pods);
  const [pod] = pods;
  if (pod === undefined) return undefined;
  const preview = new Preview(state, placer, (each) => podToPlace(each));
  return preview.elsewhere({ pod, use: undefined }, (o) => `${o.to.name}${o.unruly ? ' unruly' : ''}`);
}

spec('Preview', (it) => {
  const b = nodeObject('b');
  const even = { topologySpreadConstraints: [evenly('web', HOST)] };
  const cases: readonly [string, string | undefined, string | undefined][] = [
    [
      'a pod on a node that is too hot for more',
      elsewhere([tainted('coxswain.dev/temperature-pressure'), b], [web('p', 'a')]),
      'b',
    ],
    [
      'not one on a node that people keep for others',
      elsewhere([tainted('team'), b], [web('p', 'a')]),
      undefined,
    ],
    [
      'not one on a cordoned node',
      elsewhere([nodeObject('a', { spec: { unschedulable: true } }), b], [web('p', 'a')]),
      undefined,
    ],
    ['not where there is no other node', elsewhere([nodeObject('a')], [web('p', 'a')]), undefined],
    [
      'one that is too many where it is',
      elsewhere(
        [nodeObject('a'), b],
        ['p', 'q', 'r'].map((name) => web(name, 'a', even)),
      ),
      'b unruly',
    ],
    [
      'not one whose replacement cannot be there beside it',
      elsewhere(
        [nodeObject('a', { labels: { zone: 'z' } }), nodeObject('b', { labels: { zone: 'z' } })],
        [web('p', 'a', ruled('away', aboutApp('web', 'zone')))],
      ),
      undefined,
    ],
  ];
  for (const [name, is, expected] of cases) it(`shows ${name}`, () => assert.is(is, expected));

  it('thinks the pod away with what it really uses, and puts everything back', () => {
    const { state, placer } = new PlacementWorld(
      [nodeObject('a'), b],
      [web('p', 'a'), podObject('q', { on: 'a', requests: { cpu: '1' } })],
    );
    const preview = new Preview(state, placer, (each) => podToPlace(each));
    const use = { cpuMilli: 700, memoryBytes: 5 };
    const seen = preview.elsewhere({ pod: web('p', 'a'), use }, ({ pod, from }) => [
      from.podCount,
      from.assumed.cpuMilli,
      pod.estimate.cpuMilli,
    ]);
    assert.equal(seen, [1, -700, 700]);
    assert.equal([state.nodes.get('a')?.podCount, state.nodes.get('a')?.assumed.cpuMilli], [2, 0]);
  });
});
