import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { StatefulSet, StatefulSetSpec } from '../../protocol/kinds/workloads.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const setOf = (world: HubWorld): StatefulSet | undefined => world.store.get('StatefulSet', 'default', 'web');
const podOf = (world: HubWorld, ordinal: number): Pod | undefined =>
  world.store.get('Pod', 'default', `web-${ordinal}`);
const imageOf = (world: HubWorld, ordinal: number): string | undefined =>
  podOf(world, ordinal)?.spec.containers[0]?.image;
const claimNames = (world: HubWorld): string[] =>
  world.store.list('PersistentVolumeClaim', 'default').map((claim) => claim.metadata.name);

const isDone = (world: HubWorld, replicas: number): boolean => {
  const set = setOf(world);
  const { status } = set ?? {};
  return (
    status?.observedGeneration === set?.metadata.generation &&
    status?.replicas === replicas &&
    status.availableReplicas === replicas &&
    status.updatedReplicas === replicas
  );
};

async function makeSet(
  world: HubWorld,
  replicas: number,
  more: Partial<StatefulSetSpec> = {},
): Promise<void> {
  await world.store.create('StatefulSet', {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      replicas,
      serviceName: 'web',
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          volumes: [{ name: 'data', emptyDir: {} }],
          containers: [
            { name: 'main', image: 'busybox:1', volumeMounts: [{ name: 'data', mountPath: '/data' }] },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        } as never,
      ],
      ...more,
    },
  });
}

async function change(world: HubWorld, how: (spec: StatefulSetSpec) => void): Promise<void> {
  await world.store.modify('StatefulSet', 'default', 'web', (draft) => {
    how(draft.spec);
    return true;
  });
}

const setImage = (world: HubWorld, image: string): Promise<void> =>
  change(world, (s) => {
    const [container] = s.template.spec.containers;
    if (container !== undefined) container.image = image;
  });

spec('the hub runs stateful sets', (it) => {
  it('starts in order, with names, labels and claims of their own', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    const seen: string[] = [];
    let early = false;
    world.store.subscribe(({ kind, type, object }) => {
      if (kind !== 'Pod' || type !== 'added') return;
      early ||= world.ready('web').length < seen.length;
      seen.push(object.metadata.name);
    });
    await makeSet(world, 3);
    await world.until(() => isDone(world, 3));
    assert.equal(seen, ['web-0', 'web-1', 'web-2']);
    assert.is(early, false, 'each only after all before it were ready');
    assert.equal(claimNames(world), ['data-web-0', 'data-web-1', 'data-web-2']);
    const pod = podOf(world, 1);
    assert.equal([pod?.spec.hostname, pod?.spec.subdomain], ['web-1', 'web']);
    const { labels = {} } = pod?.metadata ?? {};
    assert.is(labels['statefulset.kubernetes.io/pod-name'], 'web-1');
    assert.is(labels['apps.kubernetes.io/pod-index'], '1');
    assert.is(labels['controller-revision-hash'], setOf(world)?.status?.currentRevision);
    await world.stop();
  });

  it('brings a deleted pod back under its name, to its data', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2', 'worker-3');
    await makeSet(world, 3, { podManagementPolicy: 'Parallel' });
    await world.until(() => isDone(world, 3));
    const before = podOf(world, 1);
    await world.store.delete('Pod', 'default', 'web-1');
    await world.until(() => isDone(world, 3) && podOf(world, 1)?.metadata.uid !== before?.metadata.uid);
    assert.is(podOf(world, 1)?.spec.nodeName, before?.spec.nodeName);
    await world.stop();
  });

  it('keeps the claims when scaled down and takes them up again', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await makeSet(world, 3);
    await world.until(() => isDone(world, 3));
    const volume = (): string | undefined =>
      world.store.get('PersistentVolumeClaim', 'default', 'data-web-2')?.spec.volumeName;
    const first = volume();
    await change(world, (s) => {
      s.replicas = 1;
    });
    await world.until(() => isDone(world, 1));
    assert.equal(claimNames(world), ['data-web-0', 'data-web-1', 'data-web-2']);
    await change(world, (s) => {
      s.replicas = 3;
    });
    await world.until(() => isDone(world, 3));
    assert.is(volume(), first);
    await world.stop();
  });

  it('takes the claims along where the retention policy says so', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    const policy = { whenScaled: 'Delete', whenDeleted: 'Delete' };
    await makeSet(world, 3, { persistentVolumeClaimRetentionPolicy: policy });
    await world.until(() => isDone(world, 3));
    await change(world, (s) => {
      s.replicas = 1;
    });
    await world.until(() => isDone(world, 1) && claimNames(world).join() === 'data-web-0');
    await world.until(() => device?.volumes.size === 1);
    await change(world, (s) => {
      s.replicas = 2;
    });
    await world.until(() => isDone(world, 2));
    await world.store.delete('StatefulSet', 'default', 'web', { propagation: 'Background' });
    await world.until(() => claimNames(world).length === 0 && device?.volumes.size === 0);
    await world.until(() => world.store.list('PersistentVolume').length === 0);
    await world.stop();
  });

  it('updates from the top down to the partition, and goes back', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await makeSet(world, 3, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } });
    await world.until(() => isDone(world, 3));
    await setImage(world, 'busybox:2');
    await world.until(() => imageOf(world, 2) === 'busybox:2' && world.ready('web').length === 3);
    await world.until(() => setOf(world)?.status?.updatedReplicas === 1);
    assert.equal([imageOf(world, 0), imageOf(world, 1)], ['busybox:1', 'busybox:1']);
    await world.store.delete('Pod', 'default', 'web-0');
    await world.until(() => world.ready('web').length === 3);
    assert.is(imageOf(world, 0), 'busybox:1', 'below the partition the old revision is made again');
    let fewest = 3;
    const stop = world.store.subscribe(() => {
      fewest = Math.min(fewest, world.ready('web').length);
    });
    await change(world, (s) => {
      s.updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 0 } };
    });
    await world.until(() => isDone(world, 3) && imageOf(world, 0) === 'busybox:2');
    stop();
    assert.is(fewest, 2, 'one at a time');
    await world.until(() => setOf(world)?.status?.currentRevision === setOf(world)?.status?.updateRevision);
    assert.is(world.store.list('ControllerRevision', 'default').length, 2);
    await setImage(world, 'busybox:1');
    await world.until(() => isDone(world, 3) && imageOf(world, 0) === 'busybox:1');
    assert.is(
      world.store.list('ControllerRevision', 'default').length,
      2,
      'a rollback makes no new revision',
    );
    await world.stop();
  });

  it('takes over the pods that an earlier set of its name left, and lets go of others', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await makeSet(world, 2);
    await world.until(() => isDone(world, 2));
    const uids = [podOf(world, 0)?.metadata.uid, podOf(world, 1)?.metadata.uid];
    await world.store.delete('StatefulSet', 'default', 'web', { propagation: 'Orphan' });
    await world.until(() => setOf(world) === undefined);
    assert.is(podOf(world, 1)?.metadata.ownerReferences?.length ?? 0, 0);
    await makeSet(world, 2);
    await world.until(() => isDone(world, 2));
    assert.equal([podOf(world, 0)?.metadata.uid, podOf(world, 1)?.metadata.uid], uids);
    const owner = podOf(world, 1)?.metadata.ownerReferences?.[0];
    assert.is(owner?.uid, setOf(world)?.metadata.uid);
    assert.is(world.store.list('ControllerRevision', 'default').length, 1);
    await world.store.modify('Pod', 'default', 'web-1', (draft) => {
      draft.metadata.labels = { app: 'other' };
      return true;
    });
    await world.until(() => (podOf(world, 1)?.metadata.ownerReferences?.length ?? 0) === 0);
    assert.is(podOf(world, 1)?.metadata.uid, uids[1], 'its name is taken until somebody removes it');
    await world.store.delete('Pod', 'default', 'web-1');
    await world.until(() => isDone(world, 2) && podOf(world, 1)?.metadata.uid !== uids[1]);
    await world.stop();
  });

  it('replaces a pod on a lost node only when it is gone for good', async () => {
    const world = await HubWorld.start();
    const devices = await world.devices('worker-1', 'worker-2');
    await makeSet(world, 2, { volumeClaimTemplates: [], podManagementPolicy: 'Parallel' });
    await world.until(() => isDone(world, 2));
    const home = podOf(world, 0)?.spec.nodeName ?? '';
    const first = podOf(world, 0)?.metadata.uid;
    const device = devices.find((d) => d.name === home);
    device?.cut();
    await world.until(() => podOf(world, 0)?.metadata.deletionTimestamp !== undefined);
    await world.clock.advance(120_000);
    assert.is(podOf(world, 0)?.metadata.uid, first);
    await world.store.delete('Pod', 'default', 'web-0', { gracePeriodSeconds: 0 });
    await world.until(() => world.ready('web').length >= 1 && podOf(world, 0)?.metadata.uid !== first);
    await world.until(() => podOf(world, 0)?.spec.nodeName !== undefined);
    assert.is.not(podOf(world, 0)?.spec.nodeName, home);
    await world.stop();
  });

  it('makes failed pods again, counts from its start, and waits minReadySeconds', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await makeSet(world, 2, { volumeClaimTemplates: [], ordinals: { start: 5 }, minReadySeconds: 30 });
    await world.until(() => podOf(world, 5) !== undefined && world.ready('web').length === 1);
    assert.is(podOf(world, 6), undefined);
    await world.until(() => isDone(world, 2), 1_000);
    const uid = podOf(world, 6)?.metadata.uid;
    await world.store.modify(
      'Pod',
      'default',
      'web-6',
      (draft) => {
        draft.status = { ...draft.status, phase: 'Failed' };
        return true;
      },
      'status',
    );
    await world.until(() => podOf(world, 6) !== undefined && podOf(world, 6)?.metadata.uid !== uid);
    const told = world.store.list('Event', 'default').map((e) => e.reason);
    assert.ok(told.includes('RecreatingFailedPod'), told.join());
    await world.stop();
  });
});
