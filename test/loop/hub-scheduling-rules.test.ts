import * as assert from 'uvu/assert';
import type { VolumeNodes } from '../../hub/scheduler/volume-binder.ts';
import { HubWorld } from '../build/hub-world.ts';
import { aboutApp, evenly, ruled } from '../build/scheduling.ts';
import {
  asking,
  conditionOf,
  createPod,
  eventsOf,
  failedTries,
  nodeOfPod,
  podNow,
  whyPending,
} from '../build/scheduling-world.ts';
import { spec } from '../spec.ts';

const HOST = 'kubernetes.io/hostname';
const alone = ruled('away', aboutApp('web', HOST));

spec('the scheduler and rules between pods', (it) => {
  it('keeps pods apart, says so, and goes on when a device joins or a pod leaves', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    const web = { app: 'web' };
    await createPod(world, 'one', alone, web);
    await world.until(() => nodeOfPod(world, 'one') === 'worker-1');
    await createPod(world, 'two', alone, web);
    await createPod(world, 'three', alone, web);
    await world.until(() => eventsOf(world, 'FailedScheduling').length === 2);
    assert.match(
      whyPending(world, 'two'),
      "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod. worker-1:",
    );
    await world.devices('worker-2');
    await world.until(() => nodeOfPod(world, 'two') === 'worker-2');
    assert.is(nodeOfPod(world, 'three'), undefined);
    await world.store.delete('Pod', 'default', 'one');
    await world.until(() => nodeOfPod(world, 'three') === 'worker-1');
    await world.stop();
  });

  it('waits for company', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await createPod(world, 'follower', ruled('near', aboutApp('leader', HOST)));
    await world.until(() => eventsOf(world, 'FailedScheduling').length === 1);
    assert.match(whyPending(world, 'follower'), "2 node(s) didn't match pod affinity rules");
    const tries = failedTries(world);
    await createPod(world, 'stranger');
    await world.until(() => nodeOfPod(world, 'stranger') !== undefined);
    assert.is(failedTries(world), tries, 'a stranger is no company');
    await createPod(world, 'leader', { nodeSelector: { [HOST]: 'worker-2' } });
    await world.until(() => nodeOfPod(world, 'follower') === 'worker-2');
    await world.stop();
  });

  it('spreads a burst evenly', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2', 'worker-3');
    const even = { topologySpreadConstraints: [evenly('web', HOST)] };
    for (let i = 0; i < 9; i++) await createPod(world, `web-${i}`, even, { app: 'web' });
    await world.until(() => world.ready('web').length === 9);
    assert.equal(world.countByNode('web'), { 'worker-1': 3, 'worker-2': 3, 'worker-3': 3 });
    await world.stop();
  });
});

spec('the scheduler and those who wait', (it) => {
  it('leaves gated pods alone until their gates are gone', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await createPod(world, 'gated', { schedulingGates: [{ name: 'example.com/hold' }] });
    await world.until(() => conditionOf(world, 'gated', 'PodScheduled') === 'False SchedulingGated');
    await world.clock.advance(10_000);
    assert.is(nodeOfPod(world, 'gated'), undefined);
    await world.store.modify('Pod', 'default', 'gated', (draft) => {
      draft.spec.schedulingGates = [];
      return true;
    });
    await world.until(() => world.ready('gated').length === 1);
    assert.match(conditionOf(world, 'gated', 'PodScheduled'), 'True');
    await world.stop();
  });

  it('does not try a crowd that waits because of something small', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await createPod(world, 'here', asking('600Mi'));
    await world.until(() => nodeOfPod(world, 'here') !== undefined);
    await createPod(world, 'small', asking('8Mi'));
    for (let i = 0; i < 60; i++) await createPod(world, `big-${i}`, asking('600Mi'), { app: 'big' });
    await world.until(() => failedTries(world) === 60);
    await world.clock.advance(20_000);
    await world.store.delete('Pod', 'default', 'small');
    await world.until(() => podNow(world, 'small') === undefined);
    await world.clock.advance(20_000);
    assert.is(failedTries(world), 60, 'a small pod that leaves helps nobody');
    await world.store.delete('Pod', 'default', 'here');
    await world.until(() => world.ready('big').length === 1);
    await world.clock.advance(20_000);
    assert.ok(failedTries(world) <= 62, `one came in, one found no room after it: ${failedTries(world)}`);
    await world.stop();
  });

  it('asks where the volumes of a pod are, and makes them ready before it binds', async () => {
    let answer: VolumeNodes = { ok: false, why: 'pod has unbound immediate PersistentVolumeClaims' };
    const prepared: string[] = [];
    const volumes = {
      allowed: () => answer,
      prepare: async (pod: { metadata: { name: string } }, node: string) => {
        assert.is(nodeOfPod(world, pod.metadata.name), undefined);
        prepared.push(`${pod.metadata.name} ${node}`);
        if (prepared.length === 1) throw new Error('the disk was not there yet');
      },
    };
    const world = await HubWorld.start({ scheduler: { volumes } });
    await world.devices('worker-1', 'worker-2');
    await createPod(world, 'db');
    await world.until(() => eventsOf(world, 'FailedScheduling').length === 1);
    assert.match(
      whyPending(world, 'db'),
      '0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.',
    );
    const there = { key: HOST, operator: 'In' as const, values: ['worker-2'] };
    answer = { ok: true, required: [[{ matchExpressions: [there] }]] };
    await world.store.create('PersistentVolume', {
      metadata: { name: 'v' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        hostPath: { path: '/data' },
      },
    });
    await world.until(() => world.ready('db').length === 1);
    assert.equal(prepared, ['db worker-2', 'db worker-2'], 'a failure is tried again');
    await world.stop();
  });

  it('refuses devices that an image is known not to be made for', async () => {
    const world = await HubWorld.start();
    const [, other] = await world.devices('worker-1', 'worker-2');
    const own = world.store.get('Node', '', 'worker-1')?.metadata.labels?.['kubernetes.io/arch'] ?? '';
    assert.ok(other !== undefined && own !== '');
    await world.store.modify('Node', '', 'worker-1', (draft) => {
      draft.metadata.annotations = { 'coxswain.dev/image-platforms': JSON.stringify({ riscv64: ['i'] }) };
      return true;
    });
    await createPod(world, 'odd');
    await world.until(() => eventsOf(world, 'FailedScheduling').length === 1);
    assert.match(
      whyPending(world, 'odd'),
      `2 node(s) can't run an image: image i is for riscv64, node is ${own}`,
    );
    await world.store.modify('Node', '', 'worker-1', (draft) => {
      draft.metadata.annotations = {};
      return true;
    });
    await world.until(() => nodeOfPod(world, 'odd') !== undefined);
    await world.stop();
  });
});
