/** The real kubectl on rollouts of Deployments and DaemonSets: status, history, undo, pause, resume, restart, scale. */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { eventually } from './hub.ts';
import { type LiveWorld, startLiveWorld } from './live-world.ts';

const CAUSE = 'kubernetes.io/change-cause';
let world: LiveWorld;

const manifest = (kind: 'Deployment' | 'DaemonSet', name: string, image: string, more: object = {}): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, annotations: { [CAUSE]: `image ${image}` } },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image }] },
      },
      ...more,
    },
  });

async function apply(text: string): Promise<void> {
  const { code, err } = await world.hub.kubectlWith({ input: text }, 'apply', '-f', '-');
  assert.is(code, 0, err);
}

const settle = (what: string): Promise<string> => world.ok('rollout', 'status', what, '--timeout=20s');
/** Revision numbers with their change causes, as `kubectl rollout history` shows them. */
const history = async (what: string): Promise<string[]> =>
  (await world.ok('rollout', 'history', what))
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.replace(/\s+/, ' ').trim());
const imageOf = (what: string): Promise<string> =>
  world.ok('get', what, '-o', 'jsonpath={.spec.template.spec.containers[0].image}');

spec(
  'kubectl rolls a Deployment',
  (it) => {
    it('to its end, with a history and causes, and back', async () => {
      await apply(manifest('Deployment', 'web', 'busybox:1', { replicas: 3 }));
      assert.match(await settle('deploy/web'), 'deployment "web" successfully rolled out');
      await apply(manifest('Deployment', 'web', 'busybox:2', { replicas: 3 }));
      await settle('deploy/web');
      assert.equal(await history('deploy/web'), ['1 image busybox:1', '2 image busybox:2']);
      assert.match(await world.ok('rollout', 'history', 'deploy/web', '--revision=1'), 'busybox:1');
      assert.match(await world.ok('rollout', 'undo', 'deploy/web'), 'rolled back');
      await settle('deploy/web');
      assert.is(await imageOf('deploy/web'), 'busybox:1');
      assert.equal(await history('deploy/web'), ['2 image busybox:2', '3 image busybox:1']);
      await world.ok('rollout', 'undo', 'deploy/web', '--to-revision=2');
      await settle('deploy/web');
      assert.is(await imageOf('deploy/web'), 'busybox:2');
      const skipped = await world.ok('rollout', 'undo', 'deploy/web', '--to-revision=4');
      assert.match(skipped, 'skipped rollback (current template already matches revision 4)');
      const { code, err } = await world.hub.kubectl('rollout', 'undo', 'deploy/web', '--to-revision=9');
      assert.is(code, 1);
      assert.match(err, 'unable to find specified revision 9 in history');
    });

    it('pauses, collects changes, scales meanwhile, and resumes with one rollout', async () => {
      await world.ok('rollout', 'pause', 'deploy/web');
      await world.ok('set', 'image', 'deploy/web', 'main=busybox:3');
      await world.ok('set', 'env', 'deploy/web', 'A=1');
      await world.ok('scale', 'deploy/web', '--replicas=5');
      await world.ok('wait', 'deploy/web', '--for=jsonpath={.status.readyReplicas}=5', '--timeout=10s');
      const paused = await world.ok(
        'get',
        'deploy/web',
        '-o',
        'jsonpath={.status.conditions[?(@.type=="Progressing")].reason}',
      );
      assert.is(paused, 'DeploymentPaused');
      assert.match(await world.ok('describe', 'deploy/web'), /Progressing +Unknown +DeploymentPaused/);
      assert.is((await history('deploy/web')).length, 2, 'nothing was rolled out');
      const again = await world.hub.kubectl('rollout', 'pause', 'deploy/web');
      assert.match(again.err, 'is already paused');
      await world.ok('rollout', 'resume', 'deploy/web');
      await settle('deploy/web');
      assert.is((await history('deploy/web')).length, 3);
      assert.is(await imageOf('deploy/web'), 'busybox:3');
    });

    it('restarts', async () => {
      const before = await world.ok('get', 'pods', '-l', 'app=web', '-o', 'name');
      await world.ok('rollout', 'restart', 'deploy/web');
      await settle('deploy/web');
      await eventually(
        'only new pods are left',
        () =>
          world.store.list('Pod', 'default').filter((p) => p.metadata.labels?.['app'] === 'web').length === 5,
      );
      const after = await world.ok('get', 'pods', '-l', 'app=web', '-o', 'name');
      assert.equal(
        after.split('\n').filter((name) => name !== '' && before.includes(name)),
        [],
      );
    });

    it('gives up watching one that is stuck, and shows why', async () => {
      const selector = {
        nodeSelector: { nobody: 'has-this' },
        containers: [{ name: 'main', image: 'busybox:1' }],
      };
      const template = { metadata: { labels: { app: 'stuck' } }, spec: selector };
      await apply(manifest('Deployment', 'stuck', 'busybox:1', { progressDeadlineSeconds: 1, template }));
      const { code, err } = await world.hub.kubectl('rollout', 'status', 'deploy/stuck', '--timeout=20s');
      assert.is(code, 1);
      assert.match(err, 'deployment "stuck" exceeded its progress deadline');
      assert.match(
        await world.ok('describe', 'deploy/stuck'),
        /Progressing +False +ProgressDeadlineExceeded/,
      );
      assert.match(
        await world.ok('get', 'deploy', 'stuck'),
        /NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nstuck +0\/1 +1 +0/,
      );
      await world.ok('delete', 'deploy', 'stuck', '--cascade=foreground', '--timeout=20s');
      assert.is(await world.ok('get', 'rs,pods', '-l', 'app=stuck', '-o', 'name'), '');
    });

    it('scales a ReplicaSet of its own, which takes over lone pods of its labels', async () => {
      await world.ok('run', 'lone', '--image=busybox:1', '--labels=app=own');
      const template = {
        metadata: { labels: { app: 'own' } },
        spec: { containers: [{ name: 'c', image: 'busybox:1' }] },
      };
      const own = { replicas: 2, selector: { matchLabels: { app: 'own' } }, template };
      await apply(
        JSON.stringify({ apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'own' }, spec: own }),
      );
      await world.ok('wait', 'rs/own', '--for=jsonpath={.status.readyReplicas}=2', '--timeout=10s');
      assert.match(
        await world.ok('get', 'pod', 'lone', '-o', 'jsonpath={.metadata.ownerReferences[0].name}'),
        /^own$/,
      );
      await world.ok('scale', 'rs/own', '--replicas=4', '--current-replicas=2');
      await world.ok('wait', 'rs/own', '--for=jsonpath={.status.availableReplicas}=4', '--timeout=10s');
      assert.match(await world.ok('get', 'rs', 'own'), /NAME +DESIRED +CURRENT +READY +AGE\nown +4 +4 +4/);
      await world.ok('label', 'pod', 'lone', 'app=debug', '--overwrite');
      await eventually(
        'the pod is let go and replaced',
        () =>
          world.store.get('Pod', 'default', 'lone')?.metadata.ownerReferences === undefined &&
          world.store.get('ReplicaSet', 'default', 'own')?.status?.readyReplicas === 4,
      );
      await world.ok('delete', 'rs/own', 'pod/lone', '--timeout=20s');
    });

    it('leaves its ReplicaSets when asked to, and takes them back', async () => {
      const pods = await world.ok('get', 'pods', '-l', 'app=web', '-o', 'name');
      const text = await world.ok('get', 'deploy', 'web', '-o', 'json');
      await world.ok('delete', 'deploy', 'web', '--cascade=orphan', '--timeout=20s');
      assert.is(await world.ok('get', 'pods', '-l', 'app=web', '-o', 'name'), pods);
      const { metadata: _metadata, status: _status, ...rest } = JSON.parse(text) as Record<string, unknown>;
      await apply(JSON.stringify({ ...rest, metadata: { name: 'web' } }));
      await settle('deploy/web');
      assert.is(await world.ok('get', 'pods', '-l', 'app=web', '-o', 'name'), pods, 'no pod was made again');
      assert.ok((await history('deploy/web')).length >= 3);
      await world.ok('delete', 'deploy', 'web', '--timeout=20s');
    });
  },
  {
    before: async () => {
      world = await startLiveWorld();
      for (const name of ['worker-1', 'worker-2', 'worker-3']) world.device(name);
      await eventually('three nodes', () => world.store.list('Node').length === 3);
      await world.ok('wait', 'nodes', '--all', '--for=condition=Ready', '--timeout=20s');
    },
    after: () => world.stop(),
  },
);

spec(
  'kubectl rolls a DaemonSet',
  (it) => {
    it('to its end, with a history and causes, and back', async () => {
      await apply(manifest('DaemonSet', 'probe', 'busybox:1'));
      assert.match(await settle('ds/probe'), 'daemon set "probe" successfully rolled out');
      assert.match(
        await world.ok('get', 'ds', 'probe'),
        /NAME +DESIRED +CURRENT +READY +UP-TO-DATE +AVAILABLE +NODE SELECTOR +AGE\nprobe +2 +2 +2 +2 +2 +<none>/,
      );
      await apply(manifest('DaemonSet', 'probe', 'busybox:2'));
      await settle('ds/probe');
      assert.equal(await history('ds/probe'), ['1 image busybox:1', '2 image busybox:2']);
      assert.match(await world.ok('rollout', 'history', 'ds/probe', '--revision=1'), 'busybox:1');
      assert.match(await world.ok('rollout', 'undo', 'ds/probe'), 'rolled back');
      await settle('ds/probe');
      assert.is(await imageOf('ds/probe'), 'busybox:1');
      assert.equal(await history('ds/probe'), ['2 image busybox:2', '3 image busybox:1']);
      await world.ok('rollout', 'undo', 'ds/probe', '--to-revision=2');
      await settle('ds/probe');
      assert.is(await imageOf('ds/probe'), 'busybox:2');
      assert.match(await world.ok('get', 'controllerrevisions'), /daemonset.apps\/probe +4/);
      const skipped = await world.ok('rollout', 'undo', 'ds/probe', '--to-revision=4');
      assert.match(skipped, 'skipped rollback (current template already matches revision 4)');
      const described = await world.ok('describe', 'ds', 'probe');
      assert.match(described, 'Desired Number of Nodes Scheduled: 2');
      assert.match(described, 'Pods Status:  2 Running / 0 Waiting / 0 Succeeded / 0 Failed');
      assert.match(described, 'SuccessfulCreate');
      await world.ok('rollout', 'restart', 'ds/probe');
      await settle('ds/probe');
    });

    it('stays where a node is drained', async () => {
      await world.ok('run', 'lone', '--image=busybox:1', '--overrides={"spec":{"nodeName":"worker-1"}}');
      const refused = await world.hub.kubectl('drain', 'worker-1', '--force', '--timeout=10s');
      assert.match(refused.err, 'cannot delete DaemonSet-managed Pods');
      const out = await world.ok('drain', 'worker-1', '--ignore-daemonsets', '--force', '--timeout=20s');
      assert.match(out, 'node/worker-1 drained');
      assert.match(await world.ok('get', 'ds', 'probe'), /probe +2 +2 +2 +2 +2/);
      await world.ok('uncordon', 'worker-1');
      await world.ok('delete', 'ds', 'probe', '--timeout=20s');
    });
  },
  {
    before: async () => {
      world = await startLiveWorld();
      for (const name of ['worker-1', 'worker-2']) world.device(name);
      await eventually('two nodes', () => world.store.list('Node').length === 2);
      await world.ok('wait', 'nodes', '--all', '--for=condition=Ready', '--timeout=20s');
    },
    after: () => world.stop(),
  },
);
