import * as assert from 'uvu/assert';
import { kinds } from '../../../../protocol/kinds/index.ts';
import { idOf, type KindSpec } from '../../../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { spec } from '../../../spec.ts';

const kindOf = (name: string): KindSpec => {
  const kind = kinds.find((k) => k.kind === name);
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
};

const object = (kind: string, rest: object = {}, meta: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind,
    metadata: { name: 'x', ...(kindOf(kind).namespaced ? { namespace: 'default' } : {}), ...meta },
    ...rest,
  }) as KubeObject;

const errorsOf = (o: KubeObject): string[] => {
  kindOf(o.kind).setDefaults(o);
  return kindOf(o.kind)
    .validate(o)
    .map((e) => `${e.field}: ${e.message}`);
};

const cellsOf = (o: KubeObject, nowMs = 0): (string | number)[] =>
  kindOf(o.kind).columns.map((c) => c.cell(o, { nowMs }));

spec('kinds', (it) => {
  it('have one spec per kind and unique plurals', () => {
    assert.is(new Set(kinds.map(idOf)).size, kinds.length);
    const paths = kinds.map((k) => `${k.group}/${k.version}/${k.plural}`);
    assert.is(new Set(paths).size, kinds.length);
  });

  it('bring the metadata rules', () => {
    assert.equal(errorsOf(object('ConfigMap', {}, { name: undefined })), [
      'metadata.name: Required value: name or generateName is required',
    ]);
    assert.equal(errorsOf(object('ConfigMap', {}, { name: undefined, generateName: 'a-' })), []);
    assert.equal(errorsOf(object('Node', {}, { namespace: 'a' })), [
      'metadata.namespace: Forbidden: not allowed on this type',
    ]);
    assert.equal(errorsOf(object('ConfigMap', {}, { finalizers: ['mine'] })), [
      'metadata.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ]);
    assert.is(errorsOf(object('Namespace', {}, { name: 'a.b' })).length, 1);
    assert.match(
      errorsOf(object('ConfigMap', {}, { labels: { a: 'b c' } }))[0] ?? '',
      /^metadata.labels: Invalid value: "b c": a valid label must be/,
    );
    assert.equal(errorsOf(object('ConfigMap', {}, { annotations: { a: 'x'.repeat(262_144) } })), [
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    ]);
  });

  it('refuse new finalizers while being deleted', () => {
    const before = object('ConfigMap', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    const next = object('ConfigMap', {}, { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['a/b'] });
    assert.equal(
      kindOf('ConfigMap')
        .validateUpdate(next, before)
        .map((e) => e.message),
      [
        'Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a/b"}',
      ],
    );
  });
});

spec('config maps and secrets', (it) => {
  it('check their keys', () => {
    const errors = errorsOf(object('ConfigMap', { data: { 'a b': '', c: '' }, binaryData: { c: '' } }));
    assert.match(errors[0] ?? '', /^data\[a b\]: Invalid value: "a b": a valid config key must consist of/);
    assert.is(errors[1], 'data[c]: Invalid value: "c": duplicate of key present in binaryData');
  });

  it('fold stringData into data and default the type', () => {
    const secret = object('Secret', { stringData: { a: 'ü', __proto__x: 'y' }, data: { b: 'eA==' } });
    kindOf('Secret').setDefaults(secret);
    assert.equal(
      secret,
      object('Secret', { data: { b: 'eA==', a: 'w7w=', __proto__x: 'eQ==' }, type: 'Opaque' }),
    );
  });

  it('demand what the type demands', () => {
    assert.equal(errorsOf(object('Secret', { type: 'kubernetes.io/tls', data: { 'tls.crt': '' } })), [
      'data[tls.key]: Required value',
    ]);
  });

  it('stay as they are once immutable', () => {
    const before = object('ConfigMap', { immutable: true, data: { a: '1' } });
    const next = object('ConfigMap', { data: { a: '2' } });
    assert.equal(
      kindOf('ConfigMap')
        .validateUpdate(next, before)
        .map((e) => `${e.field}: ${e.message}`),
      [
        'immutable: Forbidden: field is immutable when `immutable` is set',
        'data: Forbidden: field is immutable when `immutable` is set',
      ],
    );
  });
});

spec('nodes', (it) => {
  it('print status, roles and addresses', () => {
    const node = object(
      'Node',
      {
        spec: { unschedulable: true },
        status: {
          conditions: [{ type: 'Ready', status: 'True' }],
          addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
          nodeInfo: { kubeletVersion: 'v1', osImage: 'Debian' },
        },
      },
      { labels: { 'node-role.kubernetes.io/worker': '', 'kubernetes.io/role': 'edge' } },
    );
    assert.equal(cellsOf(node), [
      'x',
      'Ready,SchedulingDisabled',
      'edge,worker',
      '<unknown>',
      'v1',
      '10.0.0.1',
      '<none>',
      'Debian',
      '<unknown>',
      '<unknown>',
    ]);
  });

  it('refuse the same taint twice and a changed pod range', () => {
    const taint = { key: 'a', effect: 'NoSchedule' };
    assert.equal(errorsOf(object('Node', { spec: { taints: [taint, taint] } })), [
      'spec.taints[1]: Duplicate value: map[string]string{"effect":"NoSchedule", "key":"a"}',
    ]);
    const before = object('Node', { spec: { podCIDR: '10.1.0.0/24' } });
    const next = object('Node', { spec: { podCIDR: '10.2.0.0/24' } });
    assert.is(kindOf('Node').validateUpdate(next, before).length, 1);
  });
});

spec('namespaces, events, leases', (it) => {
  it('give a namespace its label, finalizer and phase', () => {
    const ns = object('Namespace');
    kindOf('Namespace').prepareCreate?.(ns);
    kindOf('Namespace').setDefaults(ns);
    assert.equal(ns, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'x', labels: { 'kubernetes.io/metadata.name': 'x' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    } as unknown as KubeObject);
  });

  it('print an event in the order of kubectl', () => {
    const event = object('Event', {
      involvedObject: { kind: 'Pod', name: 'web', namespace: 'default' },
      type: 'Normal',
      reason: 'Started',
      message: 'started \n',
      firstTimestamp: '1970-01-01T00:00:00Z',
      lastTimestamp: '1970-01-01T00:00:50Z',
      source: { component: 'agent', host: 'n1' },
    });
    assert.equal(cellsOf(event, 60_000), [
      '10s',
      'Normal',
      'Started',
      'pod/web',
      '',
      'agent, n1',
      'started',
      '60s',
      1,
      'x',
    ]);
    assert.equal(errorsOf(event), []);
  });

  it('keep an event where its object is', () => {
    assert.equal(errorsOf(object('Event', { involvedObject: { namespace: 'other' } })), [
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ]);
  });

  it('bound leases', () => {
    assert.equal(errorsOf(object('Lease', { spec: { leaseDurationSeconds: 0 } })), [
      'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
    ]);
  });
});
