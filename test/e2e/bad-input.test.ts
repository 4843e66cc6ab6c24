import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Status } from '../../protocol/status.ts';
import { topics } from '../../protocol/wire/topics.ts';
import { anyPayload } from '../build/random-input.ts';
import { spec } from '../spec.ts';
import { BAD_MANIFESTS } from './bad-manifests.ts';
import { allReady, containerId, deployment, podsOf, restartsOf } from './cluster.ts';
import { ApiClient, readAccess } from './hub-process.ts';
import { CommandError, type Lab, runCommand, startLab } from './lab.ts';
import { hungUp, Rogue } from './rogue.ts';

const APP = 'good';
const DOOR_MS = 10_000;
const MAX_GROWTH_BYTES = 120 * 1024 * 1024;

let lab: Lab;
let api: ApiClient;
let rogue: Rogue;

/** What kubectl says on standard error when it must fail. */
async function refusedBy(args: readonly string[], stdin: string): Promise<string> {
  try {
    const all = ['--kubeconfig', lab.kubeconfig, ...args];
    throw new Error(
      `kubectl ${args.join(' ')} should have failed: ${await runCommand('kubectl', all, { stdin })}`,
    );
  } catch (error) {
    if (error instanceof CommandError) return error.stderr;
    throw error;
  }
}

/** How often the hub refused something of the rogue for `reason`, as /metrics tells. */
async function refusals(reason: string): Promise<number> {
  const { text } = await api.ask('GET', '/metrics');
  const line = text
    .split('\n')
    .find(
      (l) =>
        l.startsWith('coxswain_refused_messages_total{') &&
        l.includes(`"${rogue.name}"`) &&
        l.includes(`"${reason}"`),
    );
  return Number(line?.split(' ').at(-1) ?? 0);
}

async function refusedAs(reason: string, act: () => Promise<unknown>): Promise<void> {
  const before = await refusals(reason);
  await act();
  await lab.eventually(async () => (await refusals(reason)) > before, { withinMs: 10_000 });
}

/** Containers and restarts of the good pods: what must not change, whatever is sent. */
async function goodPods(): Promise<unknown[]> {
  const pods = await podsOf(lab, APP);
  return pods.map((p) => [p.metadata.uid, p.status?.phase, containerId(p), restartsOf(p)]).sort();
}

async function hubIs(): Promise<{ pid: number; residentBytes: number }> {
  const pid = (await lab.pids('hub'))['hub'] ?? 0;
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { pid, residentBytes: Number(kib) * 1024 };
}

/**
 * Runs `act` and checks that the hub lived through it, small and without an error of its own in its log (what it has to say of the
 * rogue is none), and the good pods with it.
 */
async function unharmed(act: () => Promise<unknown>): Promise<void> {
  const pods = await goodPods();
  const before = await hubIs();
  const errors = async (): Promise<string[]> =>
    (await lab.run('logs', 'hub'))
      .split('\n')
      .filter((l) => l.startsWith('{"level":"error"') && !l.includes('"node":"rogue"'));
  const known = (await errors()).length;
  await act();
  const after = await hubIs();
  assert.is(after.pid, before.pid, 'the same hub process');
  const grownBytes = after.residentBytes - before.residentBytes;
  assert.ok(grownBytes < MAX_GROWTH_BYTES, `grown by ${Math.round(grownBytes / 2 ** 20)} MiB`);
  assert.equal((await errors()).slice(known), []);
  assert.equal(await goodPods(), pods);
}

/** Random runs until the time is up, whatever their number; a failure shows its seed. */
function forAWhile<T>(input: fc.Arbitrary<T>, check: (value: T) => Promise<void>): Promise<void> {
  const limits = { numRuns: 100_000, interruptAfterTimeLimit: DOOR_MS, markInterruptAsFailure: false };
  return Promise.resolve(fc.assert(fc.asyncProperty(input, check), limits));
}

const NOWHERE = { nodeSelector: { never: 'there' }, containers: [{ name: 'c', image: 'busybox:latest' }] };
const OBJECTS = [
  { kind: 'Pod', metadata: { generateName: 'fuzz-', labels: { a: 'b' } }, spec: NOWHERE },
  { kind: 'ConfigMap', metadata: { generateName: 'fuzz-' }, data: { a: 'b' } },
  { kind: 'Secret', metadata: { generateName: 'fuzz-' }, type: 'Opaque', data: { a: 'Yg==' } },
  {
    kind: 'Deployment',
    metadata: { generateName: 'fuzz-' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: NOWHERE },
    },
  },
];
const COLLECTIONS = ['pods', 'configmaps', 'secrets', 'events'].map((p) => `/api/v1/namespaces/fuzz/${p}`);
const DOORS = [
  ...COLLECTIONS,
  '/apis/apps/v1/namespaces/fuzz/deployments',
  '/apis/apps/v1/namespaces/fuzz/replicasets',
];
const TYPES = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf', 'text/plain'];

/** What a device says at first, with the facts of one that is really there. */
function hello(node: Node, seq: number): object {
  return {
    t: 'hello',
    boot: 'rogue-boot',
    seq,
    versions: [1],
    agent: 'rogue',
    cluster: '',
    gen: 0,
    have: {},
    facts: {
      cpuMilli: 1000,
      memoryBytes: 2 ** 30,
      diskBytes: 2 ** 30,
      maxPods: 10,
      reservedCpuMilli: 0,
      reservedMemoryBytes: 0,
      profile: 'generic',
      heartbeatMs: 3000,
      leaseMs: 8000,
      labels: {},
      addresses: [],
      system: node.status?.nodeInfo,
      conditions: [],
    },
  };
}

spec(
  'bad input',
  (it) => {
    for (const { name, path, manifest, code, reason, field, words } of BAD_MANIFESTS)
      it(`${name} is refused as Kubernetes refuses it`, async () => {
        const { status, text } = await api.ask('POST', `${path}?fieldValidation=Strict`, manifest);
        const said = JSON.parse(text) as Status;
        assert.equal([status, said.code, said.reason], [code, code, reason], text);
        if (field !== '')
          assert.ok(
            said.details?.causes?.some((c) => c.field === field),
            text,
          );
        const shown = await refusedBy(['create', '-f', '-'], JSON.stringify(manifest));
        assert.ok(shown.includes(words), `kubectl said: ${shown}`);
      });

    it('a change of what cannot change is refused with its field', async () => {
      const manifest = JSON.parse(deployment(APP, { replicas: 2 })) as { spec: { selector: unknown } };
      manifest.spec.selector = { matchLabels: { app: 'other' } };
      const shown = await refusedBy(['replace', '-f', '-'], JSON.stringify(manifest));
      assert.match(
        shown,
        /The Deployment "good" is invalid: .*spec\.selector: Invalid value: .*: field is immutable/s,
      );
    });

    it('a body above 3 MiB is refused with 413', async () => {
      const data = { big: 'x'.repeat(3 * 1024 * 1024) };
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big' }, data };
      await unharmed(async () => {
        const { status, text } = await api.ask('POST', '/api/v1/namespaces/default/configmaps', body);
        assert.is(status, 413);
        assert.is((JSON.parse(text) as Status).reason, 'RequestEntityTooLarge');
        assert.match(
          await refusedBy(['create', '-f', '-'], JSON.stringify(body)),
          'Request entity too large: limit is',
        );
      });
    });

    it('words of a device on behalf of another end its connection, and are counted', async () => {
      const gone = { t: 'status', boot: 'b', seq: 1, full: true, pods: [] };
      const nothing = { t: 'desired', cluster: '', gen: 2 ** 40, base: null, items: [], set: {}, del: [] };
      await unharmed(async () => {
        for (const [topic, words] of [
          [topics.report('worker-1'), gone],
          [topics.control('worker-1'), nothing],
          [topics.heartbeat('worker-2'), ''],
          [topics.control(rogue.name), nothing],
        ] as const)
          await refusedAs('TopicNotAllowed', async () => {
            const client = await rogue.connect();
            client.publish(topic, typeof words === 'string' ? words : JSON.stringify(words), { qos: 0 });
            await hungUp(client);
          });
        await refusedAs('FilterNotAllowed', async () => {
          const client = await rogue.connect();
          const granted = await client.subscribeAsync('cox/1/#').catch(() => []);
          assert.equal(
            granted.filter((g) => g.qos !== 128),
            [],
          );
          client.end(true);
        });
      });
    });

    it('a packet above 2 MiB ends the connection before it is read, and is counted', async () => {
      await unharmed(() =>
        refusedAs('PacketTooLarge', async () => {
          const client = await rogue.connect();
          client.publish(topics.report(rogue.name), Buffer.alloc(3 * 1024 * 1024), { qos: 0 });
          await hungUp(client);
        }),
      );
    });

    it("a device's claims about pods that are not on it change nothing", async () => {
      const [node] = (await lab.get<{ items: Node[] }>('nodes')).items;
      assert.ok(node);
      await unharmed(async () => {
        const client = await rogue.connect();
        const say = (words: object): Promise<unknown> =>
          client.publishAsync(topics.report(rogue.name), JSON.stringify(words), { qos: 1 });
        await say(hello(node, 1));
        await lab.eventually(() => lab.kubectl('get', 'node', rogue.name), { withinMs: 10_000 });
        const failed = { phase: 'Failed', reason: 'Evicted' };
        const claims = (await podsOf(lab, APP)).map(({ metadata: { uid, name } }, i) => ({
          uid,
          name,
          namespace: 'default',
          status: failed,
          ...(i === 0 ? { gone: true } : {}),
        }));
        await say({ t: 'status', boot: 'rogue-boot', seq: 2, full: true, pods: claims });
        // What the hub says once it has worked on the claims.
        await say({ t: 'events', boot: 'rogue-boot', seq: 3, events: [] });
        await refusedAs('Undecodable', () => say({ t: 'nonsense', boot: 'rogue-boot', seq: 4 }));
        await client.endAsync(true);
      });
    });

    it('random bytes and objects at the door of the API get an answer that is no 5xx', async () => {
      const input = fc.tuple(
        fc.constantFrom('POST', 'PUT', 'PATCH'),
        fc.constantFrom(...DOORS),
        fc.constantFrom(...TYPES),
        anyPayload(OBJECTS),
      );
      let asked = 0;
      await unharmed(() =>
        forAWhile(input, async ([method, path, type, body]) => {
          asked += 1;
          const where = method === 'POST' ? path : `${path}/fuzz-1`;
          const { status, text } = await api.ask(method, where, body, type);
          assert.ok(status < 500, `${method} ${where} ${type} ${body.toString('latin1')}: ${status} ${text}`);
        }),
      );
      process.stdout.write(`${asked} random requests\n`);
      assert.ok(asked > 100);
    });

    it('random bytes and objects at the door of the devices are counted and harm nothing', async () => {
      const [node] = (await lab.get<{ items: Node[] }>('nodes')).items;
      assert.ok(node);
      const report = {
        t: 'status',
        boot: 'rogue-boot',
        seq: 9,
        pods: [{ uid: 'u', namespace: 'fuzz', name: 'p', status: {} }],
      };
      const event = {
        id: 'e',
        involved: { kind: 'Pod', name: 'p', namespace: 'fuzz' },
        type: 'Normal',
        reason: 'R',
        message: 'm',
      };
      const times = {
        count: 1,
        firstTimestamp: '2020-01-01T00:00:00Z',
        lastTimestamp: '2020-01-01T00:00:00Z',
      };
      const events = { t: 'events', boot: 'rogue-boot', seq: 10, events: [{ ...event, ...times }] };
      const own = [topics.report(rogue.name), topics.heartbeat(rogue.name), topics.streamUp(rogue.name, 's')];
      const input = fc.tuple(fc.constantFrom(...own), anyPayload([hello(node, 8), report, events]));
      let sent = 0;
      await unharmed(async () => {
        const before = await refusals('Undecodable');
        let client = await rogue.connect();
        await forAWhile(input, async ([topic, payload]) => {
          if (!client.connected) client = await rogue.connect();
          await client.publishAsync(topic, payload, { qos: 1 }).catch(() => undefined); // hung up on: connects again
          sent += 1;
        });
        client.end(true);
        assert.ok((await refusals('Undecodable')) > before);
      });
      process.stdout.write(`${sent} random messages\n`);
      assert.ok(sent > 100);
    });

    it('leaves a hub that works', async () => {
      // It looked like a device for a while: nothing must be waiting for it.
      await lab.kubectl('delete', 'node', rogue.name);
      await lab.kubectl('scale', `deployment/${APP}`, '--replicas=4');
      await allReady(lab, APP, 4);
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      lab = await startLab({ workers: 2, name: 'bad' });
      api = new ApiClient(readAccess(readFileSync(lab.kubeconfig, 'utf8')));
      await lab.apply(deployment(APP, { replicas: 2 }));
      await lab.kubectl('create', 'namespace', 'fuzz');
      await allReady(lab, APP, 2);
      rogue = await Rogue.join(lab, 'rogue');
    },
    after: async () => {
      rogue?.remove();
      await lab.kubectl(
        'delete',
        'node/rogue',
        'namespace/fuzz',
        `deployment/${APP}`,
        '--ignore-not-found',
        '--wait=false',
      );
      api?.close();
      await lab.stop();
    },
  },
);
