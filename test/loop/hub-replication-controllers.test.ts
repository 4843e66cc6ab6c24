import * as assert from 'uvu/assert';
import type { ReplicationController } from '../../protocol/kinds/workloads.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const LABELS = { app: 'old' };

function make(world: HubWorld, replicas?: number): Promise<ReplicationController> {
  return world.store.create('ReplicationController', {
    metadata: { name: 'old', namespace: 'default' },
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      template: {
        metadata: { labels: LABELS },
        spec: { containers: [{ name: 'main', image: 'busybox:latest' }] },
      },
    },
  });
}

const get = (world: HubWorld): ReplicationController | undefined =>
  world.store.get('ReplicationController', 'default', 'old');

async function scale(world: HubWorld, replicas: number): Promise<void> {
  await world.store.modify('ReplicationController', 'default', 'old', (draft) => {
    draft.spec.replicas = replicas;
    return true;
  });
}

spec('replication controllers', (it) => {
  it('keep their number, tell their status, and replace what is lost', async () => {
    const world = await HubWorld.start();
    const [one] = await world.devices('worker-1', 'worker-2');
    const made = await make(world);
    assert.equal([made.spec.replicas, made.spec.selector], [1, LABELS]);
    await world.until(() => world.ready('old').length === 1);
    await scale(world, 4);
    await world.until(() => get(world)?.status?.availableReplicas === 4);
    assert.equal(get(world)?.status, {
      replicas: 4,
      fullyLabeledReplicas: 4,
      readyReplicas: 4,
      availableReplicas: 4,
      observedGeneration: 2,
    });
    const [owner] = world.pods('old')[0]?.metadata.ownerReferences ?? [];
    assert.equal([owner?.apiVersion, owner?.kind, owner?.controller], ['v1', 'ReplicationController', true]);
    const onOne = world.ready('old').find((pod) => pod.spec.nodeName === 'worker-1');
    one?.end(onOne?.metadata.uid ?? '', 1);
    await world.until(() => world.pods('old').length === 5 && world.ready('old').length === 4);
    await scale(world, 1);
    await world.until(() => get(world)?.status?.replicas === 1);
    await world.stop();
  });

  it('adopt pods that nobody owns, let go of relabelled ones, and leave the pods of others', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.store.create('Pod', {
      metadata: { name: 'bare', namespace: 'default', labels: LABELS },
      spec: { containers: [{ name: 'main', image: 'busybox:latest' }] },
    });
    await world.deploy('old', 1);
    await world.until(() => world.ready('old').length === 2);
    await make(world, 2);
    await world.until(() => world.ready('old').length === 3);
    const kinds = (): string[] => world.pods('old').map((p) => p.metadata.ownerReferences?.[0]?.kind ?? '');
    await world.until(
      () => kinds().sort().join() === 'ReplicaSet,ReplicationController,ReplicationController',
    );
    await world.store.modify('Pod', 'default', 'bare', (draft) => {
      draft.metadata.labels = { app: 'aside' };
      return true;
    });
    await world.until(
      () => world.store.get('Pod', 'default', 'bare')?.metadata.ownerReferences === undefined,
    );
    await world.until(() => world.ready('old').length === 3);
    await world.stop();
  });

  it('say why they cannot make their pods, and go on when they can', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.store.create('ResourceQuota', {
      metadata: { name: 'few', namespace: 'default' },
      spec: { hard: { pods: '1', replicationcontrollers: '1' } },
    });
    await make(world, 2);
    const failure = () => get(world)?.status?.conditions?.find((c) => c.type === 'ReplicaFailure');
    await world.until(() => failure() !== undefined && world.ready('old').length === 1);
    assert.equal([failure()?.status, failure()?.reason], ['True', 'FailedCreate']);
    assert.match(
      failure()?.message ?? '',
      'exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1',
    );
    const used = () => world.store.get('ResourceQuota', 'default', 'few')?.status?.used;
    await world.until(() => used()?.['replicationcontrollers'] === '1');
    let refusal = '';
    await world.store
      .create('ReplicationController', {
        metadata: { name: 'second', namespace: 'default' },
        spec: get(world)?.spec ?? {},
      })
      .catch((error: Error) => {
        refusal = error.message;
      });
    assert.match(refusal, 'exceeded quota: few, requested: replicationcontrollers=1');
    await world.store.delete('ResourceQuota', 'default', 'few');
    await world.until(() => world.ready('old').length === 2, 50);
    await world.until(() => failure() === undefined);
    await world.stop();
  });

  it('take their pods with them, or leave them', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await make(world, 2);
    await world.until(() => world.ready('old').length === 2);
    await world.store.delete('ReplicationController', 'default', 'old', { propagation: 'Orphan' });
    await world.until(() => get(world) === undefined);
    await world.until(() => world.pods('old').every((p) => p.metadata.ownerReferences === undefined));
    assert.is(world.ready('old').length, 2);
    await make(world, 2);
    await world.until(() => get(world)?.status?.readyReplicas === 2);
    assert.is(world.pods('old').length, 2, 'the same ones');
    await world.store.delete('ReplicationController', 'default', 'old', { propagation: 'Background' });
    await world.until(() => world.store.list('Pod', 'default').length === 0);
    await world.stop();
  });

  it('are what a disruption budget and an autoscaler count by', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await make(world, 4);
    await world.store.create('PodDisruptionBudget', {
      metadata: { name: 'half', namespace: 'default' },
      spec: { maxUnavailable: '50%', selector: { matchLabels: LABELS } },
    });
    const budget = () => world.store.get('PodDisruptionBudget', 'default', 'half')?.status;
    await world.until(() => budget()?.disruptionsAllowed === 2);
    assert.is(budget()?.expectedPods, 4);
    await world.store.create('HorizontalPodAutoscaler', {
      metadata: { name: 'few', namespace: 'default' },
      spec: {
        scaleTargetRef: { apiVersion: 'v1', kind: 'ReplicationController', name: 'old' },
        minReplicas: 1,
        maxReplicas: 3,
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
          },
        ],
      },
    });
    await world.until(() => get(world)?.spec.replicas === 3, 100);
    await world.until(() => get(world)?.status?.replicas === 3);
    await world.stop();
  });
});
