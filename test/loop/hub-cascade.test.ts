import * as assert from 'uvu/assert';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

spec('deletion cascades', (it) => {
  it('in the foreground: the owner goes last', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.deploy('web', 2);
    await world.until(() => world.ready('web').length === 2);
    const gone: string[] = [];
    world.store.subscribe(({ type, kind }) => {
      if (type === 'deleted' && kind !== 'Event') gone.push(kind);
    });
    await world.store.delete('Deployment', 'default', 'web', { propagation: 'Foreground' });
    await world.until(() => world.store.get('Deployment', 'default', 'web') === undefined);
    assert.equal(gone, ['Pod', 'Pod', 'ReplicaSet', 'Deployment']);
    await world.stop();
  });

  it('or leave orphans, which go on running and can be adopted again', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.deploy('web', 2);
    await world.until(() => world.ready('web').length === 2);
    await world.store.delete('Deployment', 'default', 'web', { propagation: 'Orphan' });
    await world.until(() => world.store.get('Deployment', 'default', 'web') === undefined);
    await world.clock.advance(1_000);
    const [rs] = world.store.list('ReplicaSet', 'default');
    assert.is(rs?.metadata.ownerReferences, undefined);
    assert.is(world.ready('web').length, 2);
    const before = world.pods('web').map((p) => p.metadata.uid);
    await world.store.delete('ReplicaSet', 'default', rs?.metadata.name ?? '', { propagation: 'Orphan' });
    await world.until(() => world.store.list('ReplicaSet', 'default').length === 0);
    await world.until(() => world.pods('web').every((p) => p.metadata.ownerReferences === undefined));
    const { labels = {} } = rs?.metadata ?? {};
    await world.store.create('ReplicaSet', {
      metadata: { name: 'heir', namespace: 'default' },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'busybox:latest' }] } },
      },
    });
    await world.until(() => world.pods('web').every((p) => p.metadata.ownerReferences?.[0]?.name === 'heir'));
    assert.equal(
      world.pods('web').map((p) => p.metadata.uid),
      before,
    );
    assert.is(device?.starts, 2, 'nothing was started again');
    await world.stop();
  });

  it('let go of a pod that is relabelled, and replace it', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.deploy('web', 1);
    await world.until(() => world.ready('web').length === 1);
    const [pod] = world.pods('web');
    await world.store.modify('Pod', 'default', pod?.metadata.name ?? '', (draft) => {
      draft.metadata.labels = { app: 'debug' };
      return true;
    });
    await world.until(() => world.ready('web').length === 1 && world.ready('debug').length === 1);
    await world.until(
      () =>
        world.pods('debug')[0]?.metadata.ownerReferences === undefined ||
        world.pods('debug')[0]?.metadata.ownerReferences?.length === 0,
    );
    await world.stop();
  });
});
