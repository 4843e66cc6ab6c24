import * as assert from 'uvu/assert';
import {
  difference,
  isEmptySet,
  NO_FIELDS,
  pathTexts,
  readFieldsV1,
  sameFields,
  union,
  writeFieldsV1,
} from '../../../../protocol/apply/field-set.ts';
import { identityOf, readManagers, writeManagers } from '../../../../protocol/apply/managers.ts';
import { spec } from '../../../spec.ts';

const read = (value: unknown): ReturnType<typeof readFieldsV1> & object => {
  const set = readFieldsV1(value);
  if (set === undefined) throw new Error('not readable');
  return set;
};

spec('field sets', (it) => {
  const EXAMPLE = {
    'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
    'f:spec': {
      'f:containers': {
        'k:{"name":"web"}': { '.': {}, 'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': {} } },
      },
      'f:finalizers': { 'v:"x"': {} },
    },
  };

  it('are written as they were read', () => {
    assert.equal(writeFieldsV1(read(EXAMPLE)), EXAMPLE);
  });

  it('read as people write paths', () => {
    assert.equal(pathTexts(read(EXAMPLE)), [
      '.metadata.labels',
      '.metadata.labels.app',
      '.spec.containers[name="web"]',
      '.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"]',
      '.spec.finalizers[="x"]',
    ]);
  });

  it('sort the keys of an item', () => {
    const set = read({ 'k:{"protocol": "TCP","containerPort": 80}': {} });
    assert.equal(Object.keys(writeFieldsV1(set)), ['k:{"containerPort":80,"protocol":"TCP"}']);
  });

  const malformed: [string, unknown][] = [
    ['no object', 'x'],
    ['an element without a prefix', { labels: {} }],
    ['a key that is no JSON', { 'k:{name': {} }],
    ['a key that is no object', { 'k:3': {} }],
    ['an index that is no number', { 'i:x': {} }],
    ['a leaf that is no object', { 'f:a': true }],
  ];
  for (const [name, value] of malformed)
    it(`refuse ${name}`, () => assert.is(readFieldsV1(value), undefined));

  it('take away single paths only', () => {
    const left = difference(read(EXAMPLE), read({ 'f:metadata': { 'f:labels': {} } }));
    assert.ok(pathTexts(left).includes('.metadata.labels.app'));
    assert.not.ok(pathTexts(left).includes('.metadata.labels'));
  });

  it('know emptiness and sameness', () => {
    assert.ok(isEmptySet(difference(read(EXAMPLE), read(EXAMPLE))));
    assert.ok(sameFields(union(read(EXAMPLE), NO_FIELDS), read(EXAMPLE)));
    assert.not.ok(sameFields(read(EXAMPLE), NO_FIELDS));
  });
});

spec('managers', (it) => {
  const entry = (manager: string, extra: object = {}): Record<string, unknown> => ({
    manager,
    operation: 'Update',
    apiVersion: 'v1',
    time: '2026-01-02T15:04:05Z',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:data': { [`f:${manager}`]: {} } },
    ...extra,
  });

  it('are written as they were read, appliers first, then by time and name', () => {
    const entries = [
      entry('b'),
      entry('a'),
      entry('old', { time: '2025-01-01T00:00:00Z' }),
      entry('z', { operation: 'Apply' }),
    ];
    const written = writeManagers(readManagers(entries) ?? []);
    assert.equal(
      written.map((m) => m.manager),
      ['z', 'old', 'a', 'b'],
    );
    assert.equal(written[2], entries[1]);
  });

  it('are one in all versions only as appliers', () => {
    const base = { manager: 'm', subresource: '' } as const;
    const id = (operation: 'Apply' | 'Update', apiVersion: string): string =>
      identityOf({ ...base, operation, apiVersion });
    assert.is(id('Apply', 'v1'), id('Apply', 'v2'));
    assert.is.not(id('Update', 'v1'), id('Update', 'v2'));
  });

  it('that only update are gathered beyond ten, the oldest first', () => {
    const entries = Array.from({ length: 14 }, (_, i) =>
      entry(`m${i}`, { time: `2026-01-02T15:04:${String(10 + i)}Z` }),
    );
    const written = writeManagers(readManagers(entries) ?? []);
    assert.is(written.length, 10);
    const [first] = written;
    assert.is(first?.manager, 'ancient-changes');
    const fields = first?.fieldsV1 as { 'f:data': object } | undefined;
    assert.equal(Object.keys(fields?.['f:data'] ?? {}), ['f:m0', 'f:m1', 'f:m2', 'f:m3', 'f:m4']);
  });

  for (const [name, wrong] of [
    ['no list', {}],
    ['an unknown operation', [entry('a', { operation: 'Patch' })]],
    ['no API version', [entry('a', { apiVersion: '' })]],
    ['another encoding', [entry('a', { fieldsType: 'FieldsV2' })]],
    ['unreadable fields', [entry('a', { fieldsV1: { x: {} } })]],
  ] as const)
    it(`are not read from ${name}`, () => assert.is(readManagers(wrong), undefined));
});
