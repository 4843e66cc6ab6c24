import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { canonicalJson, sameJson } from '../../hub/decide/content-hash.ts';
import { spec } from '../spec.ts';

const shuffled = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [key, shuffled(member)]);
  return { ...Object.fromEntries(members.reverse()), absent: undefined };
};

const values = fc.object({
  maxDepth: 3,
  values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.constant(undefined)],
});

spec('equality of content', (it) => {
  it('is equality of the canonical JSON', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        assert.is(sameJson(a, b), canonicalJson(a) === canonicalJson(b));
        assert.is(sameJson(a, { ...a, ...b }), canonicalJson(a) === canonicalJson({ ...a, ...b }));
      }),
      { numRuns: 500 },
    );
  });

  it('takes members for their own that every object inherits', () => {
    for (const name of ['constructor', 'valueOf', 'toString', 'hasOwnProperty'])
      for (const other of [[], {}, 'x', null]) {
        assert.not(sameJson({}, { [name]: other }), name);
        assert.not(sameJson({ [name]: other }, {}), name);
        assert.ok(sameJson({ [name]: other }, { [name]: other }), name);
      }
  });

  it('does not depend on the order of members or on absent ones', () => {
    fc.assert(fc.property(values, (a) => sameJson(a, shuffled(a)) && sameJson(shuffled(a), a)));
  });
});
