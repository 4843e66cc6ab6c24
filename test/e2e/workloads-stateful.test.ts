import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import type { StatefulSet } from '../../protocol/kinds/workloads.ts';
import { spec } from '../spec.ts';
import { allReady, isReady, nodeOf, nodesReady, podsOf } from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

const VOLUMES = '/var/lib/coxswain/volumes';

let lab: Lab;

/** A StatefulSet of the busybox image with one claim for each pod; `spec` is merged into its own. */
function statefulSet(replicas: number, more: Readonly<Record<string, unknown>> = {}): string {
  const labels = { app: 'web' };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web' },
    spec: {
      replicas,
      serviceName: 'web',
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 },
          containers: [
            {
              name: 'main',
              image: 'busybox:latest',
              imagePullPolicy: 'IfNotPresent',
              command: ['sleep', '1000000'],
              resources: { requests: { cpu: '10m', memory: '8Mi' } },
              volumeMounts: [
                { name: 'data', mountPath: '/data' },
                { name: 'data', mountPath: '/part', subPath: 'part' },
                { name: 'data', mountPath: '/look', readOnly: true },
              ],
            },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
        },
      ],
      ...more,
    },
  });
}

const sh = (pod: string, script: string): Promise<string> =>
  lab.kubectl('exec', pod, '--', 'sh', '-c', script);
const podNamed = (name: string): Promise<Pod> => lab.get<Pod>('pod', name);
const volumeOf = async (claim: string): Promise<string> =>
  (await lab.get<PersistentVolumeClaim>('pvc', claim)).spec.volumeName ?? '';
const names = (pods: readonly Pod[]): string[] => pods.map((pod) => pod.metadata.name).sort();

/** Names of the volumes that a device has folders of. */
async function folders(node: string): Promise<string[]> {
  const listed = await lab.exec(node, 'sh', '-c', `ls ${VOLUMES} 2>/dev/null || true`);
  return listed.split('\n').filter((line) => line !== '');
}

spec(
  'stateful sets and their volumes',
  (it) => {
    it('has a default class of volumes local to the node', async () => {
      const printed = await lab.kubectl('get', 'storageclass');
      assert.match(
        printed,
        /local-path \(default\)\s+coxswain.dev\/local-path\s+Delete\s+WaitForFirstConsumer/,
      );
    });

    it('starts pods in order, each with its name and its volume', async () => {
      await lab.apply(statefulSet(3));
      await lab.kubectl('rollout', 'status', 'statefulset/web', '--timeout=60s');
      const pods = await allReady(lab, 'web', 3);
      assert.equal(names(pods), ['web-0', 'web-1', 'web-2']);
      const born = (i: number): string =>
        pods.find((p) => p.metadata.name === `web-${i}`)?.status?.startTime ?? '';
      assert.ok(born(0) <= born(1) && born(1) <= born(2));
      for (const pod of pods) {
        const volume = await volumeOf(`data-${pod.metadata.name}`);
        assert.ok((await folders(nodeOf(pod))).includes(volume), `${volume} on ${nodeOf(pod)}`);
        assert.is((await sh(pod.metadata.name, 'hostname')).trim(), pod.metadata.name);
      }
      const printed = await lab.kubectl('get', 'statefulset', 'web');
      assert.match(printed, /web\s+3\/3/);
      assert.match(
        await lab.kubectl('describe', 'statefulset', 'web'),
        /SuccessfulCreate.*create Claim data-web-0/,
      );
    });

    it('mounts for the group, in part, and read-only', async () => {
      await sh('web-0', 'echo kept > /data/file && echo part > /part/file');
      assert.is(await sh('web-0', 'cat /look/file /look/part/file'), 'kept\npart\n');
      assert.is((await sh('web-0', 'stat -c %g /data/file')).trim(), '2000');
      assert.match(await sh('web-0', 'touch /look/x 2>&1 || true'), 'Read-only');
      const volume = await volumeOf('data-web-0');
      const listed = await lab.exec(
        nodeOf(await podNamed('web-0')),
        'stat',
        '-c',
        '%a %g',
        `${VOLUMES}/${volume}`,
      );
      assert.is(listed.trim(), '2770 2000');
    });

    it('brings a deleted pod back to its node and its data', async () => {
      const before = await podNamed('web-0');
      await lab.kubectl('delete', 'pod', 'web-0');
      const pods = await allReady(lab, 'web', 3);
      const after = pods.find((p) => p.metadata.name === 'web-0');
      assert.is.not(after?.metadata.uid, before.metadata.uid);
      assert.is(after?.spec.nodeName, before.spec.nodeName);
      assert.is(await sh('web-0', 'cat /data/file'), 'kept\n');
    });

    it('finds its data again after a power cut', async () => {
      const node = nodeOf(await podNamed('web-0'));
      await sh('web-0', 'sync');
      await lab.run('power-off', node);
      await lab.run('power-on', node);
      await lab.eventually(async () => (await sh('web-0', 'cat /data/file')) === 'kept\n', {
        withinMs: 60_000,
      });
      await allReady(lab, 'web', 3, 60_000);
      assert.is(nodeOf(await podNamed('web-0')), node);
    });

    it('keeps the volume when scaled down, and takes it up again', async () => {
      await sh('web-2', 'echo two > /data/file');
      const node = nodeOf(await podNamed('web-2'));
      const volume = await volumeOf('data-web-2');
      await lab.kubectl('scale', 'statefulset/web', '--replicas=1');
      await allReady(lab, 'web', 1);
      assert.ok((await folders(node)).includes(volume));
      await lab.kubectl('scale', 'statefulset/web', '--replicas=3');
      await allReady(lab, 'web', 3);
      assert.is(await volumeOf('data-web-2'), volume);
      assert.is(await sh('web-2', 'cat /data/file'), 'two\n');
    });

    it('updates down to the partition, then all, and goes back', async () => {
      const strategy = (partition: number): Record<string, unknown> => ({
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
      });
      await lab.apply(statefulSet(3, strategy(2)));
      await lab.kubectl('set', 'env', 'statefulset/web', 'COLOR=blue');
      await lab.kubectl('rollout', 'status', 'statefulset/web', '--timeout=60s');
      const color = async (pod: string): Promise<string> => (await sh(pod, 'echo $COLOR')).trim();
      assert.equal([await color('web-0'), await color('web-1'), await color('web-2')], ['', '', 'blue']);
      await lab.kubectl('patch', 'statefulset', 'web', '-p', JSON.stringify({ spec: strategy(0) }));
      await lab.kubectl('rollout', 'status', 'statefulset/web', '--timeout=60s');
      assert.equal(
        [await color('web-0'), await color('web-1'), await color('web-2')],
        ['blue', 'blue', 'blue'],
      );
      assert.match(await lab.kubectl('rollout', 'history', 'statefulset/web'), /1\s+<none>\n2\s+<none>/);
      await lab.kubectl('rollout', 'undo', 'statefulset/web');
      await lab.kubectl('rollout', 'status', 'statefulset/web', '--timeout=60s');
      assert.equal([await color('web-0'), await color('web-2')], ['', '']);
      assert.is(await sh('web-0', 'cat /data/file'), 'kept\n');
    });

    it('removes the data with the claim, and not before', async () => {
      await lab.kubectl('scale', 'statefulset/web', '--replicas=1');
      await lab.eventually(async () => names(await podsOf(lab, 'web')).join() === 'web-0', {
        withinMs: 30_000,
      });
      const volume = await volumeOf('data-web-2');
      const { spec: placed } = await lab.get<PersistentVolume>('pv', volume);
      const [term] = placed.nodeAffinity?.required?.nodeSelectorTerms ?? [];
      const node = term?.matchExpressions?.[0]?.values?.[0] ?? '';
      assert.is(placed.local?.path, `${VOLUMES}/${volume}`);
      assert.ok((await folders(node)).includes(volume));
      await lab.kubectl('delete', 'pvc', 'data-web-2');
      await lab.eventually(async () => !(await folders(node)).includes(volume), { withinMs: 20_000 });
      await lab.eventually(async () => !(await lab.kubectl('get', 'pv', '-o', 'name')).includes(volume), {
        withinMs: 20_000,
      });
    });

    it('holds a claim in use, and a pod whose node is away, and says which node that is', async () => {
      const home = nodeOf(await podNamed('web-0'));
      await lab.kubectl('delete', 'pvc', 'data-web-0', '--wait=false');
      assert.match(await lab.kubectl('get', 'pvc', 'data-web-0'), /Terminating/);
      await lab.kubectl('delete', 'pvc', 'data-web-1', '--wait=false');
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'reader', labels: { app: 'reader' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'main',
              image: 'busybox:latest',
              imagePullPolicy: 'IfNotPresent',
              command: ['sleep', '1000000'],
              volumeMounts: [{ name: 'own', mountPath: '/own' }],
            },
          ],
          volumes: [{ name: 'own', persistentVolumeClaim: { claimName: 'own' } }],
        },
      };
      const claim = {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'own' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
      };
      await lab.apply(JSON.stringify(claim));
      await lab.apply(JSON.stringify(pod));
      const [reader] = await allReady(lab, 'reader', 1);
      assert.ok(reader);
      const away = nodeOf(reader);
      await sh('reader', 'echo mine > /own/file');
      await lab.kubectl('delete', 'pod', 'reader');
      await lab.run('cut', away);
      await lab.eventually(async () => (await lab.kubectl('get', 'node', away)).includes('NotReady'), {
        withinMs: 60_000,
      });
      await lab.apply(JSON.stringify(pod));
      await lab.eventually(
        async () =>
          (await lab.kubectl('describe', 'pod', 'reader')).includes(
            `lies on node "${away}", which is not ready`,
          ),
        { withinMs: 20_000 },
      );
      await lab.run('heal', away);
      await lab.eventually(async () => isReady(await podNamed('reader')), { withinMs: 60_000 });
      assert.is(await sh('reader', 'cat /own/file'), 'mine\n');
      assert.ok(home);
    });

    it('lets everything go with the set and the claims', async () => {
      const set = await lab.get<StatefulSet>('statefulset', 'web');
      assert.is(set.status?.replicas, 1);
      await lab.kubectl('delete', 'statefulset/web', 'pod/reader', 'pvc/own', '--timeout=60s');
      await lab.eventually(async () => (await lab.kubectl('get', 'pv,pvc', '-o', 'name')).trim() === '', {
        withinMs: 30_000,
      });
      for (const node of ['worker-1', 'worker-2', 'worker-3']) assert.equal(await folders(node), []);
    });
  },
  {
    before: async () => {
      lab = await startLab({ workers: 3, name: 'stateful' });
      await nodesReady(lab);
    },
    after: () => lab.stop(),
    caseTimeoutMs: 120_000,
  },
);
