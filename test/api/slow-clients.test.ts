/** Clients that are slow, half open or do not read: each is cut, and the others are served meanwhile. */
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import { FrontDesk } from '../../hub/api/front-desk.ts';
import { silentLogger } from '../../kit/logger.ts';
import { spec } from '../spec.ts';
import { ADMIN_TOKEN, eventually, startHub, type TestHub } from './hub.ts';

let hub: TestHub;
const LIMITS = { headMs: 600, requestMs: 1500, idleMs: 1500, stallMs: 800 };
/** Longest that a limit may be overrun: Node looks for late requests at intervals. */
const SLACK_MS = 2_500;
const MAPS = '/api/v1/namespaces/default/configmaps';
const HEAD = `host: x\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n`;

interface Client {
  readonly socket: Socket;
  readonly openedMs: number;
  text: string;
  /** Time it was cut at; undefined while it is open. */
  closedMs: number | undefined;
}

function watched(socket: Socket): Client {
  const client: Client = { socket, openedMs: Date.now(), text: '', closedMs: undefined };
  socket.on('error', () => undefined); // being cut off is what this is about
  socket.on('close', () => {
    client.closedMs = Date.now();
  });
  return client;
}

const plain = (): Client => watched(connect(hub.port, '127.0.0.1'));

function secure(): Client & { readonly socket: TLSSocket } {
  const socket = connectTls({ host: '127.0.0.1', port: hub.port, ca: hub.caPem });
  const client = watched(socket);
  socket.on('data', (chunk: Buffer) => {
    client.text += chunk.toString('latin1');
  });
  return client as Client & { readonly socket: TLSSocket };
}

/** Writes a text byte by byte, for ever slower than the limit allows; ends with the connection. */
function trickle({ socket }: Client, text: string, everyMs = 50): void {
  let at = 0;
  const timer = setInterval(() => {
    if (!socket.destroyed && socket.writable) socket.write(text[at++ % text.length] ?? 'x');
  }, everyMs);
  socket.on('close', () => clearInterval(timer));
}

async function cut(client: Client, limitMs: number): Promise<void> {
  await eventually('it is cut', () => client.closedMs !== undefined, limitMs + SLACK_MS);
  assert.is((await hub.ask('GET', '/readyz')).status, 200);
}

spec(
  'slow clients are cut:',
  (it) => {
    it('a connection that never begins its handshake', async () => {
      await cut(plain(), LIMITS.headMs);
    });

    it('a handshake that stops halfway', async () => {
      const client = plain();
      // The head of a record of 512 bytes, of which only a few come.
      client.socket.write(Buffer.from('1603010200010001fc0303', 'hex'));
      await cut(client, LIMITS.headMs);
    });

    it('a handshake that trickles', async () => {
      const client = plain();
      client.socket.write(Buffer.from('1603014000', 'hex'));
      trickle(client, '\x01');
      await cut(client, LIMITS.headMs);
    });

    it('a connection that asks nothing', async () => {
      await cut(secure(), LIMITS.headMs);
    });

    it('a head that never ends', async () => {
      const client = secure();
      client.socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n');
      await cut(client, LIMITS.headMs);
      assert.match(client.text, /^(HTTP\/1\.1 408 |$)/);
    });

    it('a head that trickles', async () => {
      const client = secure();
      client.socket.write('GET /readyz HTTP/1.1\r\n');
      trickle(client, 'x-a: b\r\n', 20);
      await cut(client, LIMITS.headMs);
    });

    it('a body that stops halfway', async () => {
      const client = secure();
      client.socket.write(`POST ${MAPS} HTTP/1.1\r\n${HEAD}content-length: 100\r\n\r\n{"a"`);
      await cut(client, LIMITS.requestMs);
    });

    it('a body that trickles', async () => {
      const client = secure();
      client.socket.write(`POST ${MAPS} HTTP/1.1\r\n${HEAD}content-length: 1000000\r\n\r\n{"a":"`);
      trickle(client, 'x', 20);
      await cut(client, LIMITS.requestMs);
    });

    it('a body in chunks that never end', async () => {
      const client = secure();
      client.socket.write(`POST ${MAPS} HTTP/1.1\r\n${HEAD}transfer-encoding: chunked\r\n\r\n`);
      trickle(client, '1\r\nx\r\n', 20);
      await cut(client, LIMITS.requestMs);
    });

    it('a connection that is kept and not used', async () => {
      const client = secure();
      client.socket.write(`GET /readyz HTTP/1.1\r\n${HEAD}\r\n`);
      await eventually('it is answered', () => client.text.endsWith('ok'));
      await cut(client, LIMITS.idleMs);
    });

    it('but not one that reads slowly', async () => {
      const response = await hub.open(MAPS);
      let bytes = 0;
      const ended = new Promise<boolean>((resolve) => {
        response.on('end', () => resolve(true));
        response.on('error', () => resolve(false));
      });
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        response.pause();
        setTimeout(() => response.resume(), 4);
      });
      assert.ok(await ended, `cut after ${bytes} bytes`);
      assert.ok(bytes > 6_000_000);
    });

    it('and none of them is a complaint in the log', () => assert.equal(hub.complaints, []));
  },
  {
    caseTimeoutMs: 20_000,
    before: async () => {
      hub = await startHub({ limits: LIMITS });
      const big = 'x'.repeat(900_000);
      for (let i = 0; i < 8; i++)
        await hub.put({
          kind: 'ConfigMap',
          metadata: { name: `big-${i}`, namespace: 'default' },
          data: { big },
        });
    },
    after: () => hub.stop(),
  },
);

spec('a reader that stops within a large answer', (it) => {
  it('is cut, which its own side hears only when it reads: the server tells', async () => {
    const text = 'x'.repeat(16_000_000);
    const desk = new FrontDesk(() => ({ text, type: 'text/plain' }), silentLogger, LIMITS.stallMs);
    const server = createServer((request, response) => void desk.serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    let open = 0;
    server.on('connection', (socket) => {
      open++;
      socket.on('close', () => open--);
    });
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    try {
      socket.on('error', () => undefined); // what the kernel says in the end is not what this is about
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      await eventually('it is connected', () => open === 1);
      const sinceMs = Date.now();
      await eventually('the server lets go of it', () => open === 0, LIMITS.stallMs * 2 + SLACK_MS);
      assert.ok(Date.now() - sinceMs >= LIMITS.stallMs - 100);
    } finally {
      socket.destroy();
      server.close();
    }
  });
});
