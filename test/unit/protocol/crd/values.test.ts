import * as assert from 'uvu/assert';
import { parseJsonPath, withValueAt } from '../../../../protocol/crd/json-path.ts';
import { applyDefaults, prunedResource } from '../../../../protocol/crd/prune.ts';
import { schemaErrors } from '../../../../protocol/crd/schema-errors.ts';
import type { JsonSchema } from '../../../../protocol/crd/types.ts';
import { validateValue } from '../../../../protocol/crd/validate.ts';
import { spec } from '../../../spec.ts';

const errorsOf = (schema: JsonSchema, value: unknown): string[] =>
  validateValue(schema, value, 'spec', new Map()).map((e) => `${e.field}: ${e.message}`);

spec('values of custom resources', (it) => {
  const cases: readonly (readonly [string, JsonSchema, unknown, string[]])[] = [
    ['accepts', { type: 'string' }, 'x', []],
    ['an integer is a number', { type: 'number' }, 3, []],
    [
      'a number is no integer',
      { type: 'integer' },
      1.5,
      ['spec: Invalid value: "number": spec in body must be of type integer: "number"'],
    ],
    ['null only where allowed', { type: 'string', nullable: true }, null, []],
    [
      'null elsewhere',
      { type: 'string' },
      null,
      ['spec: Invalid value: "null": spec in body must be of type string: "null"'],
    ],
    ['required', { type: 'object', required: ['a'] }, {}, ['spec.a: Required value']],
    ['enum', { enum: ['a', 1] }, 'b', ['spec: Unsupported value: "b": supported values: "a", "1"']],
    [
      'minLength counts characters',
      { type: 'string', minLength: 2 },
      'ü',
      ['spec: Invalid value: "ü": spec in body should be at least 2 chars long'],
    ],
    ['maxLength', { type: 'string', maxLength: 1 }, 'ab', ['spec: Too long: may not be more than 1 bytes']],
    [
      'exclusive bounds',
      { type: 'integer', minimum: 1, exclusiveMinimum: true },
      1,
      ['spec: Invalid value: 1: spec in body should be greater than 1'],
    ],
    [
      'multiples',
      { type: 'integer', multipleOf: 2 },
      3,
      ['spec: Invalid value: 3: spec in body should be a multiple of 2'],
    ],
    [
      'items',
      { type: 'array', items: { type: 'string' }, maxItems: 1 },
      ['a', 2],
      [
        'spec: Too many: 2: must have at most 1 items',
        'spec[1]: Invalid value: "integer": spec[1] in body must be of type string: "integer"',
      ],
    ],
    [
      'sets',
      { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      ['a', 'a'],
      ['spec[1]: Duplicate value: "a"'],
    ],
    [
      'lists by key',
      { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['n'] },
      [
        { n: 'a', v: 1 },
        { n: 'a', v: 2 },
      ],
      ['spec[1]: Duplicate value: map[string]string{"n":"a"}'],
    ],
    [
      'formats',
      { type: 'string', format: 'date-time' },
      'x',
      ['spec: Invalid value: "x": spec in body must be of type date-time: "x"'],
    ],
    [
      'one of',
      { oneOf: [{ required: ['a'] }, { required: ['b'] }] },
      {},
      [
        'spec: Invalid value: map[string]string{}: "spec" must validate one and only one schema (oneOf). Found none valid',
      ],
    ],
    ['any of', { anyOf: [{ minimum: 3 }, { maximum: 1 }] }, 5, []],
    [
      'not',
      { not: { enum: ['a'] } },
      'a',
      ['spec: Invalid value: "a": "spec" must not validate the schema (not)'],
    ],
    [
      'additional values',
      { additionalProperties: { type: 'string' } },
      { x: 1 },
      ['spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer"'],
    ],
  ];
  for (const [name, schema, value, expected] of cases)
    it(name, () => assert.equal(errorsOf(schema, value), expected));

  it('prunes and fills in', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          default: {},
          properties: {
            a: { type: 'string', default: 'x' },
            list: {
              type: 'array',
              items: { type: 'object', properties: { n: { type: 'integer', default: 1 } } },
            },
            free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            pod: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: {} },
          },
        },
      },
    };
    const unknown: string[] = [];
    const given = JSON.parse(
      '{"kind":"K","metadata":{"z":1},"spec":{"a":null,"b":1,"list":[{"m":1}],"free":{"q":1},"pod":{"kind":"P","x":1},"__proto__":{"y":1}}}',
    ) as Record<string, unknown>;
    const kept = prunedResource(schema, given, unknown);
    applyDefaults(schema, kept);
    assert.equal(kept, {
      kind: 'K',
      metadata: { z: 1 },
      spec: { a: 'x', list: [{ n: 1 }], free: { q: 1 }, pod: { kind: 'P' } },
    });
    assert.equal(unknown, [
      'unknown field "spec.b"',
      'unknown field "spec.list[0].m"',
      'unknown field "spec.pod.x"',
      'unknown field "spec.__proto__"',
    ]);
  });

  it('demands structural schemas', () => {
    const texts = schemaErrors(
      {
        type: 'object',
        properties: {
          a: {},
          b: { type: 'object', uniqueItems: true, $ref: '#/x' },
          c: { type: 'object', properties: {}, additionalProperties: { type: 'string' } },
          d: { type: 'string', allOf: [{ description: 'no' }] },
          e: { 'x-kubernetes-int-or-string': true },
        },
      },
      's',
    ).map((e) => `${e.field}: ${e.message}`);
    assert.equal(texts, [
      's.properties[a].type: Required value: must not be empty for specified object fields',
      's.properties[b].$ref: Forbidden: $ref is not supported',
      's.properties[b].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      's.properties[c].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive',
      's.properties[d].allOf[0].description: Forbidden: must be undefined to be structural',
    ]);
    assert.is(schemaErrors(undefined, 's')[0]?.message, 'Required value: schemas are required');
  });
});

spec('parseJsonPath', (it) => {
  const object = {
    spec: { size: 3, 'a.b': 'dot', list: ['x', 'y'] },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Other', status: 'False' },
      ],
    },
  };
  const cases: readonly (readonly [string, unknown[]])[] = [
    ['.spec.size', [3]],
    ['{.spec.size}', [3]],
    ['.spec.absent.deeper', []],
    ['.spec.list[1]', ['y']],
    ['.spec.list[*]', ['x', 'y']],
    [".spec['a.b']", ['dot']],
    ['.spec.a\\.b', ['dot']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='None')].status", []],
  ];
  for (const [path, expected] of cases) it(path, () => assert.equal(parseJsonPath(path)?.(object), expected));

  for (const path of ['spec', '.spec[', '.spec..x', '.a[?(@.b>1)]'])
    it(`refuses ${path}`, () => assert.is(parseJsonPath(path), undefined));

  it('sets a value where nothing was', () =>
    assert.equal(withValueAt({ a: 1 }, '.spec.replicas', 2), { a: 1, spec: { replicas: 2 } }));
});
