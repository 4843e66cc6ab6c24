import * as assert from 'uvu/assert';
import { selectorQuery } from '../../../../protocol/kinds/scale-view.ts';
import { spec } from '../../../spec.ts';

spec('selectorQuery', (it) => {
  it('writes labels, then expressions, each in order', () => {
    const selector = {
      matchLabels: { b: '2', a: '1' },
      matchExpressions: [
        { key: 'e', operator: 'Exists' as const },
        { key: 'd', operator: 'DoesNotExist' as const },
        { key: 'c', operator: 'In' as const, values: ['y', 'x'] },
        { key: 'n', operator: 'NotIn' as const, values: ['z'] },
      ],
    };
    assert.is(selectorQuery(selector), 'a=1,b=2,!d,c in (x,y),e,n notin (z)');
  });

  it('is empty without a selector', () => assert.is(selectorQuery(undefined), ''));
});
