import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { HubWorld } from '../build/hub-world.ts';
import {
  asking,
  conditionOf,
  createPod,
  eventsOf,
  nodeOfPod,
  podNow,
  whyPending,
} from '../build/scheduling-world.ts';
import { spec } from '../spec.ts';

/** A pod of `memory` in the priority class of this value. */
const ranked = (memory: string, priority: number, className = `p${priority}`): Partial<Pod['spec']> => ({
  ...asking(memory),
  priorityClassName: className,
});

const large = (priority: number, className?: string): Partial<Pod['spec']> =>
  ranked('600Mi', priority, className);

/** A hub with priority classes p0, p1 ... p10, and `polite`, which drives nobody out. */
async function start(): Promise<HubWorld> {
  const world = await HubWorld.start();
  for (const value of [0, 1, 2, 5, 10])
    await world.store.create('PriorityClass', { metadata: { name: `p${value}` }, value });
  await world.store.create('PriorityClass', {
    metadata: { name: 'polite' },
    value: 9,
    preemptionPolicy: 'Never',
  });
  return world;
}

spec('preemption', (it) => {
  it('makes room for the more important, tells both sides, and takes no more than it needs', async () => {
    const world = await start();
    await world.devices('worker-1');
    await createPod(world, 'low', large(1));
    await createPod(world, 'tiny', ranked('8Mi', 0));
    await world.until(() => world.ready('low').length + world.ready('tiny').length === 2);
    const { uid } = await createPod(world, 'high', large(10)).then((pod) => pod.metadata);
    await world.until(() => eventsOf(world, 'Preempted').length === 1);
    assert.is(eventsOf(world, 'Preempted')[0]?.message, `Preempted by pod ${uid} on node worker-1`);
    assert.is(eventsOf(world, 'Preempted')[0]?.involvedObject.name, 'low');
    await world.until(() => world.ready('high').length === 1);
    assert.is(world.ready('tiny').length, 1);
    assert.is(podNow(world, 'low'), undefined);
    await world.stop();
  });

  it('marks the victim, promises the room, and keeps it from the less important meanwhile', async () => {
    const world = await start();
    const [device] = await world.devices('worker-1');
    await createPod(world, 'low', large(1));
    await world.until(() => world.ready('low').length === 1);
    // Nobody confirms the end of the victim while the device is silent.
    device?.cut();
    await createPod(world, 'high', large(10));
    await world.until(() => podNow(world, 'high')?.status?.nominatedNodeName === 'worker-1');
    await world.until(() => podNow(world, 'low')?.metadata.deletionTimestamp !== undefined);
    assert.is(conditionOf(world, 'low', 'DisruptionTarget'), 'True PreemptionByScheduler');
    await createPod(world, 'late', large(5));
    await world.until(() => whyPending(world, 'late') !== '');
    device?.heal();
    device?.hello();
    await world.until(() => world.ready('high').length === 1);
    assert.is(nodeOfPod(world, 'late'), undefined);
    await world.stop();
  });

  it('gives the promised room to others when the pod it was for is deleted', async () => {
    const world = await start();
    const [device] = await world.devices('worker-1');
    await createPod(world, 'low', large(1));
    await world.until(() => world.ready('low').length === 1);
    device?.cut();
    await createPod(world, 'high', large(10));
    await world.until(() => podNow(world, 'low')?.metadata.deletionTimestamp !== undefined);
    await createPod(world, 'late', large(9, 'polite'));
    await world.until(() => whyPending(world, 'late') !== '');
    await world.store.delete('Pod', 'default', 'high');
    device?.heal();
    device?.hello();
    await world.until(() => world.ready('late').length === 1);
    await world.stop();
  });

  it('sees when room can be made that could not before', async () => {
    const world = await start();
    await world.devices('worker-1');
    await createPod(world, 'equal', ranked('300Mi', 10));
    await createPod(world, 'low', ranked('300Mi', 1));
    await world.until(() => world.ready('equal').length + world.ready('low').length === 2);
    await createPod(world, 'high', ranked('700Mi', 10));
    await world.until(() => whyPending(world, 'high') !== '');
    assert.is(world.ready('low').length, 1);
    await world.store.delete('Pod', 'default', 'equal');
    await world.until(() => world.ready('high').length === 1);
    assert.is(podNow(world, 'low'), undefined);
    await world.stop();
  });

  it('never drives out equals, nor anybody for a pod that says Never', async () => {
    const world = await start();
    await world.devices('worker-1');
    await createPod(world, 'low', large(5));
    await world.until(() => world.ready('low').length === 1);
    await createPod(world, 'equal', large(5));
    await createPod(world, 'polite', large(9, 'polite'));
    await world.until(() => eventsOf(world, 'FailedScheduling').length === 2);
    assert.match(whyPending(world, 'equal'), '1 No preemption victims found for incoming pod');
    assert.match(whyPending(world, 'polite'), 'preemption: not eligible due to preemptionPolicy=Never.');
    await world.clock.advance(10_000);
    assert.is(world.ready('low').length, 1);
    await world.stop();
  });

  it('respects disruption budgets where it can', async () => {
    const world = await start();
    await world.devices('worker-1', 'worker-2');
    await createPod(world, 'guarded', large(1), { app: 'guarded' });
    await createPod(world, 'free', large(2), { app: 'free' });
    await world.until(() => world.ready('guarded').length + world.ready('free').length === 2);
    await world.store.create('PodDisruptionBudget', {
      metadata: { name: 'keep', namespace: 'default' },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'guarded' } } },
    });
    await createPod(world, 'high', large(10));
    await world.until(() => world.ready('high').length === 1);
    assert.is(podNow(world, 'free'), undefined, 'more important, but nobody guards it');
    assert.is(world.ready('guarded').length, 1);
    await world.stop();
  });
});
