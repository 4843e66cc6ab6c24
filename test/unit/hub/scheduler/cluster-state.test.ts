import * as assert from 'uvu/assert';
import { podSelector } from '../../../../hub/decide/affinity.ts';
import { podToPlace } from '../../../../hub/decide/pod-to-place.ts';
import type { LiveTelemetry } from '../../../../hub/scheduler/cluster-state.ts';
import { PodCounts } from '../../../../hub/scheduler/pod-counts.ts';
import { aboutApp, nodeObject, PlacementWorld, podObject, ruled } from '../../../build/scheduling.ts';
import { spec } from '../../../spec.ts';

const sample = (confirmedAtMs: number): LiveTelemetry => ({
  cpuRatio: 0.1,
  heldCpuRatio: 0.1,
  heldMemoryRatio: 0.1,
  memoryUsedBytes: 1e8,
  memoryTotalBytes: 1e9,
  confirmedAtMs,
  windowMs: 1_000,
});

spec('the state that placement keeps', (it) => {
  it('counts the estimate of a placed pod until telemetry covers it', () => {
    let live: LiveTelemetry | undefined = sample(0);
    const world = new PlacementWorld([nodeObject('a')], [], () => live);
    const { state } = world;
    const assumed = (): number | undefined => state.nodes.get('a')?.assumed.cpuMilli;
    const pod = podObject('p', { requests: { cpu: '300m' } });
    state.assume(podToPlace(pod), 'a');
    assert.is(assumed(), 300);
    state.observe(podObject('p', { requests: { cpu: '300m' }, on: 'a', phase: 'Pending' }), 1_000);
    live = sample(9_000);
    state.refreshLive();
    assert.is(assumed(), 300, 'it does not run yet');
    state.observe(podObject('p', { requests: { cpu: '300m' }, on: 'a' }), 10_000);
    live = sample(10_500);
    state.refreshLive();
    assert.is(assumed(), 300, 'the window begins before it ran');
    live = sample(11_000);
    state.refreshLive();
    assert.is(assumed(), 0);
    assert.is(state.nodes.get('a')?.requested['cpu'], 300, 'what it requested stays');
    state.forget('p');
    assert.is(state.nodes.get('a')?.requested['cpu'], undefined);
  });

  it('takes stale telemetry for none', () => {
    let live: LiveTelemetry | undefined = sample(0);
    const { state } = new PlacementWorld([nodeObject('a')], [], () => live);
    assert.is(state.nodes.get('a')?.live?.heldCpuRatio, 0.1);
    live = undefined;
    state.refreshLive();
    assert.is(state.nodes.get('a')?.live, undefined);
  });

  it('levels loads until every ready node has told its own once, whichever comes or goes', () => {
    const told = new Set(['a']);
    const unready = nodeObject('c');
    const world = new PlacementWorld([nodeObject('a'), nodeObject('b')], [], (name) =>
      told.has(name) ? sample(0) : undefined,
    );
    const { state } = world;
    const levelled = (): boolean[] => state.nodes.nodes.flatMap((n) => (n === undefined ? [] : [n.levelled]));
    assert.equal(levelled(), [true, true]);
    told.add('b');
    state.refreshLive();
    assert.equal(levelled(), [false, false]);
    told.delete('b');
    state.refreshLive();
    assert.equal(levelled(), [false, false], 'a silence later is another thing');
    state.setNode({ ...unready, status: { ...unready.status, conditions: [] } });
    assert.equal(levelled(), [false, false, false], 'nobody waits for a node that is not ready');
    state.setNode(nodeObject('c'));
    assert.equal(levelled(), [true, true, true]);
    state.removeNode('c');
    assert.equal(levelled(), [false, false]);
  });

  it('keeps the pods of a node that is away, and finds them again', () => {
    const pod = podObject('p', { on: 'a', labels: { app: 'web' }, requests: { cpu: '1' } });
    const { state, placer } = new PlacementWorld([nodeObject('a'), nodeObject('b')], [pod]);
    const shy = podToPlace(
      podObject('q', { spec: ruled('away', aboutApp('web', 'kubernetes.io/hostname')) }),
    );
    assert.equal([placer.fits(shy, 'a'), placer.fits(shy, 'b')], [false, true]);
    state.removeNode('a');
    assert.not.ok(placer.fits(shy, 'a'));
    state.setNode(nodeObject('c'));
    assert.ok(placer.fits(shy, 'c'), 'the slot of a is used again, its pods are not');
    state.setNode(nodeObject('a'));
    assert.not.ok(placer.fits(shy, 'a'));
    assert.is(state.nodes.get('a')?.requested['cpu'], 1_000);
  });

  it('keeps slots apart beyond its first capacity', () => {
    const names = Array.from({ length: 150 }, (_, i) => `n${i}`);
    const pods = names.map((name, i) => podObject(`p${i}`, { on: name, labels: { app: 'web' } }));
    const world = new PlacementWorld(
      names.slice(0, 3).map((n) => nodeObject(n)),
      pods,
    );
    const shy = podObject('q', { spec: ruled('away', aboutApp('web', 'kubernetes.io/hostname')) });
    assert.equal(world.feasible(shy), []);
    for (const name of names) world.state.setNode(nodeObject(name));
    assert.equal(world.feasible(shy), []);
    world.state.forget('p149');
    assert.equal(world.feasible(shy), ['n149']);
    assert.is(world.where(shy), 'n149');
  });

  it('thinks pods away and back', () => {
    const pod = podObject('p', { on: 'a', requests: { cpu: '2' } });
    const { state, placer } = new PlacementWorld([nodeObject('a')], [pod]);
    const wanted = podToPlace(podObject('q', { requests: { cpu: '1' } }));
    const resident = state.resident('p');
    assert.ok(resident !== undefined);
    assert.not.ok(placer.fits(wanted, 'a'));
    assert.ok(state.supposing([resident], [], () => placer.fits(wanted, 'a')));
    assert.not.ok(placer.fits(wanted, 'a'));
    assert.not.ok(
      state.supposing([resident], [{ ...resident, pod: { ...resident.pod, uid: 'x' } }], () =>
        placer.fits(wanted, 'a'),
      ),
    );
  });
});

const selecting = (app: string) =>
  podSelector({ namespaces: ['default'], labelSelector: { matchLabels: { app } }, extra: [] });

spec('counts of pods', (it) => {
  it('stay right when more is asked than is kept', () => {
    const counts = new PodCounts(
      () => undefined,
      () => 64,
      10,
    );
    const pods = Array.from({ length: 60 }, (_, i) =>
      podToPlace(podObject(`p${i}`, { labels: { app: `${i}` } })),
    );
    for (const [i, pod] of pods.entries()) counts.add(pod, i % 64);
    const count = (i: number): number =>
      counts.counts([selecting(`${i}`)], true).reduce((sum, n) => sum + n, 0);
    for (let i = 0; i < 60; i++) assert.is(count(i), 1);
    for (const [i, pod] of pods.entries()) if (i % 2 === 0) counts.remove(pod, i % 64);
    for (let i = 0; i < 60; i++) assert.is(count(i), i % 2);
    for (const [i, pod] of pods.entries()) if (i % 2 === 0) counts.add(pod, i % 64);
    for (let i = 0; i < 60; i++) assert.is(count(i), 1);
  });

  it('stay right while label sets and rules come and go', () => {
    const counts = new PodCounts(
      () => undefined,
      () => 4,
    );
    const keeper = podToPlace(podObject('k', { spec: ruled('away', aboutApp('web', 'zone')) }));
    counts.add(keeper, 3);
    for (let i = 0; i < 3_000; i++) {
      const spec = ruled('away', aboutApp(`${i}`, 'zone'));
      const pod = podToPlace(podObject(`p${i}`, { labels: { app: 'web', n: `${i}` }, spec }));
      assert.is(counts.rulesAbout(pod).length, 1);
      counts.add(pod, i % 3);
      if (i % 7 === 0) assert.is(counts.counts([selecting('web')], true)[i % 3], 1);
      counts.remove(pod, i % 3);
    }
    assert.equal([...counts.counts([selecting('web')], true)], [0, 0, 0, 0]);
  });
});
