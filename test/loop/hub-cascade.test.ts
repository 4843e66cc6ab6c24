import * as assert from 'uvu/assert';
import type { Namespace } from '../../protocol/kinds/core.ts';
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

  it('of a namespace that something holds say what it is, and that it is gone', async () => {
    const world = await HubWorld.start();
    const condition = (type: string): string | undefined => {
      const { conditions = [] } = world.store.get('Namespace', '', 'held')?.status ?? {};
      const found = conditions.find((c) => c.type === type);
      return found && `${found.status} ${found.message}`;
    };
    await world.store.create('Namespace', { metadata: { name: 'held', finalizers: ['example.com/mine'] } });
    await world.store.create('ConfigMap', {
      metadata: { name: 'stays', namespace: 'held', finalizers: ['example.com/hold'] },
    });
    await world.store.delete('Namespace', '', 'held');
    await world.until(() => condition('NamespaceContentRemaining')?.startsWith('True') === true, 100);
    assert.is(
      condition('NamespaceContentRemaining'),
      'True Some resources are remaining: configmaps. has 1 resource instances',
    );
    assert.is(
      condition('NamespaceFinalizersRemaining'),
      'True Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
    );
    const letGo = (draft: { metadata: { finalizers?: string[] } }): true => {
      delete draft.metadata.finalizers;
      return true;
    };
    await world.store.modify('ConfigMap', 'held', 'stays', letGo);
    await world.until(() => condition('NamespaceContentRemaining')?.startsWith('False') === true, 100);
    await world.store.modify('Namespace', '', 'held', letGo);
    await world.until(() => world.store.get('Namespace', '', 'held') === undefined);
    await world.stop();
  });

  it('of a namespace that goes at once write nothing more', async () => {
    const world = await HubWorld.start();
    await world.store.create('Namespace', { metadata: { name: 'brief' } });
    await world.store.create('ConfigMap', { metadata: { name: 'a', namespace: 'brief' } });
    let told = 0;
    world.store.subscribe(({ kind, object }) => {
      if (kind === 'Namespace' && (object as Namespace).status?.conditions !== undefined) told++;
    });
    await world.store.delete('Namespace', '', 'brief');
    await world.until(() => world.store.get('Namespace', '', 'brief') === undefined);
    assert.is(told, 0);
    await world.stop();
  });
});
