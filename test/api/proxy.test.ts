/** The proxy of pods, by kubectl and by hand; the pod's port is a server on loopback. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as assert from 'uvu/assert';
import { WebSocket, WebSocketServer } from 'ws';
import { spec } from '../spec.ts';
import { fetchDigest, patternDigest, sendPattern, startKubectlProxy, startServer } from './forwarding.ts';
import { ADMIN_TOKEN, eventually, GUEST_TOKEN, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

const MIB = 1024 * 1024;

let hub: TestHub;
let web: Awaited<ReturnType<typeof startServer>>;

const OWN: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/away': (response) => response.writeHead(302, { Location: '/home?x=1' }).end(),
  '/teapot': (response) => response.writeHead(418, 'Teapot', { 'X-Own': ['a', 'b'] }).end('short'),
  '/torn': (response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('half');
    setImmediate(() => response.destroy());
  },
};

/** Tells what it was asked; some paths have an answer of their own. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { url = '', method, headers } = request;
  if (url.startsWith('/pattern/')) {
    sendPattern(response, Number(url.slice(9)));
    return;
  }
  const own = OWN[url];
  if (own !== undefined) {
    own(response);
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => void chunks.push(chunk));
  request.on('end', () =>
    response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() })),
  );
}

const path = (rest: string, name = `solo:${web.port}`): string =>
  `/api/v1/namespaces/default/pods/${name}/proxy${rest}`;

interface Told {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

spec(
  'the proxy of pods',
  (it) => {
    it('answers kubectl get --raw', async () => {
      const { out, code, err } = await hub.kubectl('get', '--raw', path('/a/b?c=d&c=e'));
      assert.is(code, 0, err);
      assert.is((JSON.parse(out) as Told).url, '/a/b?c=d&c=e');
    });

    it('passes methods, paths, queries, bodies and headers on, and no credentials', async () => {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const body = method === 'GET' || method === 'OPTIONS' ? undefined : `{"by":"${method}"}`;
        const rest = '//x/%2Fy/%C3%A4/?q=%20+1&z';
        const { json, status } = await hub.ask(method, path(rest), { body, headers: { 'x-mine': 'yes' } });
        const told = json as Told;
        assert.equal([status, told.method, told.url, told.body], [200, method, rest, body ?? '']);
        assert.is(told.headers['x-mine'], 'yes');
        assert.is(told.headers['authorization'], undefined);
        assert.is(told.headers['host'], `10.64.1.5:${web.port}`);
        assert.is(told.headers['x-forwarded-proto'], 'https');
      }
    });

    it('passes statuses and headers back', async () => {
      const { status, headers, text } = await hub.ask('GET', path('/teapot'));
      assert.equal([status, text, headers['x-own']], [418, 'short', 'a, b']);
      assert.equal((await hub.ask('HEAD', path('/teapot'))).text, '');
    });

    it('keeps redirects of the pod behind the proxy, and adds the slash at the end', async () => {
      assert.is((await hub.ask('GET', path('/away'))).headers.location, path('/home?x=1'));
      const bare = await hub.ask('GET', `${path('')}?a=b`);
      assert.equal([bare.status, bare.headers.location], [301, `${path('/')}?a=b`]);
    });

    it('takes the port by number, by name, or the first one', async () => {
      for (const name of [`solo:${web.port}`, 'solo:web', 'solo', `http:solo:${web.port}`])
        assert.is((await hub.ask('GET', path('/x', name))).status, 200, name);
      for (const [name, status] of [
        ['solo:other', 400],
        ['ftp:solo:1', 400],
        ['nobody', 404],
        ['solo:9', 503],
      ] as const)
        assert.is((await hub.ask('GET', path('/x', name))).status, status, name);
      assert.match((await hub.ask('GET', path('/x', 'solo:9'))).text, 'error trying to reach service');
    });

    it('serves kubectl proxy', async () => {
      const { child, port } = await startKubectlProxy(hub);
      const got = await fetchDigest(`http://127.0.0.1:${port}${path(`/pattern/${20 * MIB}`)}`);
      child.kill('SIGINT');
      assert.equal([got.status, got.bytes, got.sha256], [200, 20 * MIB, patternDigest(20 * MIB)]);
    });

    it('takes large bodies', async () => {
      const { json } = await hub.ask('POST', path('/up'), { body: Buffer.alloc(5 * MIB, 'x') });
      assert.is((json as Told).body.length, 5 * MIB);
    });

    it('does not make a torn answer look whole', async () => {
      const error = await hub.ask('GET', path('/torn')).catch((e: unknown) => e);
      assert.instance(error, Error);
    });

    it('passes WebSockets', async () => {
      const echo = new WebSocketServer({ server: web.server, path: '/echo' });
      echo.on('connection', (socket) => socket.on('message', (data) => socket.send(`${String(data)}!`)));
      const token = `base64url.bearer.authorization.k8s.io.${Buffer.from(ADMIN_TOKEN).toString('base64url')}`;
      const socket = new WebSocket(`wss://127.0.0.1:${hub.port}${path('/echo')}`, ['mine', token], {
        ca: hub.caPem,
      });
      const said = await new Promise<string>((resolve, reject) => {
        socket.on('error', reject);
        socket.on('open', () => socket.send('ahoy'));
        socket.on('message', (data) => resolve(String(data)));
      });
      assert.equal([said, socket.protocol], ['ahoy!', 'mine']);
      socket.close();
      await eventually('the stream is closed', () => hub.device.live === 0);
      echo.close();
    });

    it('passes on what the pod says to an upgrade it does not want', async () => {
      const headers = { connection: 'Upgrade', upgrade: 'websocket' };
      const { status, json } = await hub.ask('GET', path('/plain'), { headers });
      assert.equal([status, (json as Told).headers['upgrade']], [200, 'websocket']);
    });

    it('lets go of the pod when the client goes', async () => {
      const response = await hub.open(path(`/pattern/${500 * MIB}`));
      response.pause();
      await eventually('it is connected', () => hub.device.live === 1);
      response.destroy();
      await eventually('the stream is closed', () => hub.device.live === 0);
    });

    it('refuses strangers, absent nodes and pods of nodes that are away', async () => {
      assert.is((await hub.ask('GET', path('/x'), { token: GUEST_TOKEN })).status, 403);
      assert.is((await hub.ask('GET', path('/x'), { token: null })).status, 401);
      assert.is((await hub.ask('GET', '/api/v1/nodes/worker-1/proxy/metrics')).status, 404);
      assert.is((await hub.ask('GET', '/api/v1/namespaces/default/configmaps/x/proxy/')).status, 404);
      hub.device.connected = false;
      const away = await hub.ask('GET', path('/x'));
      hub.device.connected = true;
      assert.is(away.status, 503);
      assert.match(away.text, 'not connected');
    });

    it('leaves nothing open and nothing to complain about', async () => {
      await eventually('all streams are closed', () => hub.device.live === 0);
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 30_000,
    before: async () => {
      web = await startServer(answer);
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      const pod = runningPod('solo', 'worker-1') as { spec: { containers: { ports?: object[] }[] } };
      for (const container of pod.spec.containers)
        container.ports = [{ name: 'web', containerPort: web.port }];
      await hub.put(pod);
    },
    after: async () => {
      web.stop();
      await hub.stop();
    },
  },
);
