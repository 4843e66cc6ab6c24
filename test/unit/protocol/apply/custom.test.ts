/** Server-side apply of custom resources: by the list and map types of their own schema. */
import * as assert from 'uvu/assert';
import { type Applied, applyConfig } from '../../../../protocol/apply/apply.ts';
import { applyConflict } from '../../../../protocol/apply/conflicts.ts';
import { configFaults } from '../../../../protocol/apply/faults.ts';
import { shapeOfKind } from '../../../../protocol/apply/shape.ts';
import type { JsonSchema } from '../../../../protocol/crd/types.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { spec } from '../../../spec.ts';

const text: JsonSchema = { type: 'string' };
const SPEC: JsonSchema = {
  type: 'object',
  properties: {
    size: { type: 'integer' },
    whole: { type: 'array', items: text },
    tags: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
    ports: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port', 'protocol'],
      items: {
        type: 'object',
        properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'UDP' }, note: text },
      },
    },
    lanes: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name', 'protocol'],
      items: { type: 'object', properties: { name: text, protocol: text } },
    },
    labels: { type: 'object', additionalProperties: text },
    place: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { x: text, y: text } },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: text } },
    template: {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: { spec: { type: 'object' } },
    },
  },
};
const KIND = {
  kind: 'Gadget',
  group: 'example.org',
  version: 'v1',
  openApi: { type: 'object', properties: { spec: SPEC } } as Record<string, unknown>,
};
const shape = shapeOfKind(KIND);

const gadget = (content: Record<string, unknown>): KubeObject =>
  ({
    apiVersion: 'example.org/v1',
    kind: 'Gadget',
    metadata: { name: 'g' },
    spec: content,
  }) as unknown as KubeObject;

function apply(live: KubeObject | undefined, content: Record<string, unknown>, manager: string): Applied {
  return applyConfig({
    shape,
    live,
    config: gadget(content),
    manager,
    apiVersion: 'example.org/v1',
    force: false,
    now: '2026-01-02T15:04:05Z',
    subresource: '',
    hasStatus: true,
  });
}

function both(one: Record<string, unknown>, two: Record<string, unknown>): KubeObject & { spec: unknown } {
  const first = apply(undefined, one, 'one');
  const second = apply(first.ok ? first.object : undefined, two, 'two');
  if (!second.ok) throw applyConflict(second.conflicts);
  return second.object as KubeObject & { spec: unknown };
}

function owned(object: KubeObject, manager: string): unknown {
  const entry = object.metadata.managedFields?.find((m) => m.manager === manager);
  return (entry?.fieldsV1 as Record<string, unknown> | undefined)?.['f:spec'];
}

spec('applying custom resources', (it) => {
  it('merges a list of type map by its keys, with the defaults of the schema', () => {
    const object = both({ ports: [{ port: 53, note: 'a' }] }, { ports: [{ port: 53, protocol: 'TCP' }] });
    assert.equal(object.spec, {
      ports: [
        { port: 53, note: 'a' },
        { port: 53, protocol: 'TCP' },
      ],
    });
    assert.equal(owned(object, 'one'), {
      'f:ports': { 'k:{"port":53,"protocol":"UDP"}': { '.': {}, 'f:note': {}, 'f:port': {} } },
    });
    const same = both({ ports: [{ port: 53, note: 'a' }] }, { ports: [{ port: 53, protocol: 'UDP' }] });
    assert.equal(same.spec, { ports: [{ port: 53, protocol: 'UDP', note: 'a' }] });
  });

  it('makes up no default for a key that happens to have a familiar name', () => {
    const object = both({ lanes: [{ name: 'a' }] }, { lanes: [{ name: 'a', protocol: 'TCP' }] });
    assert.equal(object.spec, { lanes: [{ name: 'a' }, { name: 'a', protocol: 'TCP' }] });
  });

  it('merges a set by its values, maps by their keys, and structs by their fields', () => {
    const object = both(
      { tags: ['a', 'b'], labels: { x: '1' }, size: 1 },
      { tags: ['b', 'c'], labels: { y: '2' } },
    );
    const { tags, ...rest } = object.spec as { tags: string[] };
    assert.equal(tags.toSorted(), ['a', 'b', 'c']);
    assert.equal(rest, { labels: { x: '1', y: '2' }, size: 1 });
    assert.equal(owned(object, 'two'), {
      'f:labels': { 'f:y': {} },
      'f:tags': { 'v:"b"': {}, 'v:"c"': {} },
    });
  });

  for (const [name, one, two, field] of [
    ['a list without a type', { whole: ['a'] }, { whole: ['b'] }, '.spec.whole'],
    ['an atomic map', { place: { x: '1' } }, { place: { y: '2' } }, '.spec.place'],
  ] as const)
    it(`takes ${name} whole`, () => {
      assert.throws(
        () => both(one, two),
        (error: Error) => error.message.includes(`conflict with "one": ${field}`),
      );
    });

  const faults: [string, Record<string, unknown>, string[]][] = [
    ['fields no schema has', { sise: 1 }, ['.spec.sise: field not declared in schema']],
    [
      'nor within items',
      { ports: [{ port: 1, x: 1 }] },
      ['.spec.ports[port=1,protocol="UDP"].x: field not declared in schema'],
    ],
    ['but those a schema leaves open', { free: { a: { b: 1 }, known: 'x' } }, []],
    [
      'and those of embedded objects',
      { template: { apiVersion: 'v1', kind: 'X', metadata: { name: 'x' }, spec: {} } },
      [],
    ],
    [
      'an item without its keys',
      { lanes: [{}] },
      [
        '.spec.lanes: element 0: associative list with keys has an element that omits all key fields ["name" "protocol"] (and doesn\'t have default values for any key fields)',
      ],
    ],
    ['a value of a set twice', { tags: ['a', 'a'] }, ['.spec.tags: duplicate entries for key [="a"]']],
  ];
  for (const [name, content, expected] of faults)
    it(`refuses ${name}`, () => assert.equal(configFaults(shape, gadget(content)), expected));
});
