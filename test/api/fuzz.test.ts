/** Random requests at the API's door: whatever comes, the answer is a Status or an object, never a 500, never a crash. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { kinds } from '../../protocol/kinds/index.ts';
import { damaged } from '../build/random-input.ts';
import { spec } from '../spec.ts';
import { type Reply, startHub, type TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

let hub: TestHub;
const RUNS = 300;

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;
const roots = kinds.map((k) => {
  const base = k.group === '' ? `/api/${k.version}` : `/apis/${k.group}/${k.version}`;
  return k.namespaced ? `${base}/namespaces/default/${k.plural}` : `${base}/${k.plural}`;
});
const NAMES = ['web', 'worker-1', 'default', 'constructor', '__proto__', '%00', '%2e%2e', '%zz', 'a%2Fb', ''];
const PARTS = [
  'status',
  'scale',
  'log',
  'exec',
  'binding',
  'eviction',
  'constructor',
  '__proto__',
  'proxy/x',
];
const TYPES = [
  'application/json',
  'application/yaml',
  'application/merge-patch+json',
  'application/json-patch+json',
  'application/strategic-merge-patch+json',
  'application/vnd.kubernetes.protobuf',
] as const;

const segment = fc.oneof(fc.constantFrom(...NAMES), fc.webSegment());
const resource = fc
  .tuple(fc.constantFrom(...roots), fc.option(segment), fc.option(fc.constantFrom(...PARTS)))
  .map(([root, name, part]) => [root, name, part].filter((s) => s !== null).join('/'));
const path = fc.oneof(
  { weight: 4, arbitrary: resource },
  fc.webPath({ size: 'small' }).map((p) => (p.startsWith('/') ? p : `/${p}`)),
  fc.constantFrom('/', '//', '/api', '/apis', '/apis//', '/openapi/v3/x', '/api/v1/namespaces//pods', '/..'),
);

const QUERY = [
  'limit',
  'continue',
  'labelSelector',
  'fieldSelector',
  'resourceVersion',
  'resourceVersionMatch',
  'dryRun',
  'fieldValidation',
  'fieldManager',
  'gracePeriodSeconds',
  'propagationPolicy',
  'includeObject',
  'container',
  'tailLines',
  'sinceTime',
  'command',
  'stdin',
  'pretty',
  'timeout',
] as const;
const value = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '1',
    '-1',
    'true',
    'All',
    'Strict',
    'a=b',
    'a in (b,c)',
    'metadata.name=web',
    '999999',
  ),
  fc.string({ maxLength: 30 }),
);
const query = fc
  .array(fc.tuple(fc.constantFrom(...QUERY), value), { maxLength: 4 })
  .map((pairs) => new URLSearchParams(pairs).toString());

/** Values that look like objects of Kubernetes, with all that can be wrong in them. */
const leaf = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1.5, 1e99, '', 'a', '100m', 'x'.repeat(300)),
  fc.string({ maxLength: 10 }),
);
const key = fc.constantFrom(
  'metadata',
  'name',
  'namespace',
  'labels',
  'annotations',
  'spec',
  'status',
  'containers',
  'image',
  'selector',
  'matchLabels',
  'template',
  'data',
  'replicas',
  'finalizers',
  'ownerReferences',
  'resourceVersion',
  'uid',
  'kind',
  'apiVersion',
  'conditions',
  'type',
  '$patch',
  '$setElementOrder/containers',
  '$retainKeys',
  '__proto__',
  'constructor',
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 6 }).map((pairs) => Object.fromEntries(pairs)),
  ),
}));
const pointer = fc
  .array(fc.oneof(key, fc.constantFrom('0', '-', '~1', '')), { maxLength: 4 })
  .map((p) => `/${p.join('/')}`);
const operations = fc.array(
  fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'explode'),
    path: pointer,
    from: pointer,
    value: tree,
  }),
  { maxLength: 4 },
);
const body = fc.oneof(
  { weight: 4, arbitrary: tree.map((v) => Buffer.from(JSON.stringify(v) ?? '')) },
  { weight: 2, arbitrary: operations.map((v) => Buffer.from(JSON.stringify(v))) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 200 }).map((v) => Buffer.from(v)) },
  {
    weight: 2,
    arbitrary: fc.uint8Array({ maxLength: 200 }).map((v) => Buffer.concat([Buffer.from('k8s\0'), v])),
  },
);

const container = { name: 'c', image: 'b', env: [{ name: 'A', value: 'b' }], ports: [{ containerPort: 80 }] };
const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [container], nodeSelector: { a: 'b' } },
};
/** Good objects, to be damaged in one place. */
const SEEDS = [
  { path: '/api/v1/namespaces/default/pods', object: runningPod('p', 'worker-1') },
  { path: '/api/v1/nodes', object: readyNode('n') },
  {
    path: '/apis/apps/v1/namespaces/default/deployments',
    object: {
      metadata: { labels: { a: 'b' } },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'web' } },
        strategy: { type: 'Recreate' },
        template,
      },
      status: { replicas: 1, conditions: [{ type: 'Available', status: 'True' }] },
    },
  },
  {
    path: '/api/v1/namespaces/default/events',
    object: {
      metadata: {},
      involvedObject: { kind: 'Pod', name: 'a', namespace: 'default' },
      count: 3,
      source: {},
    },
  },
  {
    path: '/api/v1/namespaces/default/secrets',
    object: { metadata: {}, type: 'Opaque', data: { a: 'Yg==' } },
  },
];

function sane(reply: Reply, what: string): void {
  // Nobody listens behind the proxy of these pods, or it answers too late.
  const isAway = reply.status === 504 || (reply.status === 503 && what.includes('/proxy'));
  assert.ok(reply.status < 500 || isAway, `${what}: ${reply.status} ${reply.text}`);
  if (reply.status >= 400 && reply.text !== '') {
    const status = reply.json as { kind?: string; code?: number } | undefined;
    assert.is(status?.kind, 'Status', `${what}: ${reply.text}`);
    assert.is(status?.code, reply.status);
  }
  assert.equal(hub.complaints, [], what);
}

spec(
  'random requests',
  (it) => {
    it('get an answer for any path and query', async () => {
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...METHODS), path, query, async (method, where, q) => {
          const reply = await hub.ask(method, q === '' ? where : `${where}?${q}`);
          sane(reply, `${method} ${where}?${q}`);
        }),
        { numRuns: RUNS },
      );
    });

    it('get an answer for any body', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE'),
          resource,
          fc.constantFrom(...TYPES),
          body,
          async (method, where, type, bytes) => {
            const reply = await hub.ask(method, where, { body: bytes, headers: { 'content-type': type } });
            sane(reply, `${method} ${where} ${type} ${bytes.toString('latin1')}`);
          },
        ),
        { numRuns: RUNS * 2 },
      );
    });

    it('get an answer for any patch of an object that is there', async () => {
      const targets = [
        '/api/v1/namespaces/default/pods/web',
        '/apis/apps/v1/namespaces/default/deployments/web',
      ];
      const parts = ['', '/status', '/scale'];
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...targets),
          fc.constantFrom(...parts),
          fc.constantFrom(...TYPES.slice(2, 5)),
          fc.oneof(tree, operations),
          async (target, part, type, patch) => {
            const headers = { 'content-type': type };
            const reply = await hub.ask('PATCH', `${target}${part}?dryRun=All`, {
              headers,
              body: JSON.stringify(patch) ?? '',
            });
            sane(reply, `${target}${part} ${type} ${JSON.stringify(patch)}`);
          },
        ),
        { numRuns: RUNS },
      );
    });

    it('get objects that can be listed and printed whatever was let in', async () => {
      let accepted = 0;
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...SEEDS), fc.nat(), tree, async (seed, at, part) => {
          const object = damaged(seed.object, at, part) as { metadata?: unknown };
          const metadata = { ...(object.metadata as object | undefined), generateName: 'fuzz-' };
          const whole = { ...object, metadata: { ...metadata, name: undefined } };
          const reply = await hub.ask('POST', `${seed.path}?fieldValidation=Ignore`, { body: whole });
          sane(reply, JSON.stringify(whole));
          if (reply.status !== 201) return;
          accepted++;
          const { name } = (reply.json as { metadata: { name: string } }).metadata;
          const next = { ...damaged(reply.json as object, at, 'x'), status: damaged(seed.object, at, part) };
          sane(await hub.ask('PUT', `${seed.path}/${name}/status`, { body: next }), JSON.stringify(next));
          sane(await hub.ask('PUT', `${seed.path}/${name}`, { body: next }), JSON.stringify(next));
          const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
          sane(await hub.ask('GET', `${seed.path}/${name}`, { headers: { accept } }), JSON.stringify(whole));
          sane(await hub.ask('DELETE', `${seed.path}/${name}?gracePeriodSeconds=0`), name);
        }),
        { numRuns: RUNS * 2 },
      );
      assert.ok(accepted > RUNS / 4, `only ${accepted} objects were let in`);
    });
  },
  {
    caseTimeoutMs: 120_000,
    before: async () => {
      hub = await startHub();
      await hub.put(readyNode('worker-1'));
      await hub.put(runningPod('web', 'worker-1'));
      const template = {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'c', image: 'b' }] },
      };
      await hub.put({
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default' },
        spec: { selector: { matchLabels: { app: 'web' } }, template },
      });
    },
    after: () => hub.stop(),
  },
);
