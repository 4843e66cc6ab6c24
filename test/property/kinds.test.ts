import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { kinds } from '../../protocol/kinds/index.ts';
import { apiVersionOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { schemaOf } from '../../protocol/schema/builtin.ts';
import { checkFields } from '../../protocol/schema/check.ts';
import { pruneFields } from '../../protocol/schema/prune.ts';
import type { FieldType, ScalarName, Schema } from '../../protocol/schema/types.ts';
import { spec } from '../spec.ts';

const TEXTS = [
  '',
  'a',
  'A b',
  'app',
  '80',
  '25%',
  '-1',
  '1Gi',
  'Always',
  'RollingUpdate',
  'Exists',
  'x'.repeat(70),
];
const text = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ maxLength: 8 }));
const int = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom(80, 70_000, 2_147_483_647));

const SCALARS: Record<ScalarName, fc.Arbitrary<unknown>> = {
  string: text,
  bool: fc.boolean(),
  int32: int,
  int64: int,
  double: fc.constant(0.5),
  bytes: fc.constantFrom('', 'eA=='),
  Quantity: fc.constantFrom('1', '100m', '-1', '1Gi', '2.5e3'),
  IntOrString: fc.oneof(int, text),
  Time: fc.constantFrom('2026-01-01T00:00:00Z', '2030-01-01T00:00:00Z'),
  MicroTime: fc.constant('2026-01-01T00:00:00.000000Z'),
  FieldsV1: fc.constant({ 'f:x': {} }),
  RawExtension: fc.constant({ any: 1 }),
};

/** Any object of a schema: every field may be missing, and only a few levels carry more than their minimum. */
function anyOf(schema: Schema, type: FieldType, depth: number): fc.Arbitrary<unknown> {
  if (type.is === 'scalar') return SCALARS[type.name];
  if (type.is === 'map')
    return fc.dictionary(text, anyOf(schema, type.of, depth), { maxKeys: depth > 0 ? 2 : 0 });
  if (type.is !== 'struct') return fc.array(anyOf(schema, type.of, depth), { maxLength: depth > 0 ? 2 : 0 });
  const fields = [...(schema.types(type.name)?.fields.values() ?? [])];
  if (depth === 0) return fc.constant({});
  return fc
    .subarray(fields, { maxLength: Math.min(12, fields.length) })
    .chain((some) =>
      fc.record(Object.fromEntries(some.map((f) => [f.name, anyOf(schema, f.type, depth - 1)]))),
    );
}

function objectOf(kind: KindSpec): fc.Arbitrary<KubeObject> {
  const schema = schemaOf(apiVersionOf(kind), kind.kind);
  if (schema === undefined) throw new Error(`no schema of ${kind.kind}`);
  return anyOf(schema, { is: 'struct', name: schema.root.name }, 7).map((value) => {
    const object = { metadata: {}, ...(value as object), apiVersion: apiVersionOf(kind), kind: kind.kind };
    return JSON.parse(JSON.stringify(object)) as KubeObject;
  });
}

spec(
  'kinds, with any object of their schema',
  (it) => {
    for (const kind of kinds) {
      const schema = schemaOf(apiVersionOf(kind), kind.kind);
      if (schema === undefined) throw new Error(`no schema of ${kind.kind}`);

      it(`${kind.kind}: the schema accepts it, defaulting is idempotent and keeps it so, validation and columns never throw`, () => {
        fc.assert(
          fc.property(objectOf(kind), objectOf(kind), (object, other) => {
            assert.equal(checkFields(schema, object), { unknown: [], typeErrors: [] });
            kind.prepareCreate?.(object);
            kind.setDefaults(object);
            kind.completeCreate?.(object);
            const once = structuredClone(object);
            kind.setDefaults(object);
            assert.equal(object, once);
            assert.equal(checkFields(schema, object), { unknown: [], typeErrors: [] });
            for (const error of [...kind.validate(object), ...kind.validateUpdate(object, other)])
              assert.type(error.message, 'string');
            for (const column of kind.columns) column.cell(object, { nowMs: Date.UTC(2026, 1) });
            assert.equal(
              kind.validateUpdate(once, once).filter((e) => e.field === 'spec'),
              [],
            );
          }),
          { numRuns: 150 },
        );
      });
    }
  },
  { caseTimeoutMs: 60_000 },
);

spec('pruneFields', (it) => {
  it('is idempotent and leaves nothing unknown, whatever comes in', () => {
    for (const kind of kinds) {
      const schema = schemaOf(apiVersionOf(kind), kind.kind);
      if (schema === undefined) throw new Error(`no schema of ${kind.kind}`);
      const names = [
        'metadata',
        'spec',
        'status',
        'labels',
        'containers',
        'template',
        'replicas',
        '__proto__',
        'x',
      ];
      const { any } = fc.letrec((tie) => ({
        any: fc.oneof(
          { maxDepth: 5 },
          fc.constant(null),
          text,
          int,
          fc.array(tie('any'), { maxLength: 3 }),
          fc
            .array(fc.tuple(fc.constantFrom(...names), tie('any')), { maxLength: 4 })
            .map((e) => Object.fromEntries(e)),
        ),
      }));
      fc.assert(
        fc.property(any, (object) => {
          const once = pruneFields(schema, object);
          assert.equal(JSON.stringify(pruneFields(schema, once)), JSON.stringify(once));
          assert.equal(checkFields(schema, once).unknown, []);
        }),
        { numRuns: 100 },
      );
    }
  });
});
