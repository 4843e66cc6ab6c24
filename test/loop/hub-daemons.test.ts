import * as assert from 'uvu/assert';
import type { DaemonSet } from '../../protocol/kinds/workloads.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

async function daemons(world: HubWorld, name: string, parts: Partial<DaemonSet['spec']> = {}): Promise<void> {
  await world.store.create('DaemonSet', {
    metadata: { name, namespace: 'default', annotations: { 'kubernetes.io/change-cause': 'first' } },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image: 'busybox:1' }] },
      },
      ...parts,
    },
  });
}

async function setImage(world: HubWorld, name: string, image: string): Promise<void> {
  await world.store.modify('DaemonSet', 'default', name, (draft) => {
    const [container] = draft.spec.template.spec.containers;
    if (container !== undefined) container.image = image;
    return true;
  });
}

const status = (world: HubWorld, name: string): DaemonSet['status'] =>
  world.store.get('DaemonSet', 'default', name)?.status;

const done = (world: HubWorld, name: string, nodes: number): boolean => {
  const set = world.store.get('DaemonSet', 'default', name);
  const { desiredNumberScheduled, updatedNumberScheduled, numberAvailable } = set?.status ?? {};
  return (
    set?.status?.observedGeneration === set?.metadata.generation &&
    [desiredNumberScheduled, updatedNumberScheduled, numberAvailable].every((n) => n === nodes) &&
    world.pods(name).length === nodes
  );
};

const revisions = (world: HubWorld): [number, string | undefined][] =>
  world.store
    .list('ControllerRevision', 'default')
    .map((r): [number, string | undefined] => [
      r.revision,
      (r.data as { spec: DaemonSet['spec'] }).spec.template.spec.containers[0]?.image,
    ])
    .sort(([a], [b]) => a - b);

spec('the hub runs daemon sets on devices', (it) => {
  it('has one pod on every device, also on one that joins, none on one that is deleted', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await daemons(world, 'probe');
    await world.until(() => done(world, 'probe', 2));
    assert.equal(world.countByNode('probe'), { 'worker-1': 1, 'worker-2': 1 });
    await world.devices('worker-3');
    await world.until(() => done(world, 'probe', 3));
    assert.equal(world.countByNode('probe'), { 'worker-1': 1, 'worker-2': 1, 'worker-3': 1 });
    const [pod] = world.pods('probe');
    await world.store.delete('Pod', 'default', pod?.metadata.name ?? '');
    await world.until(() => done(world, 'probe', 3) && !world.pods('probe').some((p) => p === pod));
    await world.store.delete('DaemonSet', 'default', 'probe');
    await world.until(() => world.store.list('Pod', 'default').length === 0);
    await world.until(() => world.store.list('ControllerRevision', 'default').length === 0);
    await world.stop();
  });

  it('rolls over one device at a time, keeps the history, and rolls back', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2', 'worker-3');
    await daemons(world, 'probe', { revisionHistoryLimit: 1 });
    await world.until(() => done(world, 'probe', 3));
    let fewest = 3;
    let most = 3;
    const stop = world.store.subscribe(() => {
      fewest = Math.min(fewest, world.ready('probe').length);
      most = Math.max(most, world.pods('probe').length);
    });
    for (const image of ['busybox:2', 'busybox:3', 'busybox:2']) {
      await setImage(world, 'probe', image);
      await world.until(() => done(world, 'probe', 3));
      assert.ok(world.pods('probe').every((p) => p.spec.containers[0]?.image === image));
    }
    stop();
    assert.is(fewest, 2);
    assert.is(most, 3);
    await world.until(() => revisions(world).length === 2);
    assert.equal(revisions(world), [
      [3, 'busybox:3'],
      [4, 'busybox:2'],
    ]);
    const [revision] = world.store.list('ControllerRevision', 'default');
    assert.is(revision?.metadata.annotations?.['kubernetes.io/change-cause'], 'first');
    assert.is(revision?.metadata.labels?.['app'], 'probe');
    await world.stop();
  });

  it('with surge is never without', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2', 'worker-3');
    const rollingUpdate = { maxUnavailable: 0, maxSurge: 1 };
    await daemons(world, 'probe', { updateStrategy: { type: 'RollingUpdate', rollingUpdate } });
    await world.until(() => done(world, 'probe', 3));
    let fewest = 3;
    let most = 3;
    const stop = world.store.subscribe(() => {
      fewest = Math.min(fewest, world.ready('probe').length);
      most = Math.max(most, world.pods('probe').length);
    });
    await setImage(world, 'probe', 'busybox:2');
    await world.until(() => done(world, 'probe', 3));
    stop();
    assert.is(fewest, 3);
    assert.is(most, 4);
    await world.stop();
  });

  it('with OnDelete waits for somebody to delete the pod', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await daemons(world, 'probe', { updateStrategy: { type: 'OnDelete' } });
    await world.until(() => done(world, 'probe', 2));
    await setImage(world, 'probe', 'busybox:2');
    await world.until(() => status(world, 'probe')?.updatedNumberScheduled === 0);
    const pod = world.pods('probe').find((p) => p.spec.nodeName === 'worker-1');
    await world.store.delete('Pod', 'default', pod?.metadata.name ?? '');
    await world.until(
      () => status(world, 'probe')?.updatedNumberScheduled === 1 && world.ready('probe').length === 2,
    );
    const images = world.pods('probe').map((p) => [p.spec.nodeName, p.spec.containers[0]?.image]);
    assert.equal(Object.fromEntries(images), { 'worker-1': 'busybox:2', 'worker-2': 'busybox:1' });
    await world.stop();
  });

  it('follows labels and taints, and stays on a cordoned device and on one that goes away', async () => {
    const world = await HubWorld.start();
    const [first] = await world.devices('worker-1', 'worker-2');
    await daemons(world, 'probe');
    await world.until(() => done(world, 'probe', 2));
    const before = world.pods('probe').map((p) => p.metadata.uid);
    await world.store.modify('Node', '', 'worker-2', (draft) => {
      draft.spec.unschedulable = true;
      return true;
    });
    await world.until(() => world.store.get('Node', '', 'worker-2')?.spec.taints?.length === 1);
    first?.cut();
    await world.until(() => !world.isReady('worker-1'), 500);
    await world.until(() => status(world, 'probe')?.numberMisscheduled === 1);
    await world.clock.advance(60_000);
    assert.equal(
      world.pods('probe').map((p) => p.metadata.uid),
      before,
      'nothing was evicted or made again',
    );
    first?.heal();
    await world.until(() => world.isReady('worker-1') && done(world, 'probe', 2), 500);
    await world.store.modify('Node', '', 'worker-2', (draft) => {
      draft.spec.taints = [...(draft.spec.taints ?? []), { key: 'away', effect: 'NoExecute' }];
      return true;
    });
    await world.until(() => done(world, 'probe', 1));
    assert.equal(world.countByNode('probe'), { 'worker-1': 1 });
    await world.stop();
  });

  it('replaces a failed pod, the next time not at once', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await daemons(world, 'probe');
    await world.until(() => done(world, 'probe', 1));
    const fail = async (): Promise<string> => {
      const [pod] = world.pods('probe');
      await world.store.modify(
        'Pod',
        'default',
        pod?.metadata.name ?? '',
        (draft) => {
          draft.status = { phase: 'Failed', reason: 'Evicted' };
          return true;
        },
        'status',
      );
      return pod?.metadata.uid ?? '';
    };
    const first = await fail();
    await world.until(() => done(world, 'probe', 1) && world.pods('probe')[0]?.metadata.uid !== first, 1);
    const second = await fail();
    const failedAtMs = world.clock.monotonicMs();
    await world.until(() => done(world, 'probe', 1) && world.pods('probe')[0]?.metadata.uid !== second, 1);
    assert.ok(
      world.clock.monotonicMs() - failedAtMs > 500,
      `after ${world.clock.monotonicMs() - failedAtMs} ms`,
    );
    const events = world.store.list('Event', 'default').filter((e) => e.reason === 'FailedDaemonPod');
    assert.is(events.length, 2);
    assert.match(
      events[0]?.message ?? '',
      /^Found failed daemon pod default\/probe-.* on node worker-1, will try to kill it$/,
    );
    await world.stop();
  });

  it('takes over pods and history that were left behind', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await daemons(world, 'probe');
    await world.until(() => done(world, 'probe', 2));
    const before = world.pods('probe').map((p) => p.metadata.uid);
    await world.store.delete('DaemonSet', 'default', 'probe', { propagation: 'Orphan' });
    await world.until(() => world.store.get('DaemonSet', 'default', 'probe') === undefined);
    await daemons(world, 'probe');
    await world.until(() => done(world, 'probe', 2));
    assert.equal(
      world.pods('probe').map((p) => p.metadata.uid),
      before,
    );
    assert.is(world.store.list('ControllerRevision', 'default').length, 1);
    await world.stop();
  });
});
