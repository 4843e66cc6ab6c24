/** The JavaScript client of Kubernetes, as programs use it: typed calls, patches, watches, streams, objects of any kind. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import * as k8s from '@kubernetes/client-node';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { eventually, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;
let config: k8s.KubeConfig;
const namespace = 'default';

/** What a stream has said so far. */
function collected(): { readonly stream: PassThrough; text: string } {
  const found = { stream: new PassThrough(), text: '' };
  found.stream.on('data', (chunk: Buffer) => {
    found.text += chunk.toString();
  });
  return found;
}

spec(
  'client-node',
  (it) => {
    it('creates, reads, lists, replaces and deletes', async () => {
      const core = config.makeApiClient(k8s.CoreV1Api);
      const made = await core.createNamespacedConfigMap({
        namespace,
        body: { metadata: { name: 'typed' }, data: { a: '1' } },
      });
      assert.ok(made.metadata?.creationTimestamp instanceof Date);
      made.data = { a: '2' };
      await core.replaceNamespacedConfigMap({ namespace, name: 'typed', body: made });
      assert.equal((await core.readNamespacedConfigMap({ namespace, name: 'typed' })).data, { a: '2' });
      const { items } = await core.listNamespacedConfigMap({
        namespace,
        fieldSelector: 'metadata.name=typed',
      });
      assert.is(items.length, 1);
      await core.deleteNamespacedConfigMap({ namespace, name: 'typed' });
      const gone = await core
        .readNamespacedConfigMap({ namespace, name: 'typed' })
        .catch((error: unknown) => error);
      assert.instance(gone, k8s.ApiException);
      assert.is((gone as k8s.ApiException<string>).code, 404);
      assert.is((JSON.parse((gone as k8s.ApiException<string>).body) as k8s.V1Status).reason, 'NotFound');
    });

    it('patches in every form, and applies', async () => {
      const core = config.makeApiClient(k8s.CoreV1Api);
      const target = { namespace, name: 'patched' };
      await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'patched' } } });
      const forms: readonly (readonly [k8s.PatchStrategy, unknown])[] = [
        [k8s.PatchStrategy.JsonPatch, [{ op: 'add', path: '/data', value: { json: '1' } }]],
        [k8s.PatchStrategy.MergePatch, { data: { merge: '1' } }],
        [k8s.PatchStrategy.StrategicMergePatch, { data: { strategic: '1' } }],
      ];
      for (const [form, body] of forms)
        await core.patchNamespacedConfigMap({ ...target, body }, k8s.setHeaderOptions('Content-Type', form));
      const body = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'patched' },
        data: { apply: '1' },
      };
      const applied = await core.patchNamespacedConfigMap(
        { ...target, body, fieldManager: 'test', force: true },
        k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.ServerSideApply),
      );
      assert.equal(applied.data, { json: '1', merge: '1', strategic: '1', apply: '1' });
    });

    it('handles objects of any kind by discovery', async () => {
      const objects = k8s.KubernetesObjectApi.makeApiClient(config);
      const deployment: k8s.V1Deployment = {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'any', namespace },
        spec: {
          selector: { matchLabels: { app: 'any' } },
          template: {
            metadata: { labels: { app: 'any' } },
            spec: { containers: [{ name: 'c', image: 'busybox' }] },
          },
        },
      };
      const made = await objects.create(deployment);
      assert.is(made.spec?.replicas, 1);
      const list = await objects.list<k8s.V1Deployment>('apps/v1', 'Deployment', namespace);
      assert.ok(list.items.some((item) => item.metadata?.name === 'any'));
      assert.is((await objects.delete(deployment)).status, 'Success');
    });

    it('watches', async () => {
      const core = config.makeApiClient(k8s.CoreV1Api);
      const told: string[] = [];
      const watching = await new k8s.Watch(config).watch(
        `/api/v1/namespaces/${namespace}/secrets`,
        { allowWatchBookmarks: true },
        (type: string, object: k8s.V1Secret) => void told.push(`${type} ${object.metadata?.name}`),
        () => undefined,
      );
      await core.createNamespacedSecret({
        namespace,
        body: { metadata: { name: 's' }, stringData: { a: 'b' } },
      });
      await core.deleteNamespacedSecret({ namespace, name: 's' });
      await eventually('both are told', () => told.length === 2);
      assert.equal(told, ['ADDED s', 'DELETED s']);
      watching.abort();
    });

    it('runs commands, with what comes in and what they end with', async () => {
      const [stdout, stderr, stdin] = [collected(), collected(), new PassThrough()];
      const status = new Promise<k8s.V1Status>((resolve, reject) => {
        new k8s.Exec(config)
          .exec(
            namespace,
            'solo',
            'main',
            ['sh', '-c', 'read x; echo "got $x"; echo bad >&2; exit 3'],
            stdout.stream,
            stderr.stream,
            stdin,
            false,
            resolve,
          )
          .catch(reject);
      });
      stdin.end('hello\n');
      const { details, reason } = await status;
      assert.is(reason, 'NonZeroExitCode');
      assert.is(details?.causes?.[0]?.message, '3');
      assert.equal([stdout.text, stderr.text], ['got hello\n', 'bad\n']);
    });

    it('follows logs', async () => {
      hub.device.logText = 'one\ntwo\n';
      const log = collected();
      await new k8s.Log(config).log(namespace, 'solo', 'main', log.stream, { follow: true, tailLines: 1 });
      await eventually('what was there is read', () => log.text === 'two\n');
      await hub.device.say('three\n');
      await eventually('what comes is read', () => log.text === 'two\nthree\n');
      hub.device.endLogs();
    });

    it('forwards ports', async () => {
      const web: Server = createServer((_request, response) => void response.end('from the pod'));
      await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
      const forward = new k8s.PortForward(config);
      const front = createTcpServer((socket) => {
        void forward.portForward(
          namespace,
          'solo',
          [(web.address() as AddressInfo).port],
          socket,
          null,
          socket,
        );
      });
      await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
      try {
        const response = await fetch(`http://127.0.0.1:${(front.address() as AddressInfo).port}/`, {
          headers: { connection: 'close' },
        });
        assert.is(await response.text(), 'from the pod');
      } finally {
        front.close();
        web.close();
        web.closeAllConnections();
      }
    });
  },
  {
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('solo', 'worker-1'));
      config = new k8s.KubeConfig();
      config.loadFromFile(join(hub.dir, 'kubeconfig'));
    },
    after: () => hub.stop(),
  },
);
