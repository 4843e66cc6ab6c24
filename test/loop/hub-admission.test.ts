import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { HubWorld } from '../build/hub-world.ts';
import { createJob, endPod, eventsOf, podsOf, runningOf } from '../build/jobs.ts';
import { spec } from '../spec.ts';

const pod = (world: HubWorld, name: string, parts: Partial<Pod['spec']> = {}): Promise<Pod> =>
  world.store.create('Pod', {
    metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'i' }], ...parts },
  });
const used = (world: HubWorld): unknown => world.store.get('ResourceQuota', 'default', 'few')?.status?.used;

spec(
  'admission in a running hub',
  (it) => {
    it('lets no more in than a quota allows, however many try at once', async () => {
      const world = await HubWorld.start();
      const hard = { pods: '7', 'count/configmaps': '1' };
      await world.store.create('ResourceQuota', {
        metadata: { name: 'few', namespace: 'default' },
        spec: { hard },
      });
      const tries = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => pod(world, `p${i}`)));
      assert.is(tries.filter((t) => t.status === 'fulfilled').length, 7);
      const [refused] = tries.filter((t) => t.status === 'rejected');
      assert.match(
        String(refused?.reason),
        /pods "p7" is forbidden: exceeded quota: few, requested: pods=1, used: pods=7, limited: pods=7/,
      );
      await world.until(() => JSON.stringify(used(world)) === '{"pods":"7","count/configmaps":"1"}');
      await world.store.delete('Pod', 'default', 'p0');
      await pod(world, 'again');
      await world.until(() => JSON.stringify(used(world)) === '{"pods":"7","count/configmaps":"1"}');
      await world.stop();
    });

    it('refuses a change that takes more than is left, and no other', async () => {
      const world = await HubWorld.start();
      const hard = { 'services.nodeports': '1', 'requests.storage': '3Gi' };
      await world.store.create('ResourceQuota', {
        metadata: { name: 'few', namespace: 'default' },
        spec: { hard },
      });
      const ports = [{ port: 80 }, { port: 81 }].map((p, i) => ({ ...p, name: `p${i}` }));
      const metadata = { name: 's', namespace: 'default' };
      await world.store.create('Service', { metadata, spec: { ports } });
      const open = (type: 'NodePort' | 'ClusterIP', count: number): Promise<unknown> =>
        world.store.modify('Service', 'default', 's', (draft) => {
          draft.spec.type = type;
          draft.spec.ports = ports.slice(0, count);
          return true;
        });
      const why = await open('NodePort', 2).catch(String);
      assert.match(
        String(why),
        /exceeded quota: few, requested: services.nodeports=2, used: services.nodeports=0, limited: services.nodeports=1/,
      );
      await open('NodePort', 1);
      await open('ClusterIP', 2);
      await world.until(
        () => JSON.stringify(used(world)) === '{"services.nodeports":"0","requests.storage":"0"}',
      );
      await world.stop();
    });

    it('lets a job go on as soon as its quota has room, and says what it waits for', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1');
      const spec = { hard: { pods: '1' } };
      await world.store.create('ResourceQuota', { metadata: { name: 'few', namespace: 'default' }, spec });
      await createJob(world, 'two', { completions: 2, parallelism: 2 });
      await world.until(() => runningOf(world, 'two').length === 1);
      await world.until(() =>
        eventsOf(world, 'two').some((e) => /FailedCreate.*exceeded quota: few/.test(e)),
      );
      for (const running of runningOf(world, 'two')) endPod(devices, running);
      await world.until(() => podsOf(world, 'two').length === 2, 100);
      await world.stop();
    });

    it('gives pods priority and limits, and refuses what is outside', async () => {
      const world = await HubWorld.start();
      await world.until(() => world.store.list('PriorityClass').length === 2);
      await world.store.create('LimitRange', {
        metadata: { name: 'sizes', namespace: 'default' },
        spec: {
          limits: [{ type: 'Container', default: { cpu: '200m', memory: '64Mi' }, max: { cpu: '1' } }],
        },
      });
      const plain = await pod(world, 'plain', { priorityClassName: 'system-cluster-critical' });
      assert.equal(plain.spec.containers[0]?.resources?.requests, { cpu: '200m', memory: '64Mi' });
      assert.equal([plain.spec.priority, plain.status?.qosClass], [2_000_000_000, 'Guaranteed']);
      const big = {
        containers: [{ name: 'c', image: 'i', resources: { limits: { cpu: '2', memory: '1Gi' } } }],
      };
      const why = await pod(world, 'big', big).catch(String);
      assert.match(
        String(why),
        /pods "big" is forbidden: maximum cpu usage per Container is 1, but limit is 2/,
      );
      const unknown = await pod(world, 'odd', { priorityClassName: 'nope' }).catch(String);
      assert.match(String(unknown), /pods "odd" is forbidden: no PriorityClass with name nope was found/);
      const kept = await world.store.delete('PriorityClass', '', 'system-node-critical').catch(String);
      assert.match(String(kept), /this is a system priority class and cannot be deleted/);
      await world.stop();
    });

    it('refuses pods of an account that is not there; their makers say so and try again', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1');
      const why = await pod(world, 'alone', { serviceAccountName: 'robot' }).catch(String);
      assert.is(
        String(why),
        'ApiError: pods "alone" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found',
      );
      const template = {
        metadata: { labels: { app: 'web' } },
        spec: { serviceAccountName: 'robot', containers: [{ name: 'c', image: 'i' }] },
      };
      await world.deploy('web', 1, { template });
      const told = (): string[] =>
        world.store
          .list('Event', 'default')
          .flatMap((e) => (e.reason === 'FailedCreate' ? [e.message ?? ''] : []));
      await world.until(() => told().length > 0);
      await world.clock.advance(60_000);
      await world.until(() => told().length === 1);
      assert.match(told()[0] ?? '', /^Error creating: pods "web-[a-z0-9]+-" is forbidden: error looking up/);
      await world.store.create('ServiceAccount', { metadata: { name: 'robot', namespace: 'default' } });
      await world.until(() => world.ready('web').length === 1, 31_000);
      const [made] = world.pods('web');
      const [volume] = made?.spec.volumes ?? [];
      assert.is(volume?.name, 'kube-api-access-abcde');
      const held = [...(devices[0]?.held.keys() ?? [])];
      assert.ok(held.includes('configmap/default/kube-root-ca.crt'), 'the authority is brought with the pod');
      const set = world.store.get('Deployment', 'default', 'web');
      assert.is(set?.spec.template.spec.volumes, undefined, 'templates stay as they were written');
      await world.stop();
    });

    it('lets pods into a namespace the moment it is there', async () => {
      const world = await HubWorld.start();
      await world.store.create('Namespace', { metadata: { name: 'new' } });
      const first = await world.store.create('Pod', {
        metadata: { name: 'first', namespace: 'new' },
        spec: { containers: [{ name: 'c', image: 'i' }] },
      });
      assert.is(first.spec.serviceAccountName, 'default');
      assert.is(first.spec.volumes, undefined);
      await world.stop();
    });
  },
  { caseTimeoutMs: 20_000 },
);
