import * as assert from 'uvu/assert';
import type { Event } from '../../protocol/kinds/core.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Deployment } from '../../protocol/kinds/workloads.ts';
import { HubWorld } from '../build/hub-world.ts';
import { FailingDisk } from '../fakes/failing-file.ts';
import { MemoryDevice } from '../fakes/memory-devices.ts';
import { spec } from '../spec.ts';

const MINUTE_MS = 60_000;
const MIB = 2 ** 20;

const events = (world: HubWorld, reason: string): Event[] =>
  world.store.list('Event', 'default').filter((e) => e.reason === reason);

const annotate = (world: HubWorld, app: string, annotations: Record<string, string>): Promise<unknown> =>
  world.store.modify('Deployment', 'default', app, (draft) => {
    draft.metadata.annotations = { ...draft.metadata.annotations, ...annotations };
    return true;
  });

const willing = async (
  world: HubWorld,
  app: string,
  replicas: number,
  parts: Partial<Deployment['spec']> = {},
): Promise<void> => {
  await world.deploy(app, replicas, parts);
  await annotate(world, app, {
    'coxswain.dev/rebalance': 'true',
    'coxswain.dev/rebalance-max-moves-per-hour': '60',
  });
  await world.until(() => world.ready(app).length === replicas);
};

const label = (world: HubWorld, node: string, labels: Record<string, string>): Promise<unknown> =>
  world.store.modify('Node', '', node, (draft) => {
    draft.metadata.labels = { ...draft.metadata.labels, ...labels };
    return true;
  });

/** Simulated time between two looks; timers fire in order and on time however long it is, and the disk is memory: nothing waits for it. */
const STEP_MS = 10_000;
const LONG_STEP_MS = 60_000;

/** Beats that are rare beside the minutes that load has to last, and many more than enough: simulated hours cost little. */
const CALM = { heartbeatMs: 30_000, leaseMs: 80_000 };

const begin = (): Promise<HubWorld> => HubWorld.start({ disk: new FailingDisk() });

/** Boots devices and waits until they are ready for pods. */
const join = async (world: HubWorld, ...names: string[]): Promise<MemoryDevice[]> => {
  const devices = names.map((name) => new MemoryDevice(world.link, world.clock, name, CALM));
  for (const device of devices) device.connect();
  await world.until(() => names.every((name) => world.isReady(name)));
  return devices;
};

/** Lets simulated time pass. */
const pass = async (world: HubWorld, forMs: number): Promise<void> => {
  const endMs = world.clock.monotonicMs() + forMs;
  await world.until(() => world.clock.monotonicMs() >= endMs, LONG_STEP_MS);
};

/** The least ready pods there ever were, and the most pods at a time, from now on. */
const watched = (
  world: HubWorld,
  app: string,
): { leastReady: number; mostPods: number; done: () => void } => {
  const seen = { leastReady: Number.POSITIVE_INFINITY, mostPods: 0 };
  const done = world.store.subscribe(({ kind }) => {
    if (kind !== 'Pod') return;
    seen.leastReady = Math.min(seen.leastReady, world.ready(app).length);
    seen.mostPods = Math.max(seen.mostPods, world.pods(app).length);
  });
  return Object.assign(seen, { done });
};

const moved = (world: HubWorld): number =>
  events(world, 'Rebalanced')
    .filter((e) => e.involvedObject.kind === 'Deployment')
    .reduce((n, e) => n + (e.count ?? 1), 0);

spec('rebalancing', (it) => {
  it('gives a device that returns its share back, a new pod first, in as few moves as that takes', async () => {
    const world = await begin();
    const [, , third] = await join(world, 'pi-1', 'pi-2', 'pi-3');
    await willing(world, 'web', 6);
    third?.cut();
    await world.until(
      () => world.ready('web').length === 6 && world.countByNode('web')['pi-3'] === undefined,
      500,
    );
    await pass(world, 4 * MINUTE_MS);
    const seen = watched(world, 'web');
    third?.heal();
    await world.until(() => JSON.stringify(Object.values(world.countByNode('web'))) === '[2,2,2]', STEP_MS);
    await world.until(() => world.ready('web').length === 6 && world.pods('web').length === 6, STEP_MS);
    assert.ok(seen.leastReady >= 6, `ready pods went down to ${seen.leastReady}`);
    assert.is(seen.mostPods, 7);
    await pass(world, 20 * MINUTE_MS);
    assert.is(moved(world), 2, 'nothing moves any more');
    seen.done();
    await world.stop();
  });

  it('moves the next one of a Deployment only once the one before is gone', async () => {
    const world = await begin();
    const [one] = await join(world, 'pi-1');
    await willing(world, 'web', 4);
    await pass(world, 4 * MINUTE_MS);
    if (one !== undefined) one.lingers = true;
    await join(world, 'pi-2');
    await world.until(() => moved(world) > 0, STEP_MS);
    await pass(world, 10 * MINUTE_MS);
    assert.is(moved(world), 1);
    assert.is(world.store.list('Pod', 'default').length, 5, 'the one that was moved still stops');
    one?.letGo();
    await world.until(() => Object.values(world.countByNode('web')).join() === '2,2', STEP_MS);
    assert.is(moved(world), 2);
    await world.stop();
  });

  it('looks again when pods are old enough, though nothing else happens', async () => {
    const world = await begin();
    await join(world, 'dear', 'cheap');
    await label(world, 'dear', { 'coxswain.dev/price': '0.30' });
    await label(world, 'cheap', { 'coxswain.dev/price': '0.10' });
    await willing(world, 'web', 1);
    assert.equal(world.countByNode('web'), { cheap: 1 });
    await label(world, 'cheap', { 'coxswain.dev/price': '0.90' });
    const sinceMs = world.clock.monotonicMs();
    await world.until(() => moved(world) === 1, STEP_MS);
    const tookMs = world.clock.monotonicMs() - sinceMs;
    assert.ok(tookMs >= 3 * MINUTE_MS && tookMs <= 6 * MINUTE_MS, `it took ${tookMs} ms`);
    await world.stop();
  });

  it('leaves those alone who did not ask', async () => {
    const world = await begin();
    await join(world, 'pi-1');
    await world.deploy('web', 4);
    await world.until(() => world.ready('web').length === 4);
    await pass(world, 4 * MINUTE_MS);
    await join(world, 'pi-2');
    await pass(world, 15 * MINUTE_MS);
    assert.equal(world.countByNode('web'), { 'pi-1': 4 });
    await world.stop();
  });

  it('relieves a device that is hot for long, by one pod, and not one that is hot for four minutes', async () => {
    const world = await begin();
    const devices = await join(world, 'pi-1', 'pi-2');
    const [one, two] = devices;
    await willing(world, 'web', 2);
    await willing(world, 'api', 2);
    for (const device of devices)
      device.useOf = () => ({ cpuMilli: Math.round(device.cpuRatio * 1000), memoryBytes: 20 * MIB });
    if (one !== undefined) one.cpuRatio = 0.3;
    if (two !== undefined) two.cpuRatio = 0.1;
    await pass(world, 12 * MINUTE_MS);
    if (one !== undefined) one.cpuRatio = 0.96;
    await pass(world, 4 * MINUTE_MS);
    if (one !== undefined) one.cpuRatio = 0.3;
    await pass(world, 10 * MINUTE_MS);
    assert.is(moved(world), 0);
    if (one !== undefined) one.cpuRatio = 0.96;
    // Devices that are busy with two pods are half as busy with one.
    await world.until(() => events(world, 'Rebalancing').length > 0, STEP_MS);
    if (one !== undefined) one.cpuRatio = 0.48;
    if (two !== undefined) two.cpuRatio = 0.55;
    await pass(world, 15 * MINUTE_MS);
    assert.is(moved(world), 1);
    assert.match(
      events(world, 'Rebalancing')[0]?.message ?? '',
      /from pi-1, pi-2 suits it better: load \(gain /,
    );
    await world.stop();
  });

  it('follows prices', async () => {
    const world = await begin();
    await join(world, 'dear', 'cheap');
    await label(world, 'dear', { 'coxswain.dev/price': '0.30' });
    await label(world, 'cheap', { 'coxswain.dev/price': '0.10' });
    await willing(world, 'web', 1);
    assert.equal(world.countByNode('web'), { cheap: 1 });
    await pass(world, 4 * MINUTE_MS);
    await label(world, 'cheap', { 'coxswain.dev/price': '0.90' });
    const since = world.clock.monotonicMs();
    await world.until(
      () => world.countByNode('web')['dear'] === 1 && world.pods('web').length === 1,
      STEP_MS,
    );
    assert.ok(world.clock.monotonicMs() - since >= MINUTE_MS, 'a change has to stand');
    assert.match(events(world, 'Rebalancing')[0]?.message ?? '', 'price');
    await world.stop();
  });

  it('keeps to disruption budgets and to pods that must stay', async () => {
    const world = await begin();
    await join(world, 'pi-1');
    await world.store.create('PodDisruptionBudget', {
      metadata: { name: 'web', namespace: 'default' },
      spec: { minAvailable: 5, selector: { matchLabels: { app: 'web' } } },
    });
    await willing(world, 'web', 4, { progressDeadlineSeconds: 60 });
    await willing(world, 'fixed', 4, {
      template: {
        metadata: {
          labels: { app: 'fixed' },
          annotations: { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' },
        },
        spec: { containers: [{ name: 'main', image: 'busybox:latest' }] },
      },
    });
    await pass(world, 4 * MINUTE_MS);
    const seen = watched(world, 'web');
    await join(world, 'pi-2');
    await world.until(() => events(world, 'RebalancingUndone').length > 0, STEP_MS);
    assert.match(
      events(world, 'RebalancingUndone')[0]?.message ?? '',
      'disruption budgets did not let it go',
    );
    await world.until(() => world.pods('web').length === 4, STEP_MS);
    assert.ok(seen.leastReady >= 4);
    assert.equal(world.countByNode('fixed'), { 'pi-1': 4 });
    seen.done();
    await world.stop();
  });

  it('goes on with a move after a restart of the hub', async () => {
    const disk = new FailingDisk();
    const first = await HubWorld.start({ disk });
    const [one] = await join(first, 'pi-1');
    await willing(first, 'web', 3);
    await pass(first, 4 * MINUTE_MS);
    const [two] = await join(first, 'pi-2');
    // It hears nothing any more once the move has begun, so that the move lasts.
    const stop = first.store.subscribe(() => void (marked(first) === undefined || two?.cut()));
    const marked = (world: HubWorld): Pod | undefined =>
      world.pods('web').find((p) => p.metadata.annotations?.['coxswain.dev/moving'] !== undefined);
    await first.until(() => marked(first) !== undefined, STEP_MS);
    const uid = marked(first)?.metadata.uid ?? '';
    stop();
    await first.stop(true);
    const second = await HubWorld.start({ disk, directory: first.directory, clock: first.clock });
    for (const device of [one, two]) if (device !== undefined) second.adopt(device);
    const seen = watched(second, 'web');
    await second.until(() => second.store.byUid('Pod', uid) === undefined, 500);
    await second.until(() => second.ready('web').length === 3 && second.pods('web').length === 3, 500);
    assert.is(marked(second), undefined);
    assert.is(second.countByNode('web')['pi-2'], 1);
    assert.ok(seen.leastReady >= 3, `ready pods went down to ${seen.leastReady}`);
    seen.done();
    await second.stop();
  });

  it('keeps to its number an hour over a restart of the hub', async () => {
    const disk = new FailingDisk();
    const first = await HubWorld.start({ disk });
    const [one] = await join(first, 'pi-1');
    await willing(first, 'web', 6);
    await annotate(first, 'web', { 'coxswain.dev/rebalance-max-moves-per-hour': '1' });
    await pass(first, 4 * MINUTE_MS);
    const [two] = await join(first, 'pi-2');
    await first.until(() => moved(first) === 1 && first.pods('web').length === 6, STEP_MS);
    await first.stop(true);
    const second = await HubWorld.start({ disk, directory: first.directory, clock: first.clock });
    for (const device of [one, two]) if (device !== undefined) second.adopt(device);
    await pass(second, 30 * MINUTE_MS);
    assert.equal(second.countByNode('web'), { 'pi-1': 5, 'pi-2': 1 });
    await second.until(() => second.countByNode('web')['pi-2'] === 2, STEP_MS);
    await second.stop();
  });

  it('stops for a rollout, which keeps to its own bounds', async () => {
    const world = await begin();
    await join(world, 'pi-1');
    const strategy = { type: 'RollingUpdate' as const, rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
    await willing(world, 'web', 3, { strategy });
    await pass(world, 4 * MINUTE_MS);
    await join(world, 'pi-2');
    await world.until(() => events(world, 'Rebalancing').length > 0, STEP_MS);
    const seen = watched(world, 'web');
    await world.store.modify('Deployment', 'default', 'web', (draft) => {
      draft.spec.template.spec.containers = [{ name: 'main', image: 'busybox:2' }];
      return true;
    });
    const isNew = (pod: Pod): boolean => pod.spec.containers[0]?.image === 'busybox:2';
    await world.until(
      () => world.ready('web').filter(isNew).length === 3 && world.pods('web').length === 3,
      50,
    );
    assert.ok(seen.leastReady >= 3, `ready pods went down to ${seen.leastReady}`);
    // One for the rollout, one for the move that was under way when it began.
    assert.ok(seen.mostPods <= 5);
    assert.ok(world.pods('web').every((p) => p.metadata.annotations?.['coxswain.dev/moving'] === undefined));
    seen.done();
    await world.stop();
  });

  it('moves what is made in a namespace that has asked long before', async () => {
    const world = await begin();
    await join(world, 'pi-1');
    await world.store.modify('Namespace', '', 'default', (draft) => {
      draft.metadata.annotations = { 'coxswain.dev/rebalance': 'true' };
      return true;
    });
    await pass(world, MINUTE_MS);
    await world.deploy('web', 4);
    await world.until(() => world.ready('web').length === 4);
    await pass(world, 4 * MINUTE_MS);
    await join(world, 'pi-2');
    await world.until(() => Object.values(world.countByNode('web')).join() === '2,2', STEP_MS);
    await world.stop();
  });

  it('tells those who only want to know what it would do, once, and does not', async () => {
    const world = await begin();
    await join(world, 'pi-1');
    await world.deploy('web', 4);
    await annotate(world, 'web', { 'coxswain.dev/rebalance': 'preview' });
    await world.until(() => world.ready('web').length === 4);
    await pass(world, 4 * MINUTE_MS);
    await join(world, 'pi-2');
    await pass(world, 15 * MINUTE_MS);
    assert.equal(world.countByNode('web'), { 'pi-1': 4 });
    const [told, ...others] = events(world, 'RebalancingPreview');
    assert.equal(others, []);
    assert.is(told?.count ?? 1, 1);
    assert.match(
      told?.message ?? '',
      /^Would move pod web-\S+ from pi-1, pi-2 suits it better: rules \(gain /,
    );
    await annotate(world, 'web', { 'coxswain.dev/rebalance': 'true' });
    await world.until(() => Object.values(world.countByNode('web')).join() === '2,2', STEP_MS);
    await world.stop();
  });

  it('says so when an annotation cannot be read, and treats it as off', async () => {
    const world = await begin();
    await join(world, 'pi-1');
    await world.deploy('web', 2);
    await annotate(world, 'web', { 'coxswain.dev/rebalance': 'yes' });
    await world.until(() => events(world, 'InvalidAnnotation').length === 1, 500);
    assert.match(events(world, 'InvalidAnnotation')[0]?.message ?? '', 'coxswain.dev/rebalance: "yes"');
    await world.stop();
  });
});
