import * as assert from 'uvu/assert';
import { type Applied, applyConfig } from '../../../../protocol/apply/apply.ts';
import { applyConflict } from '../../../../protocol/apply/conflicts.ts';
import { configFaults } from '../../../../protocol/apply/faults.ts';
import { shapeOfKind } from '../../../../protocol/apply/shape.ts';
import { trackUpdate } from '../../../../protocol/apply/update.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { deploymentKind } from '../../../../protocol/kinds/workload-kinds.ts';
import { spec } from '../../../spec.ts';

const CONFIG_MAP = { kind: 'ConfigMap', group: '', version: 'v1' };
const NOW = '2026-01-02T15:04:05Z';
type Loose = Record<string, unknown>;

const object = (content: Loose, metadata: Loose = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name: 'x', ...metadata },
    ...content,
  }) as unknown as KubeObject;

function apply(
  live: KubeObject | undefined,
  config: KubeObject,
  manager: string,
  options: { force?: boolean; kind?: typeof CONFIG_MAP; now?: string } = {},
): Applied {
  return applyConfig({
    shape: shapeOfKind(options.kind ?? CONFIG_MAP),
    live,
    config,
    manager,
    apiVersion: 'v1',
    force: options.force ?? false,
    now: options.now ?? NOW,
    subresource: '',
    hasStatus: true,
  });
}

function done(result: Applied): KubeObject & Loose {
  if (!result.ok) throw applyConflict(result.conflicts);
  return result.object as KubeObject & Loose;
}

const refusal = (result: Applied): string => {
  if (result.ok) throw new Error('was not refused');
  return applyConflict(result.conflicts).message;
};
const owners = (o: KubeObject): Record<string, unknown> =>
  Object.fromEntries((o.metadata.managedFields ?? []).map((m) => [m.manager ?? '', m.fieldsV1]));

/** The state after a plain write by `manager`. */
function updated(live: KubeObject | undefined, next: KubeObject, manager: string): KubeObject {
  const managedFields = trackUpdate({
    shape: shapeOfKind(CONFIG_MAP),
    live,
    next,
    manager,
    apiVersion: 'v1',
    now: NOW,
    subresource: '',
    hasStatus: true,
  });
  const { managedFields: _, ...metadata } = next.metadata;
  return { ...next, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } };
}

spec('applying data', (it) => {
  it('owns what was sent', () => {
    const o = done(apply(undefined, object({ data: { a: '1' } }, { labels: { l: 'x' } }), 'one'));
    assert.equal(owners(o), {
      one: { 'f:data': { 'f:a': {} }, 'f:metadata': { 'f:labels': { 'f:l': {} } } },
    });
    assert.equal(o.metadata.managedFields?.[0]?.operation, 'Apply');
  });

  it('again changes nothing, not even the time', () => {
    const config = object({ data: { a: '1' } });
    const o = done(apply(undefined, config, 'one'));
    assert.equal(done(apply(o, config, 'one', { now: '2027-01-01T00:00:00Z' })), o);
  });

  it('removes what is no longer sent, but nothing of others', () => {
    const first = done(apply(undefined, object({ data: { a: '1', b: '2' } }), 'one'));
    const both = done(apply(first, object({ data: { b: '2', c: '3' } }), 'two'));
    const o = done(apply(both, object({ data: {} }), 'one'));
    assert.equal(o['data'], { b: '2', c: '3' });
    assert.equal(owners(o)['two'], { 'f:data': { 'f:b': {}, 'f:c': {} } });
  });

  it('gives a conflict over another value, in Kubernetes words', () => {
    const o = done(apply(undefined, object({ data: { a: '1', b: '2' } }), 'one'));
    assert.is(
      refusal(apply(o, object({ data: { a: 'x' } }), 'two')),
      'Apply failed with 1 conflict: conflict with "one": .data.a',
    );
    assert.is(
      refusal(apply(o, object({ data: { a: 'x', b: 'y' } }), 'two')),
      'Apply failed with 2 conflicts: conflicts with "one":\n- .data.a\n- .data.b',
    );
  });

  it('takes over by force', () => {
    const o = done(apply(undefined, object({ data: { a: '1', b: '2' } }), 'one'));
    const taken = done(apply(o, object({ data: { a: 'x' } }), 'two', { force: true }));
    assert.equal(owners(taken), { one: { 'f:data': { 'f:b': {} } }, two: { 'f:data': { 'f:a': {} } } });
  });

  it('shares equal values and keeps them until the last owner lets go', () => {
    const config = object({ data: { a: '1' } });
    let o = done(apply(done(apply(undefined, config, 'one')), config, 'two'));
    assert.equal(Object.keys(owners(o)).sort(), ['one', 'two']);
    o = done(apply(o, object({}), 'one'));
    assert.equal(o['data'], { a: '1' });
    o = done(apply(o, object({}), 'two'));
    assert.is(o['data'], undefined);
  });

  it('conflicts with an update, named with its version', () => {
    const o = updated(undefined, object({ data: { a: '1' } }), 'editor');
    assert.is(
      refusal(apply(o, object({ data: { a: 'x' } }), 'one')),
      'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a',
    );
  });

  it('takes over everything of an object nobody managed, under the name of its past', () => {
    const o = done(apply(object({ data: { a: '1' } }), object({ data: { a: '1', b: '2' } }), 'one'));
    assert.equal(owners(o)['before-first-apply'], { 'f:data': { '.': {}, 'f:a': {} } });
    assert.match(
      refusal(apply(object({ data: { a: '1' } }), object({ data: { a: 'x' } }), 'one')),
      'conflict with "before-first-apply" using v1: .data.a',
    );
  });

  it('forgives kubectl what it applied from the client side, and keeps the annotation', () => {
    const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
    const text = JSON.stringify(object({ data: { a: '1', b: '2' } }));
    const live = object({ data: { a: '1', b: '3' } }, { annotations: { [annotation]: text } });
    const o = updated(undefined, live, 'kubectl-client-side-apply');
    const next = done(apply(o, object({ data: { a: 'x' } }), 'kubectl'));
    assert.equal(next['data'], { a: 'x', b: '3' });
    assert.match(next.metadata.annotations?.[annotation] ?? '', '"data":{"a":"x"}');
    assert.match(refusal(apply(o, object({ data: { b: 'x' } }), 'kubectl')), '.data.b');
    assert.match(refusal(apply(o, object({ data: { a: 'x' } }), 'other')), '.data.a');
  });
});

const container = (name: string, more: Loose = {}): Loose => ({ name, image: 'i', ...more });
const deployment = (...containers: Loose[]): KubeObject =>
  object({ spec: { template: { spec: { containers } } } });
const containersOf = (o: Loose): Loose[] =>
  (o['spec'] as { template: { spec: { containers: Loose[] } } }).template.spec.containers;
const kind = deploymentKind;

spec('applying lists', (it) => {
  it('merges by key, in the order sent, and names items', () => {
    const one = done(apply(undefined, deployment(container('a'), container('b')), 'one', { kind }));
    const o = done(apply(one, deployment(container('c'), container('b')), 'two', { kind }));
    assert.equal(
      containersOf(o).map((c) => c['name']),
      ['a', 'c', 'b'],
    );
    assert.equal(owners(o)['two'], {
      'f:spec': {
        'f:template': {
          'f:spec': {
            'f:containers': {
              'k:{"name":"b"}': { '.': {}, 'f:image': {}, 'f:name': {} },
              'k:{"name":"c"}': { '.': {}, 'f:image': {}, 'f:name': {} },
            },
          },
        },
      },
    });
  });

  it('removes an item with its defaults when its only owner drops it', () => {
    const one = done(apply(undefined, deployment(container('a'), container('b')), 'one', { kind }));
    containersOf(one)[1] = container('b', { imagePullPolicy: 'Always' });
    const o = done(apply(one, deployment(container('a')), 'one', { kind }));
    assert.equal(containersOf(o), [container('a')]);
  });

  it('keeps a default that nobody sent', () => {
    const one = done(apply(undefined, deployment(container('a', { tty: true })), 'one', { kind }));
    containersOf(one)[0] = container('a', { tty: true, imagePullPolicy: 'Always' });
    const o = done(apply(one, deployment(container('a')), 'one', { kind }));
    assert.equal(containersOf(o), [container('a', { imagePullPolicy: 'Always' })]);
  });

  it('owns a list without keys as one', () => {
    const one = done(apply(undefined, deployment(container('a', { args: ['x'] })), 'one', { kind }));
    const message = refusal(apply(one, deployment(container('a', { args: ['y'] })), 'two', { kind }));
    assert.match(message, 'conflict with "one": .spec.template.spec.containers[name="a"].args');
  });

  it('takes a port without a protocol for TCP', () => {
    const ports = [{ containerPort: 80 }];
    const one = done(apply(undefined, deployment(container('a', { ports })), 'one', { kind }));
    const defaulted = [{ containerPort: 80, protocol: 'TCP' }];
    containersOf(one)[0] = container('a', { ports: defaulted });
    assert.equal(containersOf(done(apply(one, deployment(container('a', { ports })), 'one', { kind }))), [
      container('a', { ports: defaulted }),
    ]);
  });

  it('owns the values of a set one by one', () => {
    const one = done(apply(undefined, object({}, { finalizers: ['a/1', 'b/2'] }), 'one'));
    const two = done(apply(one, object({}, { finalizers: ['c/3'] }), 'two'));
    const o = done(apply(two, object({}, { finalizers: ['b/2'] }), 'one'));
    // One entry each: what the first no longer names is gone, what the second names stays.
    assert.equal(o.metadata.finalizers?.toSorted(), ['b/2', 'c/3']);
    assert.equal(owners(o)['two'], { 'f:metadata': { 'f:finalizers': { 'v:"c/3"': {} } } });
  });
});

spec('applying without a schema', (it) => {
  const custom = { kind: 'Gadget', group: 'example.org', version: 'v1' };
  it('merges objects by key and takes lists whole', () => {
    const one = done(apply(undefined, object({ spec: { a: { x: 1 }, l: [1, 2] } }), 'one', { kind: custom }));
    const two = done(apply(one, object({ spec: { a: { y: 2 } } }), 'two', { kind: custom }));
    assert.equal(two['spec'], { a: { x: 1, y: 2 }, l: [1, 2] });
    assert.match(refusal(apply(two, object({ spec: { l: [3] } }), 'two', { kind: custom })), ': .spec.l');
  });
});

spec('what cannot be applied', (it) => {
  const shape = shapeOfKind(kind);
  const cases: [string, KubeObject, string][] = [
    ['an unknown field', object({ spec: { replicaz: 1 } }), '.spec.replicaz: field not declared in schema'],
    [
      'an unknown field of an item',
      deployment(container('a', { imagee: 'x' })),
      '.spec.template.spec.containers[name="a"].imagee: field not declared in schema',
    ],
    [
      'an item without its key',
      deployment({ image: 'x' }),
      '.spec.template.spec.containers: element 0: associative list with keys has an element that omits key field "name"',
    ],
    [
      'an item twice',
      deployment(container('a'), container('a')),
      '.spec.template.spec.containers: duplicate entries for key [name="a"]',
    ],
  ];
  for (const [name, config, fault] of cases)
    it(name, () => assert.equal(configFaults(shape, config), [fault]));
});

spec('plain writes', (it) => {
  it('own what they create, with the containers that came along', () => {
    const o = updated(undefined, object({ data: { a: '1' }, status: { x: 1 } }, { labels: { l: 'x' } }), 'w');
    assert.equal(owners(o), {
      w: { 'f:data': { '.': {}, 'f:a': {} }, 'f:metadata': { 'f:labels': { '.': {}, 'f:l': {} } } },
    });
  });

  it('take what they change and drop what they remove, silently', () => {
    const one = done(apply(undefined, object({ data: { a: '1', b: '2', c: '3' } }), 'one'));
    const o = updated(one, object({ data: { a: 'x', c: '3' } }), 'w');
    assert.equal(owners(o), { one: { 'f:data': { 'f:c': {} } }, w: { 'f:data': { 'f:a': {} } } });
  });

  it('that change nothing change no entry', () => {
    const one = updated(undefined, object({ data: { a: '1' } }), 'w');
    assert.equal(updated(one, object({ data: { a: '1' } }), 'other'), one);
  });

  it('may replace the managers, but not with what cannot be read or with nothing', () => {
    const one = updated(undefined, object({ data: { a: '1' } }), 'w');
    const given = [
      {
        manager: 'g',
        operation: 'Apply',
        apiVersion: 'v1',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:a': {} } },
      },
    ];
    const next = (managedFields: unknown): KubeObject => object({ data: { a: '1' } }, { managedFields });
    assert.equal(Object.keys(owners(updated(one, next(given), 'w'))), ['g']);
    assert.equal(Object.keys(owners(updated(one, next([{ operation: 'X' }]), 'w'))), ['w']);
    assert.equal(Object.keys(owners(updated(one, next([]), 'w'))), ['w']);
  });

  it('leave an object alone that has been stripped with [{}]', () => {
    const one = updated(undefined, object({ data: { a: '1' } }), 'w');
    const stripped = updated(one, object({ data: { a: '1' } }, { managedFields: [{}] }), 'w');
    assert.is(stripped.metadata.managedFields, undefined);
    assert.is(updated(stripped, object({ data: { a: '2' } }), 'w').metadata.managedFields, undefined);
  });
});
