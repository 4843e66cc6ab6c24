/** The real kubectl on ReplicationControllers that their controller keeps. */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { type LiveWorld, startLiveWorld } from './live-world.ts';

let world: LiveWorld;

/** As in the manifests of old: no selector, labels of the template only. */
const MANIFEST = JSON.stringify({
  apiVersion: 'v1',
  kind: 'ReplicationController',
  metadata: { name: 'nginx' },
  spec: {
    replicas: 3,
    template: {
      metadata: { name: 'nginx', labels: { app: 'nginx' } },
      spec: { containers: [{ name: 'nginx', image: 'nginx:1', ports: [{ containerPort: 80 }] }] },
    },
  },
});

const ready = (count: number): Promise<string> =>
  world.ok('wait', 'rc/nginx', `--for=jsonpath={.status.readyReplicas}=${count}`, '--timeout=15s');
/** Asks until the answer has what is looked for: events come a moment later. */
async function shows(pattern: RegExp, ...args: string[]): Promise<string> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const out = await world.ok(...args);
    if (pattern.test(out) || performance.now() > deadlineMs) return out;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
const podNames = async (): Promise<string[]> =>
  (await world.ok('get', 'pods', '-l', 'app=nginx', '-o', 'name')).split('\n').filter((line) => line !== '');

spec(
  'kubectl on replication controllers',
  (it) => {
    it('makes one of an old manifest, and shows it with all columns', async () => {
      const made = await world.hub.kubectlWith({ input: MANIFEST }, 'create', '-f', '-');
      assert.is(made.out, 'replicationcontroller/nginx created\n', made.err);
      await ready(3);
      assert.match(
        await world.ok('get', 'rc'),
        /^NAME +DESIRED +CURRENT +READY +AGE\nnginx +3 +3 +3 +\S+\n$/,
      );
      assert.match(
        await world.ok('get', 'rc', '-o', 'wide'),
        /^NAME +DESIRED +CURRENT +READY +AGE +CONTAINERS +IMAGES +SELECTOR\nnginx +3 +3 +3 +\S+ +nginx +nginx:1 +app=nginx\n$/,
      );
      assert.match(await world.ok('get', 'all'), /\nreplicationcontroller\/nginx +3 +3 +3 /);
      assert.match(await world.ok('explain', 'rc.spec.selector'), /FIELD: selector <map\[string\]string>/);
    });

    it('describes pods, template and what happened', async () => {
      const text = await shows(/SuccessfulCreate/, 'describe', 'rc', 'nginx');
      assert.match(text, /Selector: +app=nginx\nLabels: +app=nginx\n/);
      assert.match(text, /Replicas: +3 current \/ 3 desired\n/);
      assert.match(text, /Pods Status: +3 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed\n/);
      assert.match(text, /Created pod: nginx-\w{5}/);
      const [pod = ''] = await podNames();
      assert.match(await world.ok('describe', pod), /Controlled By: +ReplicationController\/nginx\n/);
    });

    it('scales with preconditions, and replaces a pod that is deleted', async () => {
      assert.is(
        await world.ok('scale', 'rc', 'nginx', '--replicas=5', '--current-replicas=3'),
        'replicationcontroller/nginx scaled\n',
      );
      await ready(5);
      const before = await podNames();
      await world.ok('delete', before[0] ?? '');
      await ready(5);
      const after = await podNames();
      assert.is(after.length, 5);
      assert.not.ok(after.includes(before[0] ?? ''));
      const scale = await world.hub.ask(
        'GET',
        '/api/v1/namespaces/default/replicationcontrollers/nginx/scale',
      );
      const { apiVersion, kind, spec: wanted, status } = scale.json as Record<string, unknown>;
      assert.equal(
        [apiVersion, kind, wanted, status],
        ['autoscaling/v1', 'Scale', { replicas: 5 }, { replicas: 5, selector: 'app=nginx' }],
      );
    });

    it('autoscales and exposes it', async () => {
      await world.ok('autoscale', 'rc', 'nginx', '--max=6', '--min=2', '--cpu-percent=50');
      assert.match(await world.ok('get', 'hpa', 'nginx'), /nginx +ReplicationController\/nginx /);
      await world.ok('expose', 'rc', 'nginx', '--port=80');
      assert.match(await world.ok('get', 'service', 'nginx', '-o', 'wide'), /app=nginx/);
    });

    it('drains a node of its pods', async () => {
      world.device('worker-2');
      await world.ok('wait', 'node/worker-2', '--for=condition=Ready', '--timeout=10s');
      await world.ok('drain', 'worker-1', '--timeout=20s');
      await ready(5);
      const nodes = await world.ok('get', 'pods', '-o', 'jsonpath={.items[*].spec.nodeName}');
      assert.is([...new Set(nodes.split(' '))].join(), 'worker-2');
    });

    it('deletes it without its pods, adopts them again, and deletes all', async () => {
      // Clients of old say nothing of pods, and do not mean them. kubectl always says.
      const path = '/api/v1/namespaces/default/replicationcontrollers/nginx';
      assert.is((await world.hub.ask('DELETE', path)).status, 200);
      await world.ok('wait', '--for=delete', 'rc/nginx', '--timeout=10s');
      const left = await podNames();
      assert.is(left.length, 5);
      const text = MANIFEST.replace('"replicas":3', '"replicas":5');
      const made = await world.hub.kubectlWith({ input: text }, 'create', '-f', '-');
      assert.is(made.code, 0, made.err);
      await ready(5);
      assert.equal(await podNames(), left);
      await world.ok('delete', 'rc/nginx', '--cascade=foreground');
      assert.equal(await podNames(), []);
    });

    it('keeps the pods of a job, too, whose deletion does not name them, and says so', async () => {
      const path = '/apis/batch/v1/namespaces/default/jobs';
      const warned = async (body?: object): Promise<unknown> => {
        await world.ok('create', 'job', 'once', '--image=busybox');
        const { headers } = await world.hub.ask('DELETE', `${path}/once`, body === undefined ? {} : { body });
        await world.ok('wait', '--for=delete', 'job/once', '--timeout=10s');
        return headers['warning'];
      };
      assert.match(
        String(await warned()),
        /^299 - "child pods are preserved by default when jobs are deleted; /,
      );
      assert.is(await warned({ propagationPolicy: 'Background' }), undefined);
      assert.is(await warned({ orphanDependents: false }), undefined);
    });

    it('refuses what Kubernetes refuses', async () => {
      const { spec: own, ...rest } = JSON.parse(MANIFEST) as { spec: object };
      const bad = JSON.stringify({ ...rest, spec: { ...own, selector: { app: 'other' } } });
      const { err } = await world.hub.kubectlWith({ input: bad }, 'create', '-f', '-');
      assert.match(
        err,
        'spec.template.metadata.labels: Invalid value: map[string]string{"app":"nginx"}: `selector` does not match template `labels`',
      );
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      world = await startLiveWorld();
      world.device('worker-1');
    },
    after: () => world.stop(),
  },
);
