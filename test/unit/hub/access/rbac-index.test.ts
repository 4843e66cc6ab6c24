import * as assert from 'uvu/assert';
import { RbacIndex } from '../../../../hub/access/rbac-index.ts';
import type { Ask, Asker } from '../../../../hub/decide/authorize.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { account, binding, group, role, user } from '../../../build/rbac.ts';
import { spec } from '../../../spec.ts';

const READ = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
const alice: Asker = { name: 'alice', groups: ['team', 'system:authenticated'] };
const robot: Asker = { name: 'system:serviceaccount:shop:robot', groups: ['system:serviceaccounts:shop'] };
const inShop: Ask = { verb: 'get', group: '', resource: 'pods', namespace: 'shop', name: 'x' };
const inOther: Ask = { ...inShop, namespace: 'other' };
const everywhere: Ask = { verb: 'get', group: '', resource: 'pods' };

spec('RbacIndex', (it) => {
  const cases: [string, KubeObject[], Asker, Ask, boolean][] = [
    ['nobody may without a binding', [role('r', READ)], alice, inShop, false],
    [
      'a user, everywhere',
      [role('r', READ), binding('b', [user('alice')], 'ClusterRole/r')],
      alice,
      everywhere,
      true,
    ],
    [
      'what users define under the same names counts for nothing',
      [
        role('r', READ),
        { ...binding('b', [user('alice')], 'ClusterRole/r'), apiVersion: 'example.com/v1' } as KubeObject,
      ],
      alice,
      inShop,
      false,
    ],
    ['a group', [role('r', READ), binding('b', [group('team')], 'ClusterRole/r')], alice, inShop, true],
    ['another user', [role('r', READ), binding('b', [user('bob')], 'ClusterRole/r')], alice, inShop, false],
    [
      'a user is no group',
      [role('r', READ), binding('b', [group('alice')], 'ClusterRole/r')],
      alice,
      inShop,
      false,
    ],
    [
      'a cluster role in its namespace',
      [role('r', READ), binding('b', [user('alice')], 'ClusterRole/r', 'shop')],
      alice,
      inShop,
      true,
    ],
    [
      'and not in another',
      [role('r', READ), binding('b', [user('alice')], 'ClusterRole/r', 'shop')],
      alice,
      inOther,
      false,
    ],
    [
      'and not everywhere',
      [role('r', READ), binding('b', [user('alice')], 'ClusterRole/r', 'shop')],
      alice,
      everywhere,
      false,
    ],
    [
      'a role of the namespace',
      [role('r', READ, 'shop'), binding('b', [user('alice')], 'Role/r', 'shop')],
      alice,
      inShop,
      true,
    ],
    [
      'not a role of another',
      [role('r', READ, 'other'), binding('b', [user('alice')], 'Role/r', 'shop')],
      alice,
      inShop,
      false,
    ],
    [
      'not a cluster role of that name',
      [role('r', READ), binding('b', [user('alice')], 'Role/r', 'shop')],
      alice,
      inShop,
      false,
    ],
    [
      'a service account',
      [role('r', READ), binding('b', [account('robot', 'shop')], 'ClusterRole/r')],
      robot,
      inShop,
      true,
    ],
    [
      'a service account of the binding',
      [role('r', READ), binding('b', [account('robot')], 'ClusterRole/r', 'shop')],
      robot,
      inShop,
      true,
    ],
    [
      'a service account of elsewhere',
      [role('r', READ), binding('b', [account('robot', 'other')], 'ClusterRole/r')],
      robot,
      inShop,
      false,
    ],
    [
      'a service account by user name',
      [role('r', READ), binding('b', [user(robot.name)], 'ClusterRole/r')],
      robot,
      inShop,
      true,
    ],
    ['its absent role', [binding('b', [user('alice')], 'ClusterRole/r')], alice, inShop, false],
  ];
  for (const [name, objects, asker, ask, allowed] of cases)
    it(name, () => {
      const index = new RbacIndex();
      for (const object of objects) index.apply(object, undefined);
      assert.is(index.allows(asker, ask), allowed);
    });

  it('follows changes, and keeps what a second binding grants', () => {
    const index = new RbacIndex();
    const one = binding('one', [user('alice')], 'ClusterRole/r');
    const two = binding('two', [user('alice')], 'ClusterRole/r');
    index.apply(one, undefined);
    index.apply(two, undefined);
    assert.not(index.allows(alice, inShop), 'the role is not there yet');
    const empty = role('r', []);
    index.apply(empty, undefined);
    assert.not(index.allows(alice, inShop));
    index.apply(role('r', READ), empty);
    assert.ok(index.allows(alice, inShop));
    index.apply(undefined, one);
    assert.is(
      index.reason(alice, inShop),
      'RBAC: allowed by ClusterRoleBinding "two" of ClusterRole "r" to User "alice"',
    );
    index.apply(undefined, two);
    assert.not(index.allows(alice, inShop));
    assert.equal(index.rulesFor(alice, 'shop'), []);
  });

  it('lists the rules that count in a namespace', () => {
    const index = new RbacIndex();
    const more = [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }];
    for (const object of [
      role('r', READ, 'shop'),
      role('m', more),
      binding('a', [user('alice')], 'Role/r', 'shop'),
      binding('b', [group('team')], 'ClusterRole/m'),
    ])
      index.apply(object, undefined);
    assert.equal(
      index.rulesFor(alice, 'shop'),
      [...READ, ...more].sort((a, b) => ('apiGroups' in a ? 1 : 0) - ('apiGroups' in b ? 1 : 0)).reverse(),
    );
    assert.equal(index.rulesFor(alice, undefined), more);
  });
});
