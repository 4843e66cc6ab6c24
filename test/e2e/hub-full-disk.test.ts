import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { spec } from '../spec.ts';
import { HubProcess, type HubProcessOptions } from './hub-process.ts';

const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const REFUSAL = 'nothing was stored: the disk of the hub is full';
/** So small that the journal never gets long enough to be folded: folding would make room in the middle of a test. */
const DISK = '2m';
const BALLAST_BYTES = 1_250_000;
const VALUE_BYTES = 10_000;

const directory = mkdtempSync(join(tmpdir(), 'hub-full-'));
let holder: ChildProcess | undefined;
let options: HubProcessOptions;
let hub: HubProcess;

/** A process that keeps a mount namespace with a small file system of its own alive, so that hubs can be started on it. */
async function smallDisk(): Promise<ChildProcess> {
  const script = `mount -t tmpfs -o size=${DISK},mode=700 none "$1" && echo mounted && exec sleep 600`;
  const child = spawn('unshare', ['-m', 'sh', '-c', script, 'sh', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  assert.is(child.exitCode, null, 'a mount namespace with a small tmpfs (needs root)');
  return child;
}

const configMap = (name: string, bytes = VALUE_BYTES): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { v: 'x'.repeat(bytes) },
  });

async function names(): Promise<string[]> {
  const { items } = await hub.api.get<{ items: KubeObject[] }>(CONFIGMAPS);
  return items
    .map((i) => i.metadata.name)
    .filter((name) => name !== 'kube-root-ca.crt')
    .sort();
}

const freeBytes = (path: string): number => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};

spec(
  'a hub whose disk is full',
  (it) => {
    const acknowledged: string[] = [];
    const create = async (name: string, bytes = VALUE_BYTES): Promise<number> => {
      const { status } = await hub.api.ask('POST', CONFIGMAPS, Buffer.from(configMap(name, bytes)));
      if (status === 201) acknowledged.push(name);
      return status;
    };

    const deleteUntilRefused = async (): Promise<string> => {
      for (;;) {
        const [name] = acknowledged;
        if (name === undefined) throw new Error('every deletion was stored: the disk is not full');
        const { status } = await hub.api.ask('DELETE', `${CONFIGMAPS}/${name}`);
        if (status !== 200) return name;
        acknowledged.shift();
      }
    };

    it('refuses writes with 507 and clear words, acknowledges none of them, and goes on serving reads', async () => {
      const refused: string[] = [];
      for (let i = 0; refused.length < 20; i += 1) {
        const status = await create(`a-${i}`);
        if (status !== 201) refused.push(`a-${i} ${status}`);
        assert.ok(i < 500, 'the disk never filled');
      }
      assert.ok(acknowledged.length > 10, `${acknowledged.length} fitted`);
      assert.equal(
        refused.filter((r) => !r.endsWith(' 507')),
        [],
      );
      // Small records still fit where large ones do not, and those of deletions are the smallest.
      for (let i = 0; (await create(`small-${i}`, 100)) === 201; i += 1) assert.ok(i < 200);
      const victim = await deleteUntilRefused();
      assert.is((await hub.api.ask('DELETE', `${CONFIGMAPS}/${victim}`)).status, 507);
      const [other = ''] = acknowledged.slice(1);
      assert.match(await hub.kubectlFails(['create', '-f', '-'], configMap('b')), REFUSAL);
      assert.match(await hub.kubectlFails(['delete', 'configmap', victim]), REFUSAL);
      assert.match(
        await hub.kubectlFails(['annotate', 'configmap', other, `a=${'x'.repeat(5000)}`]),
        REFUSAL,
      );
      assert.equal(await names(), acknowledged.toSorted());
      assert.match(await hub.kubectl(['get', 'namespaces']), 'kube-system');
      assert.ok(hub.isAlive);
    });

    it('starts again on the full disk, though under another address, with all that was acknowledged', async () => {
      await hub.kill();
      hub = await HubProcess.start({ ...options, advertise: ['127.0.0.1', 'hub.example'] });
      assert.equal(await names(), acknowledged.toSorted());
      assert.is(await create('c'), 507);
      const left = ['', 'pki'].flatMap((d) => readdirSync(join(options.seenAt ?? '', d)));
      assert.equal(
        left.filter((name) => name.endsWith('.tmp')),
        [],
        'what could not be written is not left half',
      );
      assert.equal(await names(), acknowledged.toSorted());
    });

    it('works again as soon as there is room', async () => {
      const { seenAt = '' } = options;
      rmSync(join(seenAt, 'ballast'));
      assert.ok(freeBytes(seenAt) > 0);
      for (let i = 0; i < 10; i += 1) assert.is(await create(`late-${i}`), 201);
      await hub.kubectl(['delete', 'configmap', 'late-0']);
      acknowledged.splice(acknowledged.indexOf('late-0'), 1);
      await hub.kill();
      hub = await HubProcess.start(options);
      assert.equal(await names(), acknowledged.toSorted());
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      holder = await smallDisk();
      const seenAt = `/proc/${holder.pid}/root${directory}`;
      options = {
        dataDir: directory,
        seenAt,
        inside: ['nsenter', '-m', '-t', String(holder.pid), '--'],
      };
      hub = await HubProcess.start(options);
      writeFileSync(join(seenAt, 'ballast'), Buffer.alloc(BALLAST_BYTES));
    },
    after: async () => {
      await hub?.kill();
      holder?.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  },
);
