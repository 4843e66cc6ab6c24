/** The real kubectl's port-forward in all its forms; the pod's ports are servers on loopback. */
import { connect } from 'node:net';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { spec } from '../spec.ts';
import {
  type Forward,
  fetchDigest,
  patternDigest,
  sendPattern,
  startForward,
  startServer,
} from './forwarding.ts';
import { ADMIN_TOKEN, eventually, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod, waitingPod } from './worlds.ts';

const MIB = 1024 * 1024;

let hub: TestHub;
let web: Awaited<ReturnType<typeof startServer>>;

/** kubectl as it is, and told to speak SPDY alone, as versions before 1.31 do. */
const FORMS = [
  ['SPDY in a WebSocket', {}],
  ['SPDY', { KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }],
] as const;

async function forwarding(
  env: Readonly<Record<string, string>>,
  port: number,
  body: (forward: Forward) => Promise<void>,
): Promise<void> {
  const forward = await startForward(hub, env, 'pod/solo', `:${port}`);
  try {
    await body(forward);
  } finally {
    await forward.stop();
  }
}

const url = (forward: Forward, bytes: number): string => `http://127.0.0.1:${forward.port}/${bytes}`;

spec(
  'kubectl port-forward',
  (it) => {
    for (const [form, env] of FORMS) {
      it(`carries connections side by side: ${form}`, () =>
        forwarding(env, web.port, async (forward) => {
          const all = await Promise.all(Array.from({ length: 20 }, () => fetchDigest(url(forward, 300_000))));
          for (const got of all) assert.is(got.sha256, patternDigest(300_000));
          await eventually('every connection is over', () => hub.device.live === 0);
          assert.is(forward.errors(), '');
        }));

      it(`says why a connection failed: ${form}`, () =>
        forwarding(env, 9, async (forward) => {
          // kubectl itself gives up after the first.
          assert.ok(await fetchDigest(url(forward, 1)).catch((error: unknown) => error instanceof Error));
          await eventually('it says so', () => forward.errors().includes('ECONNREFUSED'));
          assert.match(forward.errors(), 'port 9 of the pod');
        }));

      it(`lets go of the device when kubectl is stopped: ${form}`, async () => {
        await forwarding(env, web.port, async (forward) => {
          const socket = connect(forward.port, '127.0.0.1');
          socket.on('error', () => undefined);
          await eventually('it is connected', () => hub.device.live === 1);
        });
        await eventually('the stream is closed', () => hub.device.live === 0);
      });

      it(`says that the node is away: ${form}`, () =>
        forwarding(env, web.port, async (forward) => {
          hub.device.connected = false;
          await fetchDigest(url(forward, 1)).catch(() => undefined);
          hub.device.connected = true;
          await eventually('it says so', () => forward.errors().includes('worker-1 is not connected'));
        }));
    }

    it('forwards a great deal without holding it', () =>
      forwarding({}, web.port, async (forward) => {
        await fetchDigest(url(forward, 50 * MIB)); // buffers and pools are at their size now
        const rss: number[] = [];
        for (let i = 0; i < 3; i++) {
          rss.push(process.memoryUsage.rss());
          const { bytes, sha256 } = await fetchDigest(url(forward, 60 * MIB));
          assert.equal([bytes, sha256], [60 * MIB, patternDigest(60 * MIB)]);
        }
        const grownMiB = (process.memoryUsage.rss() - (rss[0] ?? 0)) / MIB;
        assert.ok(grownMiB < 60, `180 MiB forwarded, ${grownMiB.toFixed(1)} MiB more memory`);
      }));

    it('does not read ahead of a client that reads nothing', () =>
      forwarding({}, web.port, async (forward) => {
        const before = process.memoryUsage().arrayBuffers;
        const carried = hub.device.carriedBytes;
        const socket = connect(forward.port, '127.0.0.1');
        socket.pause();
        socket.write(`GET /${500 * MIB} HTTP/1.1\r\nHost: pod\r\n\r\n`);
        await eventually('it is connected', () => hub.device.live === 1);
        let last = -1;
        await eventually('all buffers on the way are full', () => {
          const isStill = hub.device.carriedBytes - carried === last;
          last = hub.device.carriedBytes - carried;
          return isStill && last > 0;
        });
        assert.ok(last < 64 * MIB, `${last} bytes were taken from the pod`);
        assert.ok(process.memoryUsage().arrayBuffers - before < 32 * MIB);
        socket.destroy();
        await eventually('the stream is closed', () => hub.device.live === 0);
      }));

    it('refuses what cannot be forwarded to with a Status', async () => {
      const path = '/api/v1/namespaces/default/pods/solo/portforward';
      assert.is((await hub.ask('GET', path)).status, 400);
      assert.is((await hub.ask('GET', path.replace('solo', 'nobody'))).status, 404);
      const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'other' };
      const other = await hub.ask('POST', path, { headers });
      assert.is(other.status, 403);
      assert.is(other.headers['x-accepted-stream-protocol-versions'], 'portforward.k8s.io');
    });

    it('serves the channel form of client-node and dashboards', async () => {
      const socket = channelSocket([web.port, 9]);
      const heard = new Map<number, Buffer>();
      let closed = false;
      socket.on('message', (message: Buffer) => {
        const channel = message[0] ?? 255;
        heard.set(channel, Buffer.concat([heard.get(channel) ?? Buffer.alloc(0), message.subarray(1)]));
      });
      socket.on('close', () => {
        closed = true;
      });
      await eventually('the ports are told', () => heard.size === 4);
      assert.is(heard.get(0)?.readUInt16LE(), web.port);
      assert.is(heard.get(3)?.readUInt16LE(), 9);
      socket.send(Buffer.concat([Buffer.of(0), Buffer.from('GET /5 HTTP/1.0\r\n\r\n')]));
      await eventually('the server answers', () =>
        (heard.get(0)?.toString() ?? '').endsWith('\r\n\r\ncoxsw'),
      );
      await eventually('the other port fails', () =>
        (heard.get(3)?.toString() ?? '').includes('ECONNREFUSED'),
      );
      await eventually('all ports being over, it closes', () => closed);
      assert.is(hub.device.live, 0);
    });

    it('leaves nothing open and nothing to complain about', async () => {
      await eventually('all streams are closed', () => hub.device.live === 0);
      assert.equal(hub.complaints, []);
    });

    it('ends when the server stops', async () => {
      const forward = await startForward(hub, {}, 'pod/solo', `:${web.port}`);
      const socket = connect(forward.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await eventually('it is connected', () => hub.device.live === 1);
      await hub.server.stop();
      await eventually('the device is told', () => hub.device.live === 0);
      await forward.stop();
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('solo', 'worker-1'));
      await hub.put(waitingPod('creating', 'worker-1', 'ContainerCreating'));
      web = await startServer((request, response) => sendPattern(response, Number(request.url?.slice(1))));
    },
    after: async () => {
      web.stop();
      await hub.stop();
    },
  },
);

function channelSocket(ports: readonly number[]): WebSocket {
  const query = ports.map((port) => `ports=${port}`).join('&');
  return new WebSocket(
    `wss://127.0.0.1:${hub.port}/api/v1/namespaces/default/pods/solo/portforward?${query}`,
    'v4.channel.k8s.io',
    { ca: hub.caPem, headers: { authorization: `Bearer ${ADMIN_TOKEN}` } },
  );
}
