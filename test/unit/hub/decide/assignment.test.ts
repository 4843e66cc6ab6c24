import * as assert from 'uvu/assert';
import { assignment, itemOf, podReferences } from '../../../../hub/decide/assignment.ts';
import type { ConfigMap, Secret } from '../../../../protocol/kinds/core.ts';
import { node, pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const meta = (name: string): ConfigMap['metadata'] => ({
  name,
  namespace: 'default',
  uid: name,
  resourceVersion: '7',
  creationTimestamp: '2026-01-01T00:00:00Z',
});
const configMap = (name: string): ConfigMap => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: meta(name),
  data: { a: '1' },
});
const secret = (name: string): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: meta(name),
  data: { a: 'MQ==' },
});

const using = pod('p', { node: 'n1' });
using.spec = {
  ...using.spec,
  initContainers: [{ name: 'i', image: 'i', envFrom: [{ secretRef: { name: 's-env' } }] }],
  containers: [
    {
      name: 'c',
      image: 'i',
      env: [
        { name: 'A', valueFrom: { configMapKeyRef: { name: 'c-key', key: 'a' } } },
        { name: 'B', valueFrom: { secretKeyRef: { name: 's-key', key: 'a' } } },
      ],
      envFrom: [{ configMapRef: { name: 'c-env' } }],
    },
  ],
  volumes: [
    { name: 'v1', configMap: { name: 'c-vol' } },
    { name: 'v2', secret: { secretName: 's-vol' } },
    { name: 'v3', projected: { sources: [{ configMap: { name: 'c-pro' } }, { secret: { name: 's-pro' } }] } },
  ],
  imagePullSecrets: [{ name: 's-pull' }],
};

spec('assignment', (it) => {
  it('finds everything a pod refers to', () => {
    const { configMaps, secrets } = podReferences(using.spec);
    assert.equal([...configMaps].sort(), ['c-env', 'c-key', 'c-pro', 'c-vol']);
    assert.equal([...secrets].sort(), ['s-env', 's-key', 's-pro', 's-pull', 's-vol']);
  });

  it('holds pods, what exists of what they refer to, and the node with its settings', () => {
    const subject = node('n1', { podCIDR: '10.42.3.0/24' });
    subject.metadata.annotations = {
      'setting.coxswain.dev/heartbeatMs': '5000',
      'setting.coxswain.dev/x': 'y',
    };
    const items = assignment(subject, [using, pod('gone', { node: 'n1', deleting: true })], {
      configMap: (_ns, name) => (name === 'c-env' ? configMap(name) : undefined),
      secret: (_ns, name) => secret(name),
      clusterCidr: '10.42.0.0/16',
      claims: ({ metadata }) => (metadata.name === 'gone' ? { data: { volume: 'pv-1' } } : undefined),
      removeVolumes: (of) => [`old-${of}`],
      itemOf,
    });
    assert.equal([...items.keys()].sort(), [
      'configmap/default/c-env',
      'node',
      'pod/gone',
      'pod/p',
      ...['env', 'key', 'pro', 'pull', 'vol'].map((n) => `secret/default/s-${n}`),
    ]);
    assert.equal(items.get('node')?.body, {
      podCIDR: '10.42.3.0/24',
      clusterCIDR: '10.42.0.0/16',
      settings: { heartbeatMs: 5000 },
      removeVolumes: ['old-n1'],
    });
    const gone = items.get('pod/gone');
    assert.equal(gone?.kind === 'pod' && gone.body.claims, { data: { volume: 'pv-1' } });
    assert.is.not(gone?.rev, itemOf(pod('gone', { node: 'n1', deleting: true })).rev);
  });

  it('gives another revision only for other content', () => {
    const status = { ...using, status: { phase: 'Failed' as const } };
    assert.is(itemOf(status).rev, itemOf(using).rev, 'the device wrote the status itself');
    const touched = { ...configMap('c'), metadata: { ...meta('c'), resourceVersion: '8' } };
    assert.is(itemOf(touched).rev, itemOf(configMap('c')).rev);
    assert.is.not(itemOf({ ...configMap('c'), data: { a: '2' } }).rev, itemOf(configMap('c')).rev);
    const deleting = pod('p', { node: 'n1', deleting: true });
    assert.is.not(itemOf(deleting).rev, itemOf(pod('p', { node: 'n1' })).rev);
  });
});
