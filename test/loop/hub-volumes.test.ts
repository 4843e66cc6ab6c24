import * as assert from 'uvu/assert';
import type { PersistentVolume, PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const claimOf = (world: HubWorld, name: string): PersistentVolumeClaim | undefined =>
  world.store.get('PersistentVolumeClaim', 'default', name);
const volumes = (world: HubWorld): readonly PersistentVolume[] => world.store.list('PersistentVolume');
const phase = (world: HubWorld, name: string): string | undefined =>
  world.store.get('PersistentVolume', '', name)?.status?.phase;
const told = (world: HubWorld, name: string, reason: string): string | undefined =>
  world.store.list('Event', 'default').find((e) => e.involvedObject.name === name && e.reason === reason)
    ?.message;

async function makeClaim(
  world: HubWorld,
  name: string,
  more: Partial<PersistentVolumeClaim['spec']> = {},
): Promise<void> {
  await world.store.create('PersistentVolumeClaim', {
    metadata: { name, namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
  });
}

async function makePod(world: HubWorld, name: string, claim: string, app = name): Promise<void> {
  await world.store.create('Pod', {
    metadata: { name, namespace: 'default', labels: { app } },
    spec: {
      containers: [{ name: 'main', image: 'busybox' }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
    },
  });
}

async function removePod(world: HubWorld, name: string): Promise<void> {
  await world.store.delete('Pod', 'default', name);
  await world.until(() => world.store.get('Pod', 'default', name) === undefined);
}

function handMade(
  name: string,
  more: Partial<PersistentVolume['spec']> = {},
): {
  metadata: { name: string };
  spec: PersistentVolume['spec'];
} {
  return {
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '2Gi' },
      hostPath: { path: '/srv/data' },
      ...more,
    },
  };
}

spec('the hub keeps volumes', (it) => {
  it('makes a local volume on the node of the first pod, and removes it with its claim', async () => {
    const world = await HubWorld.start();
    const [one, two] = await world.devices('worker-1', 'worker-2');
    await world.until(() => world.store.get('StorageClass', '', 'local-path') !== undefined);
    await makeClaim(world, 'data');
    assert.is(claimOf(world, 'data')?.spec.storageClassName, 'local-path');
    await world.until(() => told(world, 'data', 'WaitForFirstConsumer') !== undefined);
    assert.is(claimOf(world, 'data')?.status?.phase, 'Pending');
    await makePod(world, 'first', 'data');
    await world.until(() => world.ready('first').length === 1);
    const [volume] = volumes(world);
    const name = volume?.metadata.name ?? '';
    assert.is(name, `pvc-${claimOf(world, 'data')?.metadata.uid}`);
    assert.equal([claimOf(world, 'data')?.status?.phase, volume?.status?.phase], ['Bound', 'Bound']);
    assert.equal(claimOf(world, 'data')?.status?.capacity, { storage: '1Gi' });
    const home = world.pods('first')[0]?.spec.nodeName;
    const device = home === 'worker-1' ? one : two;
    assert.equal([...(device?.volumes ?? [])], [name]);

    await world.store.delete('PersistentVolumeClaim', 'default', 'data');
    await world.until(() => claimOf(world, 'data')?.metadata.deletionTimestamp !== undefined);
    assert.ok(claimOf(world, 'data'), 'a claim in use stays');
    device?.cut();
    await world.until(() => !world.isReady(home ?? ''));
    await world.store.delete('Pod', 'default', 'first', { gracePeriodSeconds: 0 });
    await world.until(() => claimOf(world, 'data') === undefined && phase(world, name) === 'Released');
    await world.clock.advance(60_000);
    assert.is(phase(world, name), 'Released', 'nobody has confirmed that the data is gone');
    assert.equal([...(device?.volumes ?? [])], [name]);
    device?.connect(false);
    await world.until(() => volumes(world).length === 0);
    assert.is(device?.volumes.size, 0);
    await world.stop();
  });

  it('sends a pod back to the node of its volume, and says which node that is while it is away', async () => {
    const world = await HubWorld.start();
    const devices = await world.devices('worker-1', 'worker-2', 'worker-3');
    await makeClaim(world, 'data');
    await makePod(world, 'first', 'data');
    await world.until(() => world.ready('first').length === 1);
    const home = world.pods('first')[0]?.spec.nodeName ?? '';
    for (const name of ['again', 'once-more']) {
      await removePod(world, name === 'again' ? 'first' : 'again');
      await makePod(world, name, 'data');
      await world.until(() => world.ready(name).length === 1);
      assert.is(world.pods(name)[0]?.spec.nodeName, home);
    }
    await removePod(world, 'once-more');
    const device = devices.find((d) => d.name === home);
    device?.cut();
    await world.until(() => !world.isReady(home));
    await makePod(world, 'late', 'data');
    await world.until(
      () => told(world, 'late', 'FailedScheduling')?.includes(`lies on node "${home}"`) === true,
    );
    device?.connect(false);
    await world.until(() => world.ready('late').length === 1);
    assert.is(world.pods('late')[0]?.spec.nodeName, home);
    await world.stop();
  });

  it('binds hand-made volumes by class, size and modes, and keeps them', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.store.create('PersistentVolume', handMade('large', { capacity: { storage: '9Gi' } }));
    await world.store.create('PersistentVolume', handMade('small'));
    await world.store.create('PersistentVolume', handMade('other', { storageClassName: 'fast' }));
    await world.until(() => phase(world, 'other') === 'Available');
    await makeClaim(world, 'plain', { storageClassName: '' });
    await makeClaim(world, 'too-large', {
      storageClassName: '',
      resources: { requests: { storage: '1Ti' } },
    });
    await world.until(() => claimOf(world, 'plain')?.status?.phase === 'Bound');
    assert.is(claimOf(world, 'plain')?.spec.volumeName, 'small');
    assert.is(phase(world, 'small'), 'Bound');
    await world.until(() => told(world, 'too-large', 'FailedBinding') !== undefined);
    await makePod(world, 'user', 'plain');
    await world.until(() => world.ready('user').length === 1);
    await removePod(world, 'user');
    await world.store.delete('PersistentVolumeClaim', 'default', 'plain');
    await world.until(() => phase(world, 'small') === 'Released');
    await world.store.delete('PersistentVolume', '', 'small');
    await world.until(() => phase(world, 'small') === undefined);
    await world.stop();
  });

  it('waits with a volume of a class without provisioner until a pod chose its node', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await world.store.create('StorageClass', {
      metadata: { name: 'disk' },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    });
    const expression = { key: 'kubernetes.io/hostname', operator: 'In' as const, values: ['worker-2'] };
    const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } };
    await makeClaim(world, 'disk', { storageClassName: 'disk' });
    await makePod(world, 'early', 'disk');
    await world.until(() => told(world, 'early', 'FailedScheduling') !== undefined);
    const disk = handMade('disk-2', { storageClassName: 'disk', nodeAffinity, local: { path: '/mnt/disk' } });
    delete disk.spec.hostPath;
    await world.store.create('PersistentVolume', disk);
    await world.until(() => world.ready('early').length === 1);
    assert.is(world.pods('early')[0]?.spec.nodeName, 'worker-2');
    assert.is(claimOf(world, 'disk')?.spec.volumeName, 'disk-2');
    await world.stop();
  });

  it('says that a claim is lost, and takes it back with its volume', async () => {
    const world = await HubWorld.start();
    await world.store.create('PersistentVolume', handMade('pv'));
    await makeClaim(world, 'data', { storageClassName: '' });
    await world.until(() => claimOf(world, 'data')?.status?.phase === 'Bound');
    await world.store.modify('PersistentVolume', '', 'pv', (draft) => {
      delete draft.metadata.finalizers;
      return true;
    });
    await world.store.delete('PersistentVolume', '', 'pv');
    await world.until(() => claimOf(world, 'data')?.status?.phase === 'Lost');
    await world.store.create('PersistentVolume', handMade('pv'));
    await world.until(() => claimOf(world, 'data')?.status?.phase === 'Bound');
    await world.stop();
  });

  it('brings pods that share a claim to one node, and never mounts it on another', async () => {
    const world = await HubWorld.start();
    const devices = await world.devices('worker-1', 'worker-2', 'worker-3');
    await makeClaim(world, 'shared');
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(names.map((name) => makePod(world, name, 'shared')));
    await world.until(() => names.every((name) => world.ready(name).length === 1), 50);
    const homes = new Set(names.map((name) => world.pods(name)[0]?.spec.nodeName));
    assert.is(homes.size, 1, [...homes].join());
    const other = devices.find((d) => !homes.has(d.name));
    await world.store.create('Pod', {
      metadata: { name: 'forced', namespace: 'default' },
      spec: {
        nodeName: other?.name ?? '',
        containers: [{ name: 'main', image: 'busybox' }],
        volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'shared' } }],
      },
    });
    await world.until(() => [...(other?.held.values() ?? [])].some((item) => item.kind === 'pod'));
    assert.is(other?.volumes.size, 0);
    await world.stop();
  });

  it('starts each of equal pods as soon as its own claim is bound', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    for (const name of ['a', 'b', 'c']) {
      await makeClaim(world, name, { storageClassName: '' });
      await makePod(world, name, name, 'equal');
    }
    await world.until(() =>
      ['a', 'b', 'c'].every((name) => told(world, name, 'FailedScheduling') !== undefined),
    );
    for (const name of ['c', 'b']) {
      const claimRef = { namespace: 'default', name };
      await world.store.create('PersistentVolume', handMade(`disk-${name}`, { claimRef }));
      await world.until(() => world.store.get('Pod', 'default', name)?.status?.phase === 'Running');
    }
    assert.is(world.store.get('Pod', 'default', 'a')?.spec.nodeName, undefined);
    await world.stop();
  });

  it('says why it makes no volume', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await makeClaim(world, 'shared', { accessModes: ['ReadWriteMany'] });
    await makeClaim(world, 'nowhere', { storageClassName: 'absent' });
    await makePod(world, 'a', 'shared');
    await makePod(world, 'b', 'missing');
    await world.until(() => told(world, 'a', 'FailedScheduling') !== undefined);
    assert.match(told(world, 'a', 'FailedScheduling') ?? '', /only ReadWriteOnce/);
    await world.until(() => /"missing" not found/.test(told(world, 'b', 'FailedScheduling') ?? ''));
    await world.until(() => told(world, 'nowhere', 'ProvisioningFailed') !== undefined);
    await world.stop();
  });
});
