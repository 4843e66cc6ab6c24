/** The listener: who gets in, documents and their caching, slow and half-open clients, stopping. */

import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import { openAuthority } from '../../hub/pki/authority.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { spec } from '../spec.ts';
import { ADMIN_TOKEN, eventually, startHub, type TestHub } from './hub.ts';

let hub: TestHub;
const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';

/** Asks with a client certificate and no token. */
function askAs(pair: { certPem: string; keyPem: string }, path: string): Promise<number> {
  const options = { host: '127.0.0.1', port: hub.port, ca: hub.caPem, cert: pair.certPem, key: pair.keyPem };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, path }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** A raw TLS connection that collects what the server says. */
function raw(): { socket: TLSSocket; text: () => string; closed: () => boolean } {
  const socket = connect({ host: '127.0.0.1', port: hub.port, ca: hub.caPem });
  let text = '';
  let closed = false;
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.on('error', () => undefined); // a reset is one way of being refused
  socket.on('close', () => {
    closed = true;
  });
  return { socket, text: () => text, closed: () => closed };
}

spec(
  'API server',
  (it) => {
    it('believes certificates of its own authority only', async () => {
      const own = await openAuthority(`${hub.dir}/pki`, { hosts: [], clock: systemClock, log: silentLogger });
      const other = await openAuthority(`${hub.dir}/other`, {
        hosts: [],
        clock: systemClock,
        log: silentLogger,
      });
      const path = '/api/v1/nodes';
      assert.is(await askAs(await own.issueClient('a', ['system:masters'], 1), path), 200);
      assert.is(await askAs(await own.issueClient('a', ['x', 'system:masters'], 1), path), 200);
      assert.is(await askAs(await own.issueClient('system:node:a', ['system:nodes'], 1), path), 403);
      assert.is(await askAs(await other.issueClient('a', ['system:masters'], 1), path), 401);
    });

    it('lets everybody see health and version, and nothing else', async () => {
      for (const path of ['/readyz', '/livez', '/healthz', '/version', '/version/', '/healthz/'])
        assert.is((await hub.ask('GET', path, { token: null })).status, 200, path);
      for (const path of [
        '/',
        '/api',
        '/apis',
        '/openapi/v3',
        '/metrics',
        '/coxswain/v1/nodes',
        '/api/v1/pods',
        '/nothing',
      ])
        assert.is((await hub.ask('GET', path, { token: null })).status, 401, path);
    });

    it('serves routes of other rooms, open ones without credentials', async () => {
      const open = await hub.ask('POST', '/open', { token: null, body: { a: 1 } });
      assert.is(open.status, 201);
      assert.equal(open.json, { got: '{"a":1}', bearer: '' });
      assert.equal((await hub.ask('POST', '/open', { token: 'join-token', body: {} })).json, {
        got: '{}',
        bearer: 'join-token',
      });
      assert.is((await hub.ask('GET', '/closed', { token: null })).status, 401);
      assert.is((await hub.ask('GET', '/closed')).text, 'inside');
      assert.is((await hub.ask('POST', '/open', { body: 'x'.repeat(70_000) })).status, 413);
    });

    it('aggregates discovery for clients that ask, plainly for others', async () => {
      const reply = await hub.ask('GET', '/apis', { headers: { accept: AGGREGATED } });
      assert.is(
        reply.headers['content-type'],
        'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
      );
      assert.is(reply.headers['vary'], 'Accept');
      const etag = reply.headers['etag'] ?? '';
      const again = await hub.ask('GET', '/apis', { headers: { accept: AGGREGATED, 'if-none-match': etag } });
      assert.is(again.status, 304);
      const plain = (await hub.ask('GET', '/apis')).json as { kind: string; groups: { name: string }[] };
      assert.is(plain.kind, 'APIGroupList');
      assert.is(plain.groups[0]?.name, 'apps');
      const core = (await hub.ask('GET', '/api/v1')).json as { resources: Record<string, unknown>[] };
      const eviction = core.resources.find((r) => r['name'] === 'pods/eviction');
      assert.is(
        `${eviction?.['group']}/${eviction?.['version']} ${eviction?.['kind']}`,
        'policy/v1 Eviction',
      );
    });

    it('lets clients keep OpenAPI documents by their hash', async () => {
      const index = (await hub.ask('GET', '/openapi/v3')).json as {
        paths: Record<string, { serverRelativeURL: string }>;
      };
      const url = index.paths['apis/apps/v1']?.serverRelativeURL ?? '';
      assert.match(url, /^\/openapi\/v3\/apis\/apps\/v1\?hash=[0-9A-F]+$/);
      const document = await hub.ask('GET', url);
      assert.is(document.status, 200);
      assert.is(document.headers['cache-control'], 'public, immutable');
      assert.ok(Date.parse(document.headers['expires'] ?? '') > Date.now() + 300 * 86_400_000);
      const moved = await hub.ask('GET', '/openapi/v3/apis/apps/v1?hash=OLD');
      assert.is(moved.status, 301);
      assert.is(moved.headers['location'], url);
      assert.is((await hub.ask('GET', '/openapi/v3/apis/none/v1')).status, 404);
    });

    it('answers in YAML and to HEAD', async () => {
      const yaml = await hub.ask('GET', '/api/v1/namespaces/default', {
        headers: { accept: 'application/yaml' },
      });
      assert.match(yaml.text, /^apiVersion: v1\nkind: Namespace\n|^metadata:/);
      const head = await hub.ask('HEAD', '/api/v1/namespaces/default');
      assert.is(head.status, 200);
      assert.is(head.text, '');
    });

    it('takes YAML', async () => {
      const body = 'metadata:\n  name: from-yaml\ndata: {a: "1"}\n';
      const headers = { 'content-type': 'application/yaml' };
      const reply = await hub.ask('POST', '/api/v1/namespaces/default/configmaps', { body, headers });
      assert.is(reply.status, 201, reply.text);
    });

    it('shows metadata only to those who want no more', async () => {
      const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
      const list = (await hub.ask('GET', '/api/v1/namespaces', { headers: { accept } })).json as {
        kind: string;
        items: Record<string, unknown>[];
      };
      assert.is(list.kind, 'PartialObjectMetadataList');
      assert.equal(Object.keys(list.items[0] ?? {}).toSorted(), ['apiVersion', 'kind', 'metadata']);
    });

    it('drops those who send garbage, half a head, or half a body', async () => {
      const garbage = raw();
      garbage.socket.write('\x00\x01garbage\r\n\r\n');
      const plain = connectPlain(hub.port, '127.0.0.1');
      plain.on('error', () => undefined); // being cut off is what this is about
      plain.write('GET / HTTP/1.1\r\n\r\n');
      const huge = raw();
      huge.socket.write(`GET /readyz HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`);
      const slow = raw();
      slow.socket.write('GET /readyz HTTP/1.1\r\nhost: x\r\n');
      await eventually('garbage is refused', garbage.closed);
      assert.match(garbage.text(), /^HTTP\/1\.1 400 Bad Request[\s\S]*"kind":"Status"/);
      await eventually('the huge head is refused', huge.closed);
      assert.match(huge.text(), /^(HTTP\/1\.1 431 |$)/);
      const half = raw();
      const head = `authorization: Bearer ${ADMIN_TOKEN}\r\nhost: x\r\ncontent-length: 100\r\n`;
      half.socket.write(`POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\n${head}\r\n{`);
      await eventually('the slow head times out', slow.closed);
      await eventually('the slow body times out', half.closed);
      await eventually('the missing handshake times out', () => plain.closed);
      assert.match(slow.text(), /^(HTTP\/1\.1 408 |$)/);
      assert.is((await hub.ask('GET', '/readyz')).status, 200);
      plain.destroy();
    });

    it('refuses an upgrade it does not know, and serves on', async () => {
      const client = raw();
      const head = `authorization: Bearer ${ADMIN_TOKEN}\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n`;
      client.socket.write(`GET /api/v1/namespaces/default HTTP/1.1\r\n${head}\r\n`);
      await eventually('it is answered', client.closed);
      assert.match(client.text(), /^HTTP\/1\.1 200 [\s\S]*"kind":"Namespace"/);
    });

    it('stops with connections open', async () => {
      const idle = raw();
      await eventually('it is connected', () => idle.socket.authorized);
      const silent = connectPlain(hub.port, '127.0.0.1');
      silent.on('error', () => undefined); // it is cut off
      await eventually('it is connected', () => silent.readyState === 'open');
      const startMs = Date.now();
      await hub.server.stop();
      assert.ok(Date.now() - startMs < 4000);
      await eventually('the connection is closed', idle.closed);
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 40_000,
    before: async () => {
      hub = await startHub({
        limits: { headMs: 1000, requestMs: 2000, idleMs: 5000, stallMs: 60_000 },
        extraRoutes: [
          {
            method: 'POST',
            path: '/open',
            anonymous: true,
            handle: ({ body, bearer = '' }) =>
              Promise.resolve({ code: 201, body: { got: body.toString(), bearer } }),
          },
          {
            method: 'GET',
            path: '/closed',
            anonymous: false,
            handle: () => Promise.resolve({ code: 200, body: 'inside', type: 'text/plain' }),
          },
        ],
      });
    },
    after: () => hub.stop(),
  },
);
