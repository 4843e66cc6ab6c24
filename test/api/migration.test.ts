/** The real kubectl on objects to which the hub adds something of its own: applied again, on both sides, and replaced. */
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { spec } from '../spec.ts';
import { type RealHub, startRealHub } from './real-hub.ts';

let hub: RealHub;

const containers = [{ name: 'main', image: 'busybox' }];
const template = { metadata: { labels: { app: 'a' } }, spec: { containers } };
const selector = { matchLabels: { app: 'a' } };
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } };

const OBJECTS: readonly (readonly [name: string, manifest: object])[] = [
  ['namespace', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }],
  [
    'job',
    {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'a' },
      spec: { template: { spec: { restartPolicy: 'Never', containers } } },
    },
  ],
  [
    'statefulset',
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'a' },
      spec: {
        serviceName: 'a',
        selector,
        template,
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: claim }],
      },
    },
  ],
  [
    'service',
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a' },
      spec: { type: 'NodePort', ports: [{ port: 80 }] },
    },
  ],
  ['pvc', { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'a' }, spec: claim }],
  ['pod', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { containers } }],
  [
    'crd',
    {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'boats.example.com' },
      spec: {
        group: 'example.com',
        names: { plural: 'boats', kind: 'Boat' },
        scope: 'Namespaced',
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
        ],
      },
    },
  ],
];

const nameOf = (manifest: object): string => (manifest as KubeObject).metadata.name;

async function stored(kind: string, manifest: object): Promise<KubeObject & { spec: object }> {
  const { out, err } = await hub.kubectl(
    'get',
    kind,
    nameOf(manifest),
    '-o',
    'json',
    '--show-managed-fields',
  );
  assert.is(err, '');
  return JSON.parse(out) as KubeObject & { spec: object };
}
/** What people would miss if it went. */
const essence = ({ metadata: { labels, finalizers }, spec: own }: KubeObject & { spec: object }): object => ({
  labels,
  finalizers,
  own,
});

spec(
  'what the hub adds',
  (it) => {
    for (const [kind, manifest] of OBJECTS)
      it(`to a ${kind} stays when it is applied again, and moves to the server side`, async () => {
        const apply = (...more: string[]): ReturnType<RealHub['kubectl']> =>
          hub.kubectlWith(JSON.stringify(manifest), 'apply', '-f', '-', ...more);
        assert.is((await apply()).code, 0);
        const first = await stored(kind, manifest);
        assert.is((await apply()).code, 0);
        assert.equal(essence(await stored(kind, manifest)), essence(first));
        // The claim templates of a set are one value, and defaults are part of it, as in Kubernetes.
        const force = kind === 'statefulset' ? ['--force-conflicts'] : [];
        for (const _time of ['first', 'second']) {
          const { code, err } = await apply('--server-side', ...force);
          assert.is(code, 0, err);
          assert.is(err, '');
          assert.equal(essence(await stored(kind, manifest)), essence(first));
        }
      });

    it('to a definition stays when it is replaced', async () => {
      const [, manifest] = OBJECTS.find(([kind]) => kind === 'crd') ?? ['', {}];
      const { code, err } = await hub.kubectlWith(JSON.stringify(manifest), 'replace', '-f', '-');
      assert.is(code, 0, err);
      const { metadata } = await stored('crd', manifest);
      assert.equal(metadata.finalizers, ['customresourcecleanup.apiextensions.k8s.io']);
      const done = await hub.kubectl('delete', 'crd', nameOf(manifest), '--timeout=10s');
      assert.is(done.code, 0, done.err);
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startRealHub();
    },
    after: () => hub.stop(),
  },
);
