/** The proxies of services and nodes, by kubectl and by hand; ports of pods are a server on loopback. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { spec } from '../spec.ts';
import { startKubectlProxy, startServer } from './forwarding.ts';
import { GUEST_TOKEN, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;
let web: Awaited<ReturnType<typeof startServer>>;

function answer(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/away') response.writeHead(302, { Location: '/home' }).end();
  else response.end(JSON.stringify({ url: request.url, host: request.headers.host }));
}

const servicePath = (name: string, rest: string): string =>
  `/api/v1/namespaces/default/services/${name}/proxy${rest}`;
const nodePath = (rest: string, name = 'worker-1'): string => `/api/v1/nodes/${name}/proxy${rest}`;

interface Refusal {
  readonly reason: string;
  readonly message: string;
}

const SERVICE = (name: string, app: string): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', labels: { 'kubernetes.io/cluster-service': 'true' } },
  spec: { selector: { app }, ports: [{ name: 'http', port: 80, targetPort: 'web' }] },
});

spec(
  'the proxy of services',
  (it) => {
    it('reaches a ready pod behind the service, by port name and number', async () => {
      for (const name of ['web:http', 'web:80', 'http:web:80']) {
        const { status, json } = await hub.ask('GET', servicePath(name, '/a?b=c'));
        assert.is(status, 200, name);
        assert.equal(json, { url: '/a?b=c', host: `10.64.1.5:${web.port}` });
      }
      const { out, code, err } = await hub.kubectl('get', '--raw', servicePath('web:http', '/x'));
      assert.is(code, 0, err);
      assert.match(out, '"url":"/x"');
    });

    it('keeps redirects behind the proxy, and adds the slash at the end', async () => {
      const away = await hub.ask('GET', servicePath('web:80', '/away'));
      assert.is(away.headers.location, servicePath('web:80', '/home'));
      assert.is((await hub.ask('GET', servicePath('web:80', ''))).status, 301);
    });

    it('refuses as Kubernetes does', async () => {
      const cases: [string, number, string, string][] = [
        ['nobody', 503, 'ServiceUnavailable', 'no endpoints available for service "nobody"'],
        ['web:81', 503, 'ServiceUnavailable', 'no service port 81 found for service "web"'],
        ['absent', 404, 'NotFound', 'services "absent" not found'],
        ['ftp:web:80', 400, 'BadRequest', 'invalid service request "ftp:web:80"'],
      ];
      for (const [name, code, reason, message] of cases) {
        const { status, json } = await hub.ask('GET', servicePath(name, '/x'));
        assert.equal([status, (json as Refusal).reason, (json as Refusal).message], [code, reason, message]);
      }
      const guest = await hub.ask('GET', servicePath('web', '/x'), { token: GUEST_TOKEN });
      assert.is(guest.status, 403);
      assert.match((guest.json as Refusal).message, 'cannot get resource "services/proxy" in API group ""');
    });

    it('is what kubectl cluster-info names', async () => {
      const { out } = await hub.kubectl('cluster-info');
      assert.match(
        out,
        /dash is running at .*\/api\/v1\/namespaces\/kube-system\/services\/dash:http\/proxy/,
      );
    });

    it('is listed by discovery', async () => {
      const { resources } = (await hub.ask('GET', '/api/v1')).json as {
        resources: Record<string, unknown>[];
      };
      const verbs = ['create', 'delete', 'get', 'patch', 'update'];
      for (const [name, kind] of [
        ['services/proxy', 'ServiceProxyOptions'],
        ['nodes/proxy', 'NodeProxyOptions'],
      ])
        assert.equal(
          resources.filter((r) => r['name'] === name).map((r) => [r['kind'], r['verbs']]),
          [[kind, verbs]],
        );
    });
  },
  {
    caseTimeoutMs: 30_000,
    before: async () => {
      web = await startServer(answer);
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(readyNode('worker-2'));
      const pod = runningPod('web', 'worker-1') as { spec: { containers: { ports?: object[] }[] } };
      for (const container of pod.spec.containers)
        container.ports = [{ name: 'web', containerPort: web.port }];
      await hub.put(pod);
      await hub.put(SERVICE('web', 'web'));
      await hub.put(SERVICE('nobody', 'nobody'));
      const dash = SERVICE('dash', 'web') as { metadata: { namespace: string } };
      dash.metadata.namespace = 'kube-system';
      await hub.put(dash);
    },
  },
);

spec(
  'the proxy of nodes',
  (it) => {
    it('tells the pods of the node', async () => {
      const { out, code, err } = await hub.kubectl('get', '--raw', nodePath('/pods'));
      assert.is(code, 0, err);
      const list = JSON.parse(out) as { kind: string; items: KubeObject[] };
      assert.is(list.kind, 'PodList');
      assert.equal(
        list.items.map((p) => p.metadata.name),
        ['web'],
      );
      const other = (await hub.ask('GET', nodePath('/pods', 'worker-2'))).json as typeof list;
      assert.equal(other.items, []);
    });

    it('tells a summary from telemetry, and leaves out what nobody measured', async () => {
      const uid = (await podUid()) ?? '';
      const atMs = Date.UTC(2026, 1, 3, 4, 5, 6);
      const sample = {
        windowMs: 10_000,
        cpuRatio: 0.25,
        memoryUsedBytes: 2 ** 20,
        memoryTotalBytes: 2 ** 22,
        diskRatio: 0.5,
      };
      hub.device.samples.set('worker-1', { sample, atMs });
      hub.device.usages.set(uid, { sample: { cpuMilli: 50, memoryBytes: 4096 }, atMs });
      const { json } = await hub.ask('GET', nodePath('/stats/summary'));
      const { node, pods } = json as { node: Record<string, unknown>; pods: Record<string, unknown>[] };
      const time = '2026-02-03T04:05:06Z';
      assert.equal(node, {
        nodeName: 'worker-1',
        cpu: { time, usageNanoCores: 1_000_000_000 },
        memory: { time, availableBytes: 3 * 2 ** 20, usageBytes: 2 ** 20, workingSetBytes: 2 ** 20 },
      });
      assert.is(pods.length, 1);
      assert.equal(pods[0]?.['podRef'], { name: 'web', namespace: 'default', uid });
      assert.equal(pods[0]?.['cpu'], { time, usageNanoCores: 50_000_000 });
      const bare = (await hub.ask('GET', nodePath('/stats/summary', 'worker-2'))).json;
      assert.equal(bare, { node: { nodeName: 'worker-2' }, pods: [] });
    });

    it('tells that the device is well, or that nobody can tell', async () => {
      for (const name of ['worker-1', 'worker-1:10250', 'https:worker-1:10250', 'worker-1:10255'])
        assert.is((await hub.ask('GET', nodePath('/healthz', name))).text, 'ok', name);
      const lost = readyNode('lost') as { status: { conditions: object[] } };
      lost.status.conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
      await hub.put(lost);
      assert.is((await hub.ask('GET', nodePath('/healthz', 'lost'))).status, 503);
    });

    it('tells logs of containers of this node', async () => {
      hub.device.logText = 'one\ntwo\n';
      const { out, err } = await hub.kubectl(
        'get',
        '--raw',
        nodePath('/containerLogs/default/web/main?tailLines=1'),
      );
      assert.is(out, 'two\n', err);
      const elsewhere = nodePath('/containerLogs/default/web/main', 'worker-2');
      for (const path of [elsewhere, nodePath('/containerLogs/default/absent/main')])
        assert.is((await hub.ask('GET', path)).status, 404, path);
      assert.is((await hub.ask('GET', nodePath('/containerLogs/default/web/zz'))).status, 400);
    });

    it('does not make up what devices do not tell', async () => {
      for (const rest of ['/metrics', '/metrics/cadvisor', '/logs/', '/exec/default/web/main', '/', ''])
        assert.is((await hub.ask('GET', nodePath(rest))).status, 404, rest);
      assert.is((await hub.ask('GET', nodePath('/pods', 'worker-1:9100'))).status, 404);
      assert.is((await hub.ask('POST', nodePath('/pods'), { body: {} })).status, 405);
      const absent = await hub.ask('GET', nodePath('/pods', 'absent'));
      assert.is((absent.json as Refusal).message, 'nodes "absent" not found');
    });

    it('serves kubectl proxy, for nodes and services', async () => {
      const { child, port } = await startKubectlProxy(hub);
      try {
        const base = `http://127.0.0.1:${port}`;
        const get = async (path: string): Promise<[number, string]> => {
          const response = await fetch(base + path, { redirect: 'manual' });
          return [response.status, response.headers.get('location') ?? (await response.text())];
        };
        assert.equal(await get(nodePath('/healthz')), [200, 'ok']);
        assert.match((await get(nodePath('/pods')))[1], '"kind":"PodList"');
        assert.match((await get(servicePath('web:http', '/a?b=c')))[1], '"url":"/a?b=c"');
        assert.equal(await get(servicePath('web:80', '/away')), [302, servicePath('web:80', '/home')]);
        const [status, text] = await get(servicePath('nobody', '/'));
        assert.is(status, 503);
        assert.match(text, 'no endpoints available for service');
      } finally {
        child.kill('SIGINT');
      }
    });

    it('needs the right to nodes/proxy', async () => {
      const guest = await hub.ask('GET', nodePath('/pods'), { token: GUEST_TOKEN });
      assert.is(guest.status, 403);
      assert.match((guest.json as Refusal).message, 'cannot get resource "nodes/proxy" in API group ""');
    });

    it('logs no complaint in all of this', () => assert.equal(hub.complaints, []));
  },
  {
    caseTimeoutMs: 30_000,
    after: async () => {
      web.stop();
      await hub.stop();
    },
  },
);

async function podUid(): Promise<string | undefined> {
  return ((await hub.ask('GET', '/api/v1/namespaces/default/pods/web')).json as KubeObject).metadata.uid;
}
