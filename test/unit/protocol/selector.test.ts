import * as assert from 'uvu/assert';
import { parseSelector, requirementsMatch, selectorMatches } from '../../../protocol/selector.ts';
import { spec } from '../../spec.ts';

spec('parseSelector', (it) => {
  const labels = { app: 'web', tier: 'front', 'example.com/zone': 'a', empty: '' };
  const cases: readonly [string, boolean][] = [
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app=db', false],
    ['app!=db', true],
    ['other!=db', true],
    ['app in (db, web)', true],
    ['app notin (web)', false],
    ['other notin (web)', true],
    ['app', true],
    ['other', false],
    ['!other', true],
    ['! app', false],
    ['app=web,tier=front', true],
    ['app=web,tier in (back),app', false],
    ['example.com/zone=a', true],
    ['empty=', true],
  ];
  for (const [text, matches] of cases) {
    it(`${text || '(empty)'} ${matches ? 'matches' : 'does not match'}`, () => {
      const parsed = parseSelector(text);
      assert.ok(parsed.ok);
      assert.is(requirementsMatch(parsed.requirements, labels), matches);
    });
  }
  for (const text of ['a=b=c', 'a in b', '=x', 'a,,b', 'a in (x', 'a b', '-a', 'a=_x']) {
    it(`refuses ${text}`, () => assert.not(parseSelector(text).ok));
  }
});

spec('selectorMatches', (it) => {
  it('treats an absent selector as nothing and an empty one as everything', () => {
    assert.not(selectorMatches(undefined, { a: 'b' }));
    assert.ok(selectorMatches({}, undefined));
  });
  it('needs labels and expressions to hold together', () => {
    const selector = {
      matchLabels: { a: '1' },
      matchExpressions: [{ key: 'b', operator: 'Exists' as const }],
    };
    assert.ok(selectorMatches(selector, { a: '1', b: '' }));
    assert.not(selectorMatches(selector, { a: '1' }));
  });
  it('does not take inherited properties for labels', () => {
    assert.not(selectorMatches({ matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, {}));
  });
});
