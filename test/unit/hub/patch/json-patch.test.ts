import * as assert from 'uvu/assert';
import { applyJsonPatch } from '../../../../hub/patch/json-patch.ts';
import { spec } from '../../../spec.ts';

spec('applyJsonPatch', (it) => {
  it('applies all operations', () => {
    const target = Object.freeze({ a: { b: [1, 2] }, c: 'x' });
    const patch = [
      { op: 'test', path: '/c', value: 'x' },
      { op: 'add', path: '/a/b/-', value: { deep: 1 } },
      { op: 'remove', path: '/a/b/0' },
      { op: 'copy', from: '/c', path: '/d' },
      { op: 'move', from: '/c', path: '/e' },
      { op: 'replace', path: '/d', value: 'y' },
    ];
    assert.equal(applyJsonPatch(target, patch), {
      ok: true,
      value: { a: { b: [2, { deep: 1 }] }, d: 'y', e: 'x' },
    });
    assert.equal(target, { a: { b: [1, 2] }, c: 'x' });
  });

  it('fails as a whole', () => {
    const patched = applyJsonPatch({ a: 1 }, [
      { op: 'add', path: '/b', value: 1 },
      { op: 'test', path: '/a', value: 2 },
    ]);
    assert.is(patched.ok, false);
    if (!patched.ok) assert.is(patched.reason, 'failed');
  });

  const failing: readonly (readonly [string, object])[] = [
    ['remove of nothing', { op: 'remove', path: '/zz' }],
    ['replace of nothing', { op: 'replace', path: '/zz', value: 1 }],
    ['a path through a number', { op: 'add', path: '/a/b/c', value: 1 }],
    ['copy of nothing', { op: 'copy', from: '/zz', path: '/b' }],
  ];
  for (const [name, operation] of failing)
    it(`fails on ${name}`, () => {
      const patched = applyJsonPatch({ a: 1 }, [operation]);
      assert.is(patched.ok ? 'applied' : patched.reason, 'failed');
    });

  const malformed: readonly (readonly [string, unknown])[] = [
    ['no list', { op: 'add', path: '/a', value: 1 }],
    ['no object', [1]],
    ['an unknown operation', [{ op: 'burn', path: '/a' }]],
    ['a path that is no text', [{ op: 'remove', path: 1 }]],
    ['a path without slash', [{ op: 'remove', path: 'a' }]],
    ['a missing value', [{ op: 'add', path: '/a' }]],
    ['a missing source', [{ op: 'move', path: '/a' }]],
    ['a way to the prototype', [{ op: 'add', path: '/__proto__/x', value: 1 }]],
    ['a way to the constructor', [{ op: 'add', path: '/a/constructor/prototype/x', value: 1 }]],
    ['too many operations', Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 }))],
  ];
  for (const [name, patch] of malformed)
    it(`refuses ${name}`, () => {
      const patched = applyJsonPatch({ a: 1 }, patch);
      assert.is(patched.ok ? 'applied' : patched.reason, 'malformed');
      assert.is(({} as { x?: number }).x, undefined);
    });

  it('stops copies that double without end', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => ({ op: 'copy', from: '', path: `/k${i}` }));
    const patched = applyJsonPatch({ a: 'x'.repeat(1000) }, doubling);
    assert.is(patched.ok, false);
  });
});
