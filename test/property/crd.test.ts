import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { parseJsonPath } from '../../protocol/crd/json-path.ts';
import { compilePattern } from '../../protocol/crd/pattern.ts';
import { applyDefaults, prunedResource } from '../../protocol/crd/prune.ts';
import { schemaErrors } from '../../protocol/crd/schema-errors.ts';
import type { JsonSchema } from '../../protocol/crd/types.ts';
import { validateValue } from '../../protocol/crd/validate.ts';
import { spec } from '../spec.ts';

const NAMES = ['a', 'b', 'spec', 'metadata', 'kind', '__proto__', 'x y'];
const name = fc.constantFrom(...NAMES);

/** JSON values with the names that schemas use. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, 1.5, -3, '', 'a', '2026-01-01T00:00:00Z'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }).map((entries) => Object.fromEntries(entries)),
  ),
}));

/** Schemas, good and bad ones. */
const { schema } = fc.letrec<{ schema: JsonSchema }>((tie) => {
  // Without a bound a schema of schemas never ends.
  const inner = fc.oneof({ maxDepth: 2 }, fc.constant<JsonSchema>({ type: 'string' }), tie('schema'));
  return {
    schema: fc.record(
      {
        type: fc.constantFrom('object', 'array', 'string', 'integer', 'number', 'boolean', 'other'),
        properties: fc
          .array(fc.tuple(name, inner), { maxLength: 3 })
          .map((entries) => Object.fromEntries(entries)),
        items: inner,
        additionalProperties: fc.oneof(fc.boolean(), inner),
        required: fc.array(name, { maxLength: 2 }),
        default: value,
        nullable: fc.boolean(),
        enum: fc.array(value, { maxLength: 2 }),
        pattern: fc.constantFrom('^a+$', '(', '[a-z]*', '(?=x)'),
        format: fc.constantFrom('date-time', 'ipv4', 'duration', 'none'),
        minimum: fc.integer({ min: -2, max: 2 }),
        maxItems: fc.integer({ min: 0, max: 2 }),
        oneOf: fc.array(inner, { maxLength: 2 }),
        not: inner,
        'x-kubernetes-preserve-unknown-fields': fc.boolean(),
        'x-kubernetes-embedded-resource': fc.boolean(),
        'x-kubernetes-int-or-string': fc.boolean(),
        'x-kubernetes-list-type': fc.constantFrom('map' as const, 'set' as const, 'atomic' as const),
        'x-kubernetes-list-map-keys': fc.array(name, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ) as fc.Arbitrary<JsonSchema>,
  };
});

const plain = (given: unknown): Record<string, unknown> => ({ spec: structuredClone(given) });

spec(
  'custom resources, with any schema and any object',
  (it) => {
    it('pruning is idempotent and defaulting too; validation never throws', () => {
      fc.assert(
        fc.property(schema, value, (any, given) => {
          const once = prunedResource(any, plain(given), []);
          const unknown: string[] = [];
          assert.equal(prunedResource(any, once, unknown), once);
          assert.equal(unknown, []);
          const filled = structuredClone(once);
          applyDefaults(any, filled);
          const again = structuredClone(filled);
          applyDefaults(any, again);
          assert.equal(again, filled);
          for (const error of [...validateValue(any, filled, '', new Map()), ...schemaErrors(any, 's')])
            assert.type(error.message, 'string');
        }),
        { numRuns: 500 },
      );
    });

    it('patterns mean what they mean to JavaScript', () => {
      const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '\\d', '(a|b)', '(ab)?', 'c{0,2}');
      const repeated = fc
        .tuple(atom, fc.constantFrom('', '*', '+', '?'))
        .map(([text, times]) => (times !== '' && /[?}]$/.test(text) ? text : text + times));
      const pattern = fc
        .tuple(fc.constantFrom('', '^'), fc.array(repeated, { maxLength: 4 }), fc.constantFrom('', '$'))
        .map(([begin, parts, end]) => begin + parts.join('') + end);
      const text = fc
        .array(fc.constantFrom('a', 'b', 'c', '1', '-'), { maxLength: 6 })
        .map((t) => t.join(''));
      fc.assert(
        fc.property(pattern, text, (written, subject) => {
          const compiled = compilePattern(written);
          assert.ok(compiled.ok, written);
          assert.is(compiled.ok && compiled.matches(subject), new RegExp(written, 'u').test(subject));
        }),
        { numRuns: 1000 },
      );
    });

    it('no pattern and no path throws', () => {
      const source = fc.array(fc.constantFrom(...'()[]{}*+?|^$\\.-,:=!<>ab1"\'@ '), { maxLength: 12 });
      fc.assert(
        fc.property(source, value, (parts, given) => {
          const compiled = compilePattern(parts.join(''));
          if (compiled.ok) compiled.matches('ab1-');
          parseJsonPath(`.${parts.join('')}`)?.(given);
        }),
        { numRuns: 2000 },
      );
    });
  },
  { caseTimeoutMs: 60_000 },
);
