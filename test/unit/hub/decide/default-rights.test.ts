import * as assert from 'uvu/assert';
import { DefaultRights } from '../../../../hub/decide/default-rights.ts';
import type { RoleBinding } from '../../../../protocol/kinds/rbac.ts';
import { spec } from '../../../spec.ts';

const binding = {
  metadata: { name: 'b', namespace: 'shop' },
  subjects: [{ kind: 'ServiceAccount', name: 'default' }],
} as RoleBinding;

spec('DefaultRights', (it) => {
  it('looks once in each namespace, until a binding changes', () => {
    const rights = new DefaultRights();
    const looks: string[] = [];
    let held: RoleBinding[] = [];
    const ask = (namespace: string): boolean =>
      rights.has(namespace, () => {
        looks.push(namespace);
        return held;
      });
    assert.equal([ask('shop'), ask('shop'), ask('other')], [false, false, false]);
    assert.equal(looks, ['shop', 'other']);
    held = [binding];
    rights.take('Pod');
    assert.is(ask('shop'), false);
    rights.take('RoleBinding');
    assert.equal([ask('shop'), ask('shop'), ask('other')], [true, true, false]);
    held = [];
    rights.take('ClusterRoleBinding');
    assert.is(ask('shop'), false);
    assert.is(looks.length, 5);
  });

  it('looks again after what it heard of was not kept', () => {
    const rights = new DefaultRights();
    assert.is(
      rights.has('shop', () => [binding]),
      true,
    );
    rights.forget();
    assert.is(
      rights.has('shop', () => []),
      false,
    );
  });
});
