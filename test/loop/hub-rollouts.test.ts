import * as assert from 'uvu/assert';
import { podTemplateHash } from '../../hub/decide/revisions.ts';
import type { Event } from '../../protocol/kinds/core.ts';
import type { Deployment, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const deployment = (world: HubWorld, name: string): Deployment | undefined =>
  world.store.get('Deployment', 'default', name);
const sets = (world: HubWorld): readonly ReplicaSet[] => world.store.list('ReplicaSet', 'default');
const progress = (world: HubWorld, name: string): string | undefined =>
  deployment(world, name)?.status?.conditions?.find((c) => c.type === 'Progressing')?.reason;
const done = (world: HubWorld, name: string): boolean => {
  const { spec: wanted, status, metadata } = deployment(world, name) ?? {};
  return (
    status?.observedGeneration === metadata?.generation &&
    status?.updatedReplicas === wanted?.replicas &&
    status?.replicas === wanted?.replicas &&
    status?.availableReplicas === wanted?.replicas
  );
};
const edit = (world: HubWorld, name: string, change: (draft: Deployment) => void): Promise<unknown> =>
  world.store.modify('Deployment', 'default', name, (draft) => {
    change(draft);
    return true;
  });
const setImage = (world: HubWorld, name: string, image: string): Promise<unknown> =>
  edit(world, name, (draft) => {
    const [container] = draft.spec.template.spec.containers;
    if (container !== undefined) container.image = image;
  });
const uids = (world: HubWorld, name: string): string[] => world.pods(name).map((p) => p.metadata.uid);

spec('deployments and what they own', (it) => {
  it('let a ReplicaSet go whose labels no longer match, and take it back when they do', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.deploy('web', 2);
    await world.until(() => done(world, 'web'));
    const [first] = sets(world);
    const before = uids(world, 'web');
    await world.store.modify('ReplicaSet', 'default', first?.metadata.name ?? '', (draft) => {
      draft.metadata.labels = { ...draft.metadata.labels, app: 'other' };
      return true;
    });
    await world.until(
      () =>
        world.store.byUid('ReplicaSet', first?.metadata.uid ?? '')?.metadata.ownerReferences === undefined,
    );
    await world.until(() => sets(world).length === 2 && world.pods('web').length === 4 && done(world, 'web'));
    assert.is(deployment(world, 'web')?.status?.collisionCount, 1, 'another one, of another name');
    assert.ok(
      before.every((uid) => uids(world, 'web').includes(uid)),
      'its pods live on',
    );
    await world.store.modify('ReplicaSet', 'default', first?.metadata.name ?? '', (draft) => {
      draft.metadata.labels = { ...draft.metadata.labels, app: 'web' };
      return true;
    });
    await world.until(
      () =>
        world.store.byUid('ReplicaSet', first?.metadata.uid ?? '')?.metadata.ownerReferences?.length === 1,
    );
    await world.until(() => done(world, 'web') && world.pods('web').length === 2);
    await world.stop();
  });

  it('take another name when theirs is taken', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    const made = await world.deploy('web', 1, { paused: true });
    const labels = { app: 'squatter' };
    await world.store.create('ReplicaSet', {
      metadata: { name: `web-${podTemplateHash(made.spec.template, 0)}`, namespace: 'default' },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: made.spec.template.spec },
      },
    });
    await edit(world, 'web', (draft) => {
      delete draft.spec.paused;
    });
    await world.until(() => done(world, 'web'));
    assert.is(deployment(world, 'web')?.status?.collisionCount, 1);
    await world.stop();
  });

  it('give up pods that somebody relabelled, and replace them', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.deploy('web', 2);
    await world.until(() => done(world, 'web'));
    const [pod] = world.pods('web');
    await world.store.modify('Pod', 'default', pod?.metadata.name ?? '', (draft) => {
      draft.metadata.labels = { debug: 'me' };
      return true;
    });
    await world.until(() => world.ready('web').length === 2 && done(world, 'web'));
    const freed = world.store.byUid('Pod', pod?.metadata.uid ?? '');
    assert.is(freed?.metadata.ownerReferences, undefined);
    assert.is(freed?.status?.phase, 'Running');
    await world.stop();
  });

  it('say why a ReplicaSet or its pods could not be made, and do not try all of them again and again', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    const template = {
      metadata: { labels: { app: 'web' }, finalizers: ['not a name'] },
      spec: { containers: [{ name: 'main', image: 'busybox:1' }] },
    };
    await world.deploy('web', 40, { template });
    const failure = (): string | undefined =>
      deployment(world, 'web')?.status?.conditions?.find((c) => c.type === 'ReplicaFailure')?.message;
    await world.until(() => failure() !== undefined, 100);
    assert.match(failure() ?? '', /finalizers/);
    await world.clock.advance(2_000);
    const failed = world.store.list('Event', 'default').filter((e) => e.reason === 'FailedCreate');
    const tries = failed.reduce((n, e) => n + (e.count ?? 1), 0);
    assert.ok(tries > 16 && tries < 40, `the first batch, then one at a time: ${tries}`);
    await edit(world, 'web', (draft) => {
      delete draft.spec.template.metadata?.finalizers;
    });
    await world.until(() => done(world, 'web') && failure() === undefined, 100);
    const long = 'x'.repeat(250);
    await world.store.create('Deployment', {
      metadata: { name: long, namespace: 'default' },
      spec: {
        selector: { matchLabels: { app: 'long' } },
        template: { ...template, metadata: { labels: { app: 'long' } } },
      },
    });
    await world.until(() => progress(world, long) === 'ReplicaSetCreateError');
    await world.stop();
  });
});

spec('rollouts in time', (it) => {
  it('go on only with pods that were ready for minReadySeconds', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await world.deploy('web', 4, {
      minReadySeconds: 10,
      strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    });
    await world.until(() => world.ready('web').length === 4);
    assert.is(done(world, 'web'), false, 'ready is not available yet');
    await world.until(() => done(world, 'web'), 500);
    const startedAtMs = world.clock.monotonicMs();
    await setImage(world, 'web', 'busybox:2');
    await world.until(() => done(world, 'web') && progress(world, 'web') === 'NewReplicaSetAvailable', 500);
    assert.ok(world.clock.monotonicMs() - startedAtMs >= 40_000, 'four pods, ten seconds each');
    await world.stop();
  });

  it('run into their deadline, not while paused, and recover', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1');
    await world.deploy('web', 1, {
      progressDeadlineSeconds: 30,
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { nodeSelector: { gpu: 'yes' }, containers: [{ name: 'main', image: 'busybox:1' }] },
      },
    });
    await world.until(() => deployment(world, 'web')?.status?.unavailableReplicas === 1);
    await edit(world, 'web', (draft) => {
      draft.spec.paused = true;
    });
    await world.until(() => progress(world, 'web') === 'DeploymentPaused');
    await world.clock.advance(120_000);
    assert.is(progress(world, 'web'), 'DeploymentPaused');
    await edit(world, 'web', (draft) => {
      draft.spec.paused = false;
    });
    await world.until(() => progress(world, 'web') === 'DeploymentResumed');
    await world.until(() => progress(world, 'web') === 'ProgressDeadlineExceeded', 1_000);
    await world.store.modify('Node', '', 'worker-1', (draft) => {
      draft.metadata.labels = { ...draft.metadata.labels, gpu: 'yes' };
      return true;
    });
    await world.until(() => done(world, 'web') && progress(world, 'web') === 'NewReplicaSetAvailable');
    await world.stop();
  });

  it('with Recreate wait for a device that is away', async () => {
    const world = await HubWorld.start();
    const devices = await world.devices('worker-1', 'worker-2');
    await world.deploy('one', 1, { strategy: { type: 'Recreate' } });
    await world.until(() => done(world, 'one'));
    const home = world.pods('one')[0]?.spec.nodeName;
    const device = devices.find((d) => d.name === home);
    device?.cut();
    await world.until(() => world.ready('one').some((p) => p.spec.nodeName !== home), 500);
    await setImage(world, 'one', 'busybox:2');
    await world.until(() => world.pods('one').length === 0);
    await world.clock.advance(60_000);
    assert.is(world.pods('one').length, 0, 'the old one may still run');
    device?.connect(false);
    await world.until(() => done(world, 'one'), 100);
    assert.is(world.pods('one')[0]?.spec.containers[0]?.image, 'busybox:2');
    await world.stop();
  });

  it('follow a change of size and of the template in the middle', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2', 'worker-3');
    await world.deploy('web', 10, { strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } });
    await world.until(() => done(world, 'web'));
    let most = 0;
    const stop = world.store.subscribe(() => {
      most = Math.max(most, world.pods('web').length);
    });
    await setImage(world, 'web', 'busybox:2');
    await world.until(() => sets(world).length === 2);
    await edit(world, 'web', (draft) => {
      draft.spec.replicas = 16;
    });
    await world.until(() => world.pods('web').length > 13);
    await setImage(world, 'web', 'busybox:3');
    await world.until(() => done(world, 'web'));
    stop();
    assert.ok(most <= 19, `never more than 19, saw ${most}`);
    assert.ok(world.pods('web').every((p) => p.spec.containers[0]?.image === 'busybox:3'));
    const scaled = (): Event[] =>
      world.store.list('Event', 'default').filter((e) => e.reason === 'ScalingReplicaSet');
    await world.until(() => scaled().length >= 3);
    assert.match(scaled()[0]?.message ?? '', /^Scaled (up|down) replica set web-\S+ from \d+ to \d+$/);
    await world.stop();
  });

  it('go on when the hub is restarted in the middle', async () => {
    const world = await HubWorld.start();
    const devices = await world.devices('worker-1', 'worker-2');
    await world.deploy('web', 8, { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } });
    await world.until(() => done(world, 'web'));
    await setImage(world, 'web', 'busybox:2');
    await world.until(() => sets(world).length === 2 && world.pods('web').length === 9);
    await world.stop(true);
    const { directory, clock } = world;
    const next = await HubWorld.start({ directory, clock });
    for (const device of devices) next.adopt(device);
    let fewest = 8;
    let most = 0;
    const stop = next.store.subscribe(() => {
      fewest = Math.min(fewest, next.ready('web').length);
      most = Math.max(most, next.pods('web').length);
    });
    await next.until(() => done(next, 'web'));
    stop();
    assert.ok(next.pods('web').every((p) => p.spec.containers[0]?.image === 'busybox:2'));
    assert.ok(fewest >= 7 && most <= 9, `7 to 9 pods, saw ${fewest} to ${most}`);
    await next.stop();
  });

  it('go through the last of several quick changes only', async () => {
    const world = await HubWorld.start();
    await world.devices('worker-1', 'worker-2');
    await world.deploy('web', 6);
    await world.until(() => done(world, 'web'));
    for (const image of ['busybox:2', 'busybox:3', 'busybox:4', 'busybox:5'])
      await setImage(world, 'web', image);
    await world.until(() => done(world, 'web') && world.ready('web').length === 6);
    assert.ok(world.pods('web').every((p) => p.spec.containers[0]?.image === 'busybox:5'));
    await world.stop();
  });
});
