import * as assert from 'uvu/assert';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const available = (world: HubWorld, name: string): boolean => {
  const deployment = world.store.get('Deployment', 'default', name);
  const { spec: wanted, status, metadata } = deployment ?? {};
  return (
    status?.observedGeneration === metadata?.generation &&
    status?.availableReplicas === wanted?.replicas &&
    status?.updatedReplicas === wanted?.replicas &&
    status?.replicas === wanted?.replicas
  );
};

spec('the hub runs deployments on devices', (it) => {
  it('spreads six replicas over three equal workers and says so in the status', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2', 'worker-3');
    await world.deploy('web', 6);
    await world.until(() => world.ready('web').length === 6 && available(world, 'web'));
    assert.equal(world.countByNode('web'), { 'worker-1': 2, 'worker-2': 2, 'worker-3': 2 });
    const deployment = world.store.get('Deployment', 'default', 'web');
    assert.is(deployment?.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
    const reasons = deployment?.status?.conditions?.map((c) => [c.type, c.status, c.reason]);
    assert.equal(reasons, [
      ['Available', 'True', 'MinimumReplicasAvailable'],
      ['Progressing', 'True', 'NewReplicaSetAvailable'],
    ]);
    const [rs] = world.store.list('ReplicaSet', 'default');
    assert.is(rs?.status?.readyReplicas, 6);
    const scheduled = world.store.list('Event', 'default').filter((e) => e.reason === 'Scheduled');
    assert.is(scheduled.length, 6);
    assert.match(scheduled[0]?.message ?? '', /score \d+ of 100, 3 of 3 nodes feasible/);
    await world.stop();
  });

  it('rolls over within its bounds, keeps the history, and rolls back', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await world.deploy('web', 8, {
      strategy: { rollingUpdate: { maxSurge: 2, maxUnavailable: 1 } },
      revisionHistoryLimit: 1,
    });
    await world.until(() => available(world, 'web'));
    let fewest = 8;
    let most = 8;
    const stop = world.store.subscribe(() => {
      fewest = Math.min(fewest, world.ready('web').length);
      most = Math.max(most, world.pods('web').length);
    });
    for (const image of ['busybox:2', 'busybox:3', 'busybox:latest']) {
      await world.store.modify('Deployment', 'default', 'web', (draft) => {
        const [container] = draft.spec.template.spec.containers;
        if (container !== undefined) container.image = image;
        return true;
      });
      await world.until(() => available(world, 'web'));
      await world.until(() => world.pods('web').every((p) => p.spec.containers[0]?.image === image));
    }
    stop();
    assert.ok(fewest >= 7, `never fewer than 7 ready, saw ${fewest}`);
    assert.ok(most <= 10, `never more than 10, saw ${most}`);
    await world.until(() => world.store.list('ReplicaSet', 'default').length === 2);
    const deployment = world.store.get('Deployment', 'default', 'web');
    assert.ok(Number(deployment?.metadata.annotations?.['deployment.kubernetes.io/revision']) >= 3);
    await world.stop();
  });

  it('recreates only when nothing of the old runs', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.deploy('one', 2, { strategy: { type: 'Recreate' } });
    await world.until(() => available(world, 'one'));
    let mixed = false;
    const stop = world.store.subscribe(() => {
      const images = new Set(world.store.list('Pod', 'default').map((p) => p.spec.containers[0]?.image));
      mixed ||= images.size > 1;
    });
    await world.store.modify('Deployment', 'default', 'one', (draft) => {
      const [container] = draft.spec.template.spec.containers;
      if (container !== undefined) container.image = 'busybox:2';
      return true;
    });
    await world.until(
      () =>
        available(world, 'one') &&
        world.pods('one').every((p) => p.spec.containers[0]?.image === 'busybox:2'),
    );
    stop();
    assert.is(mixed, false);
    await world.stop();
  });

  it('takes everything away with the deployment, and the device holds nothing any more', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.deploy('gone', 3);
    await world.until(() => world.ready('gone').length === 3);
    await world.store.delete('Deployment', 'default', 'gone');
    await world.until(
      () =>
        world.store.list('Pod', 'default').length === 0 &&
        world.store.list('ReplicaSet', 'default').length === 0 &&
        device?.running.size === 0 &&
        [...device.held.keys()].every((key) => !key.startsWith('pod/')),
    );
    await world.stop();
  });

  it('sends config with the pods that use it, and its changes', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.store.create('ConfigMap', {
      metadata: { name: 'conf', namespace: 'default' },
      data: { a: '1' },
    });
    await world.deploy('app', 1, {
      template: {
        metadata: { labels: { app: 'app' } },
        spec: {
          containers: [{ name: 'main', image: 'i', envFrom: [{ configMapRef: { name: 'conf' } }] }],
        },
      },
    });
    const data = (): unknown => {
      const item = device?.held.get('configmap/default/conf');
      return item?.kind === 'configmap' ? item.body.data : undefined;
    };
    await world.until(() => JSON.stringify(data()) === '{"a":"1"}');
    await world.store.modify('ConfigMap', 'default', 'conf', (draft) => {
      draft.data = { a: '2' };
      return true;
    });
    await world.until(() => JSON.stringify(data()) === '{"a":"2"}');
    assert.is(device?.starts, 1, 'a change of config restarts nothing');
    await world.stop();
  });

  it('empties and removes a namespace', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.store.create('Namespace', { metadata: { name: 'team' } });
    await world.until(
      () =>
        world.store.get('ConfigMap', 'team', 'kube-root-ca.crt') !== undefined &&
        world.store.get('ServiceAccount', 'team', 'default') !== undefined,
    );
    await world.store.create('Pod', {
      metadata: { name: 'p', namespace: 'team' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    await world.until(() => world.store.get('Pod', 'team', 'p')?.status?.phase === 'Running');
    await world.store.delete('Namespace', '', 'team');
    await world.until(() => world.store.get('Namespace', '', 'team') === undefined);
    assert.is(world.store.list('Pod', 'team').length, 0);
    await world.stop();
  });
});
