import * as assert from 'uvu/assert';
import type { Event } from '../../protocol/kinds/core.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const events = (world: HubWorld, reason: string): Event[] =>
  world.store.list('Event', 'default').filter((e) => e.reason === reason);

const bare = (world: HubWorld, name: string, parts: Partial<Pod['spec']> = {}): Promise<Pod> =>
  world.store.create('Pod', {
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { containers: [{ name: 'c', image: 'i' }], ...parts },
  });

const asking = (memory: string): Pod['spec'] => ({
  containers: [{ name: 'c', image: 'i', resources: { requests: { memory } } }],
});

spec('the scheduler', (it) => {
  it('sends twenty of twenty to the idle device', async () => {
    const world = await HubWorld.start();
    const [one, two] = await world.devices('worker-1', 'worker-2', 'worker-3');
    for (const busy of [one, two]) if (busy !== undefined) busy.cpuRatio = 0.9;
    await world.until(() => (world.telemetry.fresh('worker-2')?.load.heldCpuRatio ?? 0) > 0.7, 100);
    await world.deploy('crowd', 20);
    await world.until(() => world.ready('crowd').length === 20);
    assert.equal(world.countByNode('crowd'), { 'worker-3': 20 });
    await world.stop();
  });

  it('tells once, with a count, why a pod is pending, and binds it when something helps', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await bare(world, 'huge', asking('700Mi'));
    await world.until(() => world.ready('huge').length === 1);
    await bare(world, 'next', asking('700Mi'));
    await world.until(() => events(world, 'FailedScheduling').length === 1);
    assert.match(
      events(world, 'FailedScheduling')[0]?.message ?? '',
      /0\/1 nodes .* worker-1: Insufficient memory/,
    );
    const condition = (): unknown =>
      world.store.get('Pod', 'default', 'next')?.status?.conditions?.map((c) => [c.type, c.status, c.reason]);
    await world.until(() => JSON.stringify(condition()) === '[["PodScheduled","False","Unschedulable"]]');
    await world.devices('worker-2');
    await world.until(() => world.ready('next').length === 1);
    assert.is(world.store.get('Pod', 'default', 'next')?.spec.nodeName, 'worker-2');
    await bare(world, 'third', asking('700Mi'));
    await world.until(() => events(world, 'FailedScheduling').length === 2);
    await world.store.delete('Pod', 'default', 'huge');
    await world.until(() => world.ready('third').length === 1);
    assert.is(world.store.get('Pod', 'default', 'third')?.spec.nodeName, 'worker-1');
    await world.stop();
  });

  it('does nothing at all while nothing changes', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await bare(world, 'never', asking('800Gi'));
    await world.until(() => events(world, 'FailedScheduling').length === 1);
    await world.clock.advance(15_000);
    const count = events(world, 'FailedScheduling')[0]?.count;
    const revision = world.store.list('Pod', 'default')[0]?.metadata.resourceVersion;
    await world.clock.advance(60_000);
    assert.is(events(world, 'FailedScheduling')[0]?.count, count);
    assert.is(world.store.list('Pod', 'default')[0]?.metadata.resourceVersion, revision);
    await world.stop();
  });

  it('takes the more important first, leaves other schedulers their pods', async () => {
    const world = await HubWorld.start();
    await world.store.create('PriorityClass', { metadata: { name: 'urgent' }, value: 10 });
    await bare(world, 'low', asking('700Mi'));
    await bare(world, 'high', { ...asking('700Mi'), priorityClassName: 'urgent' });
    await bare(world, 'foreign', { schedulerName: 'other' });
    await world.devices('worker-1');
    await world.until(() => world.ready('high').length === 1);
    assert.is(world.store.get('Pod', 'default', 'low')?.spec.nodeName, undefined);
    assert.is(world.store.get('Pod', 'default', 'foreign')?.spec.nodeName, undefined);
    await world.stop();
  });

  it('spreads the first pods after a restart, whichever device has told its load already', async () => {
    const first = await HubWorld.start();
    const devices = await first.devices('worker-1', 'worker-2', 'worker-3');
    await first.stop(true);
    const world = await HubWorld.start({ directory: first.directory, clock: first.clock });
    for (const device of devices) {
      device.tells = device.name === 'worker-3';
      world.adopt(device);
    }
    await world.until(() => world.telemetry.isFresh('worker-3'));
    const counts = (): Record<string, number> => {
      const all: Record<string, number> = {};
      for (const { spec: placed } of world.store.list('Pod', 'default'))
        if (placed.nodeName !== undefined) all[placed.nodeName] = (all[placed.nodeName] ?? 0) + 1;
      return all;
    };
    const even = { 'worker-1': 4, 'worker-2': 4, 'worker-3': 4 };
    await world.deploy('web', 6);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await bare(world, name);
    await world.until(() => Object.values(counts()).reduce((a, b) => a + b, 0) === 12);
    assert.equal(counts(), even);
    // One that is known to be busy is left out all the same.
    const [, , third] = devices;
    if (third !== undefined) third.cpuRatio = 0.9;
    await world.until(() => (world.telemetry.fresh('worker-3')?.load.heldCpuRatio ?? 0) > 0.8, 100);
    await world.deploy('api', 4);
    await world.until(() => world.ready('api').length === 4);
    assert.equal(world.countByNode('api'), { 'worker-1': 2, 'worker-2': 2 });
    await world.stop();
  });

  it('judges a device with stale telemetry by requests and says so', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    device?.cut();
    await world.clock.advance(6_000);
    assert.is(world.telemetry.isFresh('worker-1'), false);
    assert.ok(world.isReady('worker-1'), 'its lease still runs');
    await bare(world, 'p');
    await world.until(() => events(world, 'Scheduled').length === 1);
    assert.match(events(world, 'Scheduled')[0]?.message ?? '', 'judged by requests alone');
    await world.stop();
  });
});
