import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const KEPT = 5;
const FAILURES = 9;

const failed = (world: HubWorld, app: string): Pod[] =>
  world.pods(app).filter((pod) => pod.status?.phase === 'Failed');

spec('failed pods', (it) => {
  it('of one Deployment do not pile up, and the last ones stay to be looked at', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.deploy('web', 1);
    const ended: string[] = [];
    for (let n = 0; n < FAILURES; n++) {
      await world.until(() => world.ready('web').length === 1);
      const uid = world.ready('web')[0]?.metadata.uid ?? '';
      ended.push(uid);
      await world.clock.advance(1_000);
      device?.end(uid, 1);
      await world.until(() => world.store.byUid('Pod', uid)?.status?.phase === 'Failed');
    }
    await world.until(() => world.ready('web').length === 1 && failed(world, 'web').length === KEPT);
    assert.equal(
      failed(world, 'web')
        .map((pod) => pod.metadata.uid)
        .sort(),
      ended.slice(-KEPT).sort(),
    );
    await world.until(() => world.store.list('Pod', 'default').length === KEPT + 1);
    await world.stop();
  });

  it('count together over the revisions of a Deployment', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.deploy('web', 3);
    await world.until(() => world.ready('web').length === 3);
    for (const pod of world.ready('web')) device?.end(pod.metadata.uid, 1);
    await world.until(() => failed(world, 'web').length === 3 && world.ready('web').length === 3);
    await world.store.modify('Deployment', 'default', 'web', ({ spec: { template } }) => {
      template.metadata = { ...template.metadata, annotations: { version: '2' } };
      return true;
    });
    const isNew = (pod: Pod): boolean => pod.metadata.annotations?.['version'] === '2';
    await world.until(() => world.ready('web').length === 3 && world.ready('web').every(isNew));
    await world.clock.advance(1_000);
    for (const pod of world.ready('web')) device?.end(pod.metadata.uid, 1);
    await world.until(() => failed(world, 'web').filter(isNew).length === 3);
    await world.until(() => failed(world, 'web').length === KEPT);
    assert.is(failed(world, 'web').filter(isNew).length, 3, 'the older ones went');
    await world.stop();
  });

  it('of Jobs and of nobody stay', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    const pod = (restartPolicy: 'Never') => ({
      restartPolicy,
      containers: [{ name: 'main', image: 'busybox:latest' }],
    });
    await world.store.create('Job', {
      metadata: { name: 'work', namespace: 'default' },
      spec: {
        parallelism: 7,
        completions: 7,
        backoffLimit: 6,
        template: { metadata: { labels: { app: 'work' } }, spec: pod('Never') },
      },
    });
    for (let n = 0; n < 7; n++)
      await world.store.create('Pod', {
        metadata: { name: `bare-${n}`, namespace: 'default', labels: { app: 'bare' } },
        spec: pod('Never'),
      });
    await world.until(() => world.ready('work').length === 7 && world.ready('bare').length === 7);
    for (const { metadata } of [...world.ready('work'), ...world.ready('bare')]) device?.end(metadata.uid, 1);
    await world.until(() => failed(world, 'bare').length === 7 && failed(world, 'work').length === 7);
    await world.clock.advance(60_000);
    assert.equal([failed(world, 'bare').length, failed(world, 'work').length], [7, 7]);
    await world.stop();
  });
});
