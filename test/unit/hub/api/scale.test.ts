import * as assert from 'uvu/assert';
import { selectorText } from '../../../../hub/api/scale.ts';
import { spec } from '../../../spec.ts';

spec('selectorText', (it) => {
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
    assert.is(selectorText(selector), 'a=1,b=2,!d,c in (x,y),e,n notin (z)');
  });

  it('is empty without a selector', () => assert.is(selectorText(undefined), ''));
});
