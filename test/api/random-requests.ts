/** Random requests: paths, queries, bodies and patches that look like what clients of Kubernetes send, with all that can be wrong. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { kinds } from '../../protocol/kinds/index.ts';
import type { Reply, TestHub } from './hub.ts';
import { readyNode, runningPod } from './worlds.ts';

/** Methods a request may come with. */
export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const;
/** Collections of every kind. */
export const roots = kinds.map((k) => {
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
/** Media types of bodies; the patches are those from 2 to 4. */
export const TYPES = [
  'application/json',
  'application/yaml',
  'application/merge-patch+json',
  'application/json-patch+json',
  'application/strategic-merge-patch+json',
  'application/vnd.kubernetes.protobuf',
] as const;

const segment = fc.oneof(fc.constantFrom(...NAMES), fc.webSegment());
/** A path to a collection, an object or a subresource. */
export const resource = fc
  .tuple(fc.constantFrom(...roots), fc.option(segment), fc.option(fc.constantFrom(...PARTS)))
  .map(([root, name, part]) => [root, name, part].filter((s) => s !== null).join('/'));
/** Any path, most of them of resources. */
export const path = fc.oneof(
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
/** Any value of a parameter. */
export const value = fc.oneof(
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
/** Any query, of parameters that mean something. */
export const query = fc
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
export const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
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
/** A JSON patch, or nearly. */
export const operations = fc.array(
  fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'explode'),
    path: pointer,
    from: pointer,
    value: tree,
  }),
  { maxLength: 4 },
);
/** Any body. */
export const body = fc.oneof(
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
export const SEEDS = [
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

/** An answer as every client can read it, and nothing in the hub's log. */
export function sane(hub: Pick<TestHub, 'complaints'>, reply: Reply, what: string): void {
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
