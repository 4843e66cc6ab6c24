/** Small things that people who know Kubernetes expect of a whole hub, asked by the real kubectl. */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { type RealHub, startRealHub } from './real-hub.ts';

let hub: RealHub;

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

async function refused(...args: string[]): Promise<string> {
  const { code, err } = await hub.kubectl(...args);
  assert.is(code, 1, args.join(' '));
  return err;
}

spec(
  'kubectl finds Kubernetes’ manners',
  (it) => {
    it('one default PriorityClass, by create and by update, and the system’s for ever', async () => {
      await ok('create', 'priorityclass', 'usual', '--value=5', '--global-default');
      const why = /forbidden: PriorityClass usual is already marked as default. Only one default can exist/;
      assert.match(await refused('create', 'priorityclass', 'two', '--value=6', '--global-default'), why);
      await ok('create', 'priorityclass', 'three', '--value=7');
      const patch = ['patch', 'priorityclass', '--type=merge', '-p'];
      assert.match(await refused(...patch, '{"globalDefault":true}', 'three'), why);
      await ok(...patch, '{"globalDefault":true,"description":"still"}', 'usual');
      await ok(...patch, '{"globalDefault":false}', 'usual');
      await ok(...patch, '{"globalDefault":true}', 'three');
      assert.match(
        await refused('delete', 'priorityclass', 'system-node-critical'),
        'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: this is a system priority class and cannot be deleted',
      );
      await ok('delete', 'priorityclass', 'three', 'usual');
    });

    it('pods run as a service account, with its image pull secrets', async () => {
      const made = async (...args: string[]): Promise<string> =>
        ok('run', 'p', '--image=busybox', '--dry-run=server', '-o', 'jsonpath={.spec}', ...args);
      await ok('wait', 'serviceaccount/default', '--for=create', '--timeout=10s');
      assert.match(await made(), '"serviceAccountName":"default"');
      await ok('patch', 'serviceaccount', 'default', '-p', '{"imagePullSecrets":[{"name":"registry"}]}');
      assert.match(await made(), '"imagePullSecrets":[{"name":"registry"}]');
      const own = '{"spec":{"imagePullSecrets":[{"name":"mine"}]}}';
      assert.match(await made(`--overrides=${own}`), '"imagePullSecrets":[{"name":"mine"}]');
      await ok('create', 'serviceaccount', 'robot');
      const other = '{"spec":{"serviceAccount":"robot"}}';
      assert.match(await made(`--overrides=${other}`), '"serviceAccountName":"robot"');
    });

    it('what the hub adds to a pod belongs to nobody, so that applies may change hands', async () => {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'both' },
        spec: {
          containers: [
            { name: 'main', image: 'busybox', resources: { limits: { cpu: 0.5, memory: '1024Mi' } } },
          ],
        },
      };
      await hub.apply(pod);
      const limits = 'jsonpath={.spec.containers[0].resources.limits}';
      assert.is(await ok('get', 'pod', 'both', '-o', limits), '{"cpu":"500m","memory":"1Gi"}');
      const { code, out, err } = await hub.kubectlWith(
        JSON.stringify(pod),
        'apply',
        '--server-side',
        '-f',
        '-',
      );
      assert.equal([code, out, err], [0, 'pod/both serverside-applied\n', '']);
      assert.is(await ok('get', 'pod', 'both', '-o', 'jsonpath={.spec.priority}'), '0');
    });

    it('a namespace that does not go says why', async () => {
      await ok('create', 'namespace', 'held');
      await hub.apply({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'stays', namespace: 'held', finalizers: ['example.com/hold'] },
      });
      await ok('delete', 'namespace', 'held', '--wait=false');
      await ok('wait', 'namespace/held', '--for=condition=NamespaceFinalizersRemaining', '--timeout=10s');
      const told = await ok('describe', 'namespace', 'held');
      assert.match(
        told,
        /NamespaceContentRemaining +True .*SomeResourcesRemain +Some resources are remaining: configmaps. has 1 resource instances/,
      );
      assert.match(told, /SomeFinalizersRemain +.*example.com\/hold in 1 resource instances/);
      await ok(
        'patch',
        'configmap',
        'stays',
        '-n',
        'held',
        '--type=merge',
        '-p',
        '{"metadata":{"finalizers":null}}',
      );
      await ok('wait', 'namespace/held', '--for=delete', '--timeout=10s');
    });

    it('an autoscaler has a tolerance for each direction', async () => {
      await hub.apply({
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        metadata: { name: 'fine' },
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
          maxReplicas: 3,
          behavior: { scaleUp: { tolerance: 0.05 } },
        },
      });
      const path = 'jsonpath={.spec.behavior.scaleUp.tolerance}';
      assert.is(await ok('get', 'hpa', 'fine', '-o', path), '50m');
      const bad = '{"spec":{"behavior":{"scaleUp":{"tolerance":"-1"}}}}';
      assert.match(
        await refused('patch', 'hpa', 'fine', '-p', bad),
        'spec.behavior.scaleUp.tolerance: Invalid value: "-1": must be greater than or equal to 0',
      );
      assert.match(await ok('explain', 'hpa.spec.behavior.scaleUp.tolerance'), 'FIELD: tolerance <Quantity>');
    });

    it('explain does not say things twice', async () => {
      const told = await ok('explain', 'deployment.spec.strategy');
      assert.is(told.split('How existing pods are replaced by new ones.').length, 2, told);
    });

    it('the root tells what there is', async () => {
      const { paths } = JSON.parse(await ok('get', '--raw', '/')) as { paths: string[] };
      for (const path of ['/api/v1', '/apis/apps/v1', '/metrics']) assert.ok(paths.includes(path), path);
    });

    it('who leads is known after the hub was away', async () => {
      await hub.apply({
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: 'leader', namespace: 'default' },
        spec: { holderIdentity: 'first', leaseDurationSeconds: 15 },
      });
      await hub.restart();
      assert.is(await ok('get', 'lease', 'leader', '-o', 'jsonpath={.spec.holderIdentity}'), 'first');
      const thief = JSON.stringify({
        metadata: { resourceVersion: '1' },
        spec: { holderIdentity: 'second' },
      });
      assert.match(await refused('patch', 'lease', 'leader', '--type=merge', '-p', thief), 'Conflict');
    });

    it('health is told at length where asked', async () => {
      assert.is(await ok('get', '--raw', '/readyz?verbose'), '[+]ping ok\nreadyz check passed\n');
      assert.is(await ok('get', '--raw', '/livez'), 'ok');
    });
  },
  {
    before: async () => {
      hub = await startRealHub();
    },
    after: () => hub.stop(),
  },
);
