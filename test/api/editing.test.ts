/** The real kubectl where a person or a browser takes part: edit, warnings, watching a table, tokens in a WebSocket. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { ADMIN_TOKEN, eventually, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;

/** Writes an executable file and gives its path. */
function program(name: string, text: string): string {
  const path = join(hub.dir, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** Opens a WebSocket by hand and resolves to the head of the answer. */
function handshake(path: string, protocols: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: hub.port, ca: hub.caPem });
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      resolve(text);
      socket.destroy();
    });
    socket.on('error', reject);
    const key = 'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const head = `host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n${key}`;
    socket.write(`GET ${path} HTTP/1.1\r\n${head}sec-websocket-protocol: ${protocols}\r\n\r\n`);
  });
}

spec(
  'kubectl with people',
  (it) => {
    it('edits', async () => {
      await hub.put({ kind: 'ConfigMap', metadata: { name: 'e', namespace: 'default' }, data: { a: 'old' } });
      const editor = program('editor', '#!/bin/sh\nsed -i s/old/new/ "$1"\n');
      const { code, err } = await hub.run('env', `KUBE_EDITOR=${editor}`, 'kubectl', 'edit', 'cm', 'e');
      assert.is(code, 0, err);
      const object = hub.store.port.getObject('ConfigMap', 'default', 'e') as unknown as { data: object };
      assert.equal(object.data, { a: 'new' });
    });

    it('prints what Kubernetes warns of, when it is new and not again', async () => {
      const text = (value: string): string =>
        JSON.stringify({
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'warned', annotations: { value } },
          spec: {
            selector: { matchLabels: { app: 'w' } },
            template: {
              metadata: { labels: { app: 'w' } },
              spec: {
                containers: [
                  {
                    name: 'c',
                    image: 'busybox',
                    env: [
                      { name: 'A', value: '1' },
                      { name: 'A', value },
                    ],
                  },
                ],
              },
            },
          },
        });
      const warned = async (input: string, ...args: string[]): Promise<string> => {
        const { code, err } = await hub.kubectlWith({ input }, ...args, '-f', '-');
        assert.is(code, 0, err);
        return err;
      };
      const expected =
        'Warning: spec.template.spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply\n';
      assert.is(await warned(text('2'), 'create'), expected);
      assert.is(await warned(text('3'), 'replace'), expected);
      const other = await hub.kubectl('set', 'image', 'deployment/warned', 'c=busybox:2');
      assert.is(other.err, expected);
      const same = await hub.kubectl('annotate', 'deployment', 'warned', 'more=x');
      assert.is(same.err, '');
    });

    it('prints warnings', async () => {
      const manifest = program(
        'warn.yaml',
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: w}\ncolour: red\ndata: {a: b}\n',
      );
      const strict = await hub.kubectl('apply', '-f', manifest);
      assert.is(strict.code, 1);
      assert.match(strict.err, /strict decoding error: unknown field "colour"/);
      const warned = await hub.kubectl('apply', '--validate=warn', '-f', manifest);
      assert.is(warned.code, 0, warned.err);
      assert.match(warned.err, 'Warning: unknown field "colour"');
    });

    it('watches a table', async () => {
      const watching = hub.kubectlWith({ timeoutMs: 5000 }, 'get', 'pods', '-w', '-o', 'wide');
      await eventually('it watches', () => hub.store.watchers() === 1);
      await hub.ask('DELETE', '/api/v1/namespaces/default/pods/p?gracePeriodSeconds=0');
      const lines = (await watching).out.trim().split('\n');
      assert.match(lines[0] ?? '', /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE/);
      assert.match(lines[1] ?? '', /^p +1\/1 +Running/);
      assert.match(lines[2] ?? '', /^p +1\/1 +Terminating/);
    });

    it('takes a token from the subprotocols of a WebSocket', async () => {
      await hub.put(runningPod('ws', 'worker-1'));
      const path = '/api/v1/namespaces/default/pods/ws/exec?command=true&stdout=1';
      const bearer = (token: string): string =>
        `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`;
      const good = await handshake(path, `${bearer(ADMIN_TOKEN)}, v4.channel.k8s.io`);
      assert.match(good, /^HTTP\/1\.1 101 /);
      assert.match(good, /sec-websocket-protocol: v4\.channel\.k8s\.io\r\n/i);
      assert.match(await handshake(path, `${bearer('guess')}, v4.channel.k8s.io`), /^HTTP\/1\.1 401 /);
      assert.match(await handshake(path, `${bearer(ADMIN_TOKEN)}, v9.channel.k8s.io`), /^HTTP\/1\.1 403 /);
    });

    it('acts as another', async () => {
      assert.match(
        (await hub.kubectl('get', 'pods', '--as=bob')).err,
        /User "bob" cannot list resource "pods"/,
      );
      const masters = await hub.kubectl('get', 'ns', '--as=bob', '--as-group=system:masters');
      assert.is(masters.code, 0, masters.err);
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 40_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('p', 'worker-1'));
    },
    after: () => hub.stop(),
  },
);
