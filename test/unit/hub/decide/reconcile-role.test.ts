import * as assert from 'uvu/assert';
import { DEFAULT_BINDINGS, DEFAULT_ROLES } from '../../../../hub/decide/default-roles.ts';
import { aggregatedRules, reconcileBinding, reconcileRole } from '../../../../hub/decide/reconcile-role.ts';
import type { ClusterRole, ClusterRoleBinding } from '../../../../protocol/kinds/rbac.ts';
import { binding, role, user } from '../../../build/rbac.ts';
import { spec } from '../../../spec.ts';

const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
const get = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
const list = { verbs: ['list'], apiGroups: [''], resources: ['pods'] };
const wanted = { name: 'r', rules: [get] };
const stored = (object: object): ClusterRole => ({ ...role('r', []), ...object }) as ClusterRole;

spec('reconcileRole', (it) => {
  it('makes what is absent, marked as a default', () => {
    const step = reconcileRole(wanted, undefined, []);
    assert.is(step.do, 'create');
    if (step.do === 'nothing') return;
    assert.equal(step.object.rules, [get]);
    assert.equal(step.object.metadata.labels, { 'kubernetes.io/bootstrapping': 'rbac-defaults' });
    assert.equal(step.object.metadata.annotations, { [AUTOUPDATE]: 'true' });
    assert.is(reconcileRole(wanted, stored(step.object), []).do, 'nothing', 'and then rests');
  });

  it('adds what is missing and keeps what people added', () => {
    const step = reconcileRole(wanted, stored({ rules: [list] }), []);
    assert.is(step.do, 'update');
    if (step.do !== 'nothing') assert.equal(step.object.rules, [list, get]);
  });

  it('leaves alone what people took over', () => {
    const present = role('r', []);
    present.metadata.annotations = { [AUTOUPDATE]: 'false' };
    assert.is(reconcileRole(wanted, present as ClusterRole, []).do, 'nothing');
  });

  it('brings back a subject', () => {
    const [first] = DEFAULT_BINDINGS;
    if (first === undefined) return;
    const present = binding('cluster-admin', [user('u')], 'ClusterRole/cluster-admin') as ClusterRoleBinding;
    const step = reconcileBinding(first, present);
    assert.is(step.do, 'update');
    if (step.do !== 'nothing') assert.equal(step.object.subjects, [user('u'), ...first.subjects]);
  });

  it('names every default once, and binds only what is there', () => {
    const names = DEFAULT_ROLES.map((r) => r.name);
    assert.is(new Set(names).size, names.length);
    for (const { role: name } of DEFAULT_BINDINGS) assert.ok(names.includes(name), name);
  });
});

spec('aggregatedRules', (it) => {
  it('gathers by label, each rule once, never its own', () => {
    const labelled = (name: string, rules: ClusterRole['rules']): ClusterRole => {
      const made = role(name, rules ?? []) as ClusterRole;
      made.metadata.labels = { to: 'a' };
      return made;
    };
    const all = [
      labelled('b', [get, list]),
      labelled('a', [get]),
      role('c', [list]) as ClusterRole,
      labelled('self', [list]),
    ];
    const selectors = [{ matchLabels: { to: 'a' } }];
    assert.equal(aggregatedRules({ name: 'self', selectors }, all), [get, list]);
    assert.equal(aggregatedRules({ name: 'self', selectors: [] }, all), []);
  });
});
