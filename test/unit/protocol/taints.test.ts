import * as assert from 'uvu/assert';
import type { Taint, Toleration } from '../../../protocol/kinds/node.ts';
import { toleratedForMs, tolerates, untolerated } from '../../../protocol/taints.ts';
import { spec } from '../../spec.ts';

const taint: Taint = { key: 'k', value: 'v', effect: 'NoExecute' };

spec('tolerates', (it) => {
  const cases: readonly [string, Toleration, boolean][] = [
    ['equal key, value and effect', { key: 'k', operator: 'Equal', value: 'v', effect: 'NoExecute' }, true],
    ['Equal is the default operator', { key: 'k', value: 'v' }, true],
    ['another value', { key: 'k', value: 'w' }, false],
    ['Exists ignores the value', { key: 'k', operator: 'Exists' }, true],
    ['another effect', { key: 'k', operator: 'Exists', effect: 'NoSchedule' }, false],
    ['another key', { key: 'l', operator: 'Exists' }, false],
    ['no key with Exists is everything', { operator: 'Exists' }, true],
    ['no key without Exists is nothing', {}, false],
  ];
  for (const [name, toleration, covered] of cases)
    it(name, () => assert.is(tolerates(toleration, taint), covered));
  it('lists what is not covered, of the asked effects only', () => {
    const soft: Taint = { key: 's', effect: 'PreferNoSchedule' };
    assert.equal(untolerated([taint, soft], [], ['NoExecute']), [taint]);
    assert.equal(untolerated([taint], [{ operator: 'Exists' }], ['NoExecute']), []);
    assert.equal(untolerated(undefined, undefined, ['NoSchedule']), []);
  });
  it('lets a pod stay as long as its shortest matching toleration says', () => {
    assert.is(toleratedForMs(taint, []), 0);
    assert.is(toleratedForMs(taint, [{ key: 'k', operator: 'Exists' }]), Number.POSITIVE_INFINITY);
    const both: Toleration[] = [
      { operator: 'Exists' },
      { key: 'k', operator: 'Exists', tolerationSeconds: 5 },
    ];
    assert.is(toleratedForMs(taint, both), 5000);
    assert.is(toleratedForMs(taint, [{ operator: 'Exists', tolerationSeconds: -3 }]), 0);
  });
});
