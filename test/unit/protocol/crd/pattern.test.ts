import * as assert from 'uvu/assert';
import { compilePattern } from '../../../../protocol/crd/pattern.ts';
import { spec } from '../../../spec.ts';

const TEXTS = [
  '',
  'a',
  'ab',
  'abc',
  'aaa',
  'A1',
  '12',
  '1.5',
  'x-y',
  'foo bar',
  'line\nbreak',
  '0x1f',
  '{a}',
  'ü',
  '_',
];
/** Patterns that mean the same to JavaScript as to Go. */
const PATTERNS = [
  '^a$',
  'a',
  '',
  '^(a|b)+$',
  '^[a-z]{2,3}$',
  '^[^a-z]*$',
  '\\d+',
  '^\\w+$',
  '^\\S+\\s\\S+$',
  '^.$',
  'a.c|x-?y',
  '^(?:ab?c?)*$',
  '^0x[0-9a-f]{2}$',
  '^[-a-z.]+$',
  '\\bbar\\b',
  '^\\{a\\}$',
  '^a{0}$',
  '^(a{1,2}){1,2}$',
  '^[\\d.]+$',
];

spec('compilePattern', (it) => {
  for (const pattern of PATTERNS)
    it(`agrees with JavaScript on ${pattern}`, () => {
      const compiled = compilePattern(pattern);
      if (!compiled.ok) throw new Error(compiled.why);
      const native = new RegExp(pattern, 'u');
      for (const text of TEXTS) assert.is(compiled.matches(text), native.test(text), JSON.stringify(text));
    });

  const own: readonly (readonly [string, string, boolean])[] = [
    ['(?i)^abc$', 'aBC', true],
    ['^[[:alpha:]]+$', 'ab1', false],
    ['^(?P<name>x)$', 'x', true],
    ['\\Ax\\z', 'x', true],
    ['^\\x41$', 'A', true],
    ['(?s)^a.b$', 'a\nb', true],
    ['^a.b$', 'a\nb', false],
  ];
  for (const [pattern, text, expected] of own)
    it(`reads Go's ${pattern}`, () => {
      const compiled = compilePattern(pattern);
      assert.is(compiled.ok && compiled.matches(text), expected);
    });

  for (const pattern of [
    '(',
    ')',
    '[a',
    'a**',
    '*',
    '(?=x)',
    '(?<!x)',
    '\\1',
    'a{2,1}',
    'a{1001}',
    '[z-a]',
    '\\',
  ])
    it(`refuses ${pattern}`, () => assert.is(compilePattern(pattern).ok, false));

  it('takes time that grows with the text only', () => {
    const compiled = compilePattern('^(a+)+$');
    const begun = performance.now();
    assert.is(compiled.ok && compiled.matches(`${'a'.repeat(20_000)}!`), false);
    assert.ok(performance.now() - begun < 2_000);
  });

  it('bounds the size of what it compiles', () => {
    assert.equal(compilePattern('((a{1000}){1000}){1000}'), { ok: false, why: 'expression is too large' });
    assert.is(compilePattern('('.repeat(5000)).ok, false);
  });
});
