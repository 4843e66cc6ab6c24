/** The real kubectl on nodes, pods and workloads: describe, taint, cordon, drain, rollout, top, events. */
import * as assert from 'uvu/assert';
import type { NodeOverview } from '../../hub/api/node-overview.ts';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

const started = (uid: string): object => ({
  kind: 'Event',
  metadata: { name: 'web-1.1', namespace: 'default' },
  involvedObject: { kind: 'Pod', namespace: 'default', name: 'web-1', apiVersion: 'v1', uid },
  reason: 'Started',
  message: 'Started container main',
  type: 'Normal',
  count: 1,
  firstTimestamp: '2026-01-02T03:04:05Z',
  lastTimestamp: '2026-01-02T03:04:05Z',
  source: { component: 'agent', host: 'worker-1' },
});

spec(
  'kubectl on a cluster',
  (it) => {
    it('lists nodes and pods as Kubernetes does', async () => {
      assert.match(
        await ok('get', 'nodes'),
        /NAME +STATUS +ROLES +AGE +VERSION\nworker-1 +Ready +<none> +\S+ +v1.32.0\+coxswain/,
      );
      assert.match(
        await ok('get', 'nodes', '-o', 'wide'),
        /192\.0\.2\.7 .*Debian GNU\/Linux 12 +6\.1\.0 +docker:\/\/24\.0\.7/,
      );
      assert.match(await ok('get', 'pods'), /NAME +READY +STATUS +RESTARTS +AGE\nweb-1 +1\/1 +Running +0/);
      assert.match(await ok('get', 'pods', '-o', 'wide'), /10\.64\.1\.5 +worker-1 +<none> +<none>/);
      assert.is(await ok('get', 'pods', '--field-selector=spec.nodeName=other', '-o', 'name'), '');
      assert.is(
        await ok('get', 'pods', '--field-selector=spec.nodeName=worker-1,status.phase!=Failed', '-o', 'name'),
        'pod/web-1\npod/web-2\n',
      );
    });

    it('pages through long lists', async () => {
      assert.is(await ok('get', 'pods', '--chunk-size=1', '-o', 'name'), 'pod/web-1\npod/web-2\n');
    });

    it('describes', async () => {
      const pod = await ok('describe', 'pod', 'web-1');
      assert.match(pod, /Node: +worker-1\/192\.0\.2\.7/);
      assert.match(pod, 'Started container main');
      const node = await ok('describe', 'node', 'worker-1');
      assert.match(node, /Non-terminated Pods: +\(2 in total\)/);
      assert.match(node, /default +web-1/);
      assert.match(await ok('describe', 'deployment', 'web'), /Replicas: +2 desired/);
      assert.match(await ok('describe', 'ns', 'default'), /Status: +Active/);
    });

    it('shows events', async () => {
      assert.match(await ok('get', 'events'), /Normal +Started +pod\/web-1 +Started container main/);
      assert.match(await ok('events', '--for', 'pod/web-1'), 'Started container main');
    });

    it('taints, cordons and labels nodes', async () => {
      await ok('taint', 'node', 'worker-1', 'a=b:NoSchedule');
      assert.is(
        await ok('get', 'node', 'worker-1', '-o', 'jsonpath={.spec.taints}'),
        '[{"effect":"NoSchedule","key":"a","value":"b"}]',
      );
      await ok('taint', 'node', 'worker-1', 'a:NoSchedule-');
      assert.is(await ok('get', 'node', 'worker-1', '-o', 'jsonpath={.spec.taints}'), '');
      await ok('cordon', 'worker-1');
      assert.match(await ok('get', 'nodes'), 'Ready,SchedulingDisabled');
      await ok('uncordon', 'worker-1');
      assert.is(await ok('get', 'node', 'worker-1', '-o', 'jsonpath={.spec.unschedulable}'), '');
      await ok('label', 'node', 'worker-1', 'node-role.kubernetes.io/edge=');
      assert.match(await ok('get', 'nodes'), /worker-1 +Ready +edge/);
    });

    it('reads and sets scale', async () => {
      const path = '/apis/apps/v1/namespaces/default/deployments/web/scale';
      const scale = (await hub.ask('GET', path)).json as Record<string, Record<string, unknown>>;
      assert.is(scale['spec']?.['replicas'], 2);
      assert.equal(scale['status'], { replicas: 2, selector: 'app=web' });
      await ok('scale', 'deploy/web', '--current-replicas=2', '--replicas=0');
      assert.is(await ok('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), '0');
      assert.is((await hub.kubectl('scale', 'deploy/web', '--current-replicas=2', '--replicas=1')).code, 1);
      const put = await hub.ask('PUT', path, { body: { ...scale, spec: { replicas: 2 } } });
      assert.is(put.status, 409, 'the version of the Scale counts');
      await ok('scale', 'deploy/web', '--replicas=2');
    });

    it('follows a rollout by what the controller writes', async () => {
      const status = {
        replicas: 2,
        updatedReplicas: 2,
        readyReplicas: 2,
        availableReplicas: 2,
        observedGeneration: 99,
      };
      const headers = { 'content-type': 'application/merge-patch+json' };
      const path = '/apis/apps/v1/namespaces/default/deployments/web/status';
      await hub.ask('PATCH', path, { headers, body: { status } });
      assert.match(await ok('rollout', 'status', 'deploy/web', '--timeout=10s'), 'successfully rolled out');
      await ok('rollout', 'pause', 'deploy/web');
      await ok('rollout', 'resume', 'deploy/web');
      await ok('rollout', 'restart', 'deploy/web');
      assert.match(await ok('get', 'deploy', 'web', '-o', 'yaml'), 'kubectl.kubernetes.io/restartedAt');
    });

    it('tops nodes and pods from live telemetry', async () => {
      const pod = await hub.ask('GET', '/api/v1/namespaces/default/pods/web-1');
      const { uid } = (pod.json as { metadata: { uid: string } }).metadata;
      const sample = {
        windowMs: 15_000,
        cpuRatio: 0.25,
        memoryUsedBytes: 512 * 1024 * 1024,
        memoryTotalBytes: 1,
        diskRatio: 0.1,
        temperatureCelsius: 51.5,
      };
      hub.device.samples.set('worker-1', { sample, atMs: Date.now() - 2000 });
      hub.device.usages.set(uid, {
        sample: { cpuMilli: 12, memoryBytes: 8 * 1024 * 1024 },
        atMs: Date.now(),
      });
      assert.match(await ok('top', 'nodes'), /worker-1 +1000m +25% +512Mi +25%/);
      assert.match(await ok('top', 'pods', '--containers'), /web-1 +main +12m +8Mi/);
      const metrics = (await hub.ask('GET', '/apis/metrics.k8s.io/v1beta1/nodes/worker-1')).json as Record<
        string,
        unknown
      >;
      assert.is(metrics['window'], '15s');
      const overview = (await hub.ask('GET', '/coxswain/v1/nodes')).json as { items: NodeOverview[] };
      const [first] = overview.items;
      assert.is(first?.ready, true);
      assert.is(first?.podCount, 2);
      assert.is(first?.telemetry?.temperatureCelsius, 51.5);
      assert.ok(Number(first?.ageMs) >= 2000);
    });

    it('drains through evictions', async () => {
      const draining = ok('drain', 'worker-1', '--force', '--timeout=20s');
      // The device stops the pods and the fleet confirms.
      for (const name of ['web-1', 'web-2'])
        for (let i = 0; i < 200; i++) {
          const pod = hub.store.port.getObject('Pod', 'default', name);
          if (pod?.metadata.deletionTimestamp !== undefined) {
            await hub.ask('DELETE', `/api/v1/namespaces/default/pods/${name}?gracePeriodSeconds=0`);
            break;
          }
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      assert.match(await draining, 'node/worker-1 drained');
      await ok('uncordon', 'worker-1');
    });

    it('binds a pod to a node, once', async () => {
      await hub.put({
        kind: 'Pod',
        metadata: { name: 'free', namespace: 'default' },
        spec: { containers: [{ name: 'c', image: 'b' }] },
      });
      const path = '/api/v1/namespaces/default/pods/free/binding';
      const body = { target: { kind: 'Node', name: 'worker-1' } };
      assert.is((await hub.ask('POST', path, { body })).status, 201);
      assert.is((await hub.ask('POST', path, { body })).status, 409);
      assert.is(await ok('get', 'pod', 'free', '-o', 'jsonpath={.spec.nodeName}'), 'worker-1');
    });

    it('deletes a collection', async () => {
      await hub.put({
        kind: 'ConfigMap',
        metadata: { name: 'x', namespace: 'default', labels: { drop: 'me' } },
      });
      await hub.put({ kind: 'ConfigMap', metadata: { name: 'y', namespace: 'default' } });
      const path = '/api/v1/namespaces/default/configmaps';
      const reply = await hub.ask('DELETE', `${path}?labelSelector=drop`, { body: {} });
      assert.is(reply.status, 200, reply.text);
      assert.is(await ok('get', 'cm', '-o', 'name'), 'configmap/y\n');
    });

    it('exports metrics', async () => {
      const { text } = await hub.ask('GET', '/metrics');
      assert.match(text, /^# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes \d+$/m);
      assert.match(text, /^test_total\{why="a\\"b"\} 3$/m);
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      const values = [{ labels: { why: 'a"b' }, value: 3 }];
      hub = await startHub({ metrics: () => [{ name: 'test_total', help: 'x', type: 'counter', values }] });
      await hub.put(readyNode('worker-1'));
      const first = await hub.put(runningPod('web-1', 'worker-1'));
      await hub.put(started(first.metadata.uid));
      await hub.put(runningPod('web-2', 'worker-1'));
      const template = {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'c', image: 'busybox' }] },
      };
      await hub.put({
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default' },
        spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template },
        status: { replicas: 2 },
      });
    },
    after: () => hub.stop(),
  },
);
