/** Random roles and bindings: the index says what reading all of them one by one says, and more rules never mean less. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { RbacIndex } from '../../hub/access/rbac-index.ts';
import { RuleIndex } from '../../hub/access/rule-index.ts';
import { type Ask, type Asker, ruleAllows } from '../../hub/decide/authorize.ts';
import { missingRights } from '../../hub/decide/escalation.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { PolicyRule, RoleBinding, Subject } from '../../protocol/kinds/rbac.ts';
import { account, binding, group, role, user } from '../build/rbac.ts';
import { spec } from '../spec.ts';

const some = <T>(...values: T[]): fc.Arbitrary<T[]> => fc.subarray(values, { minLength: 1 });
const NAMESPACES = [undefined, 'a', 'b'] as const;
const NAMES = ['r', 's'];

const resourceRule = fc.record({
  verbs: some('get', 'list', '*'),
  apiGroups: some('', 'apps', '*'),
  resources: some('pods', 'pods/log', '*/log', '*'),
  resourceNames: fc.subarray(['x', 'y']),
});
const pathRule = fc.record({ verbs: some('get', '*'), nonResourceURLs: some('/a', '/a/*', '*') });
const rules: fc.Arbitrary<PolicyRule[]> = fc.array(fc.oneof(resourceRule, pathRule), { maxLength: 3 });

const subject: fc.Arbitrary<Subject> = fc.oneof(
  fc.constantFrom(user('u'), user('v'), group('g'), group('h')),
  fc.constantFrom(account('z'), account('z', 'a'), account('z', 'b')),
);
const roles = fc.record({
  name: fc.constantFrom(...NAMES),
  rules,
  namespace: fc.constantFrom(...NAMESPACES),
});
const bindings = fc.record({
  subjects: fc.array(subject, { maxLength: 3 }),
  role: fc.constantFrom('Role/r', 'Role/s', 'ClusterRole/r', 'ClusterRole/s'),
  namespace: fc.constantFrom(...NAMESPACES),
});
const asker: fc.Arbitrary<Asker> = fc.record({
  name: fc.constantFrom('u', 'v', 'system:serviceaccount:a:z', 'system:serviceaccount:b:z'),
  groups: fc.subarray(['g', 'h']),
});
const ask: fc.Arbitrary<Ask> = fc.oneof(
  fc.record(
    {
      verb: fc.constantFrom('get', 'list', 'delete'),
      group: fc.constantFrom('', 'apps', 'batch'),
      resource: fc.constantFrom('pods', 'nodes'),
      subresource: fc.constant('log'),
      namespace: fc.constantFrom('a', 'b'),
      name: fc.constantFrom('x', 'y', 'z'),
    },
    { requiredKeys: ['verb', 'group', 'resource'] },
  ),
  fc.record({ verb: fc.constantFrom('get', 'post'), path: fc.constantFrom('/a', '/a/b', '/c') }),
);

/** Kubernetes' own way: every binding, every subject, every rule. */
function naive(objects: ReadonlyMap<string, KubeObject>, who: Asker, what: Ask): boolean {
  const place = 'path' in what ? undefined : what.namespace;
  return [...objects.values()].some((object) => {
    if (object.kind !== 'RoleBinding' && object.kind !== 'ClusterRoleBinding') return false;
    const { metadata, roleRef, subjects } = object as RoleBinding;
    const home = metadata.namespace;
    if (home !== undefined && home !== place) return false;
    const isMeant = (subjects ?? []).some((s) => {
      if (s.kind === 'Group') return who.groups.includes(s.name);
      if (s.kind === 'User') return s.name === who.name;
      return who.name === `system:serviceaccount:${s.namespace ?? home ?? ''}:${s.name}`;
    });
    const key =
      roleRef.kind === 'Role' ? `Role/${home ?? ''}/${roleRef.name}` : `ClusterRole//${roleRef.name}`;
    const granted = (objects.get(key) as { rules?: PolicyRule[] } | undefined)?.rules ?? [];
    return isMeant && granted.some((rule) => ruleAllows(rule, what));
  });
}

const keyOf = (o: KubeObject): string => `${o.kind}/${o.metadata.namespace ?? ''}/${o.metadata.name}`;

spec('rights', (it) => {
  const change = fc.oneof(
    roles.map((r): KubeObject => role(r.name, r.rules, r.namespace)),
    fc
      .tuple(bindings, fc.constantFrom('b', 'c', 'd'))
      .map(([b, name]): KubeObject => binding(name, b.subjects, b.role, b.namespace)),
  );

  it('are what a reading of all roles and bindings says, after any changes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(change, fc.boolean()), { maxLength: 12 }),
        fc.array(fc.tuple(asker, ask), { minLength: 1, maxLength: 8 }),
        // With and without an index of rules.
        fc.constantFrom(0, 1, 100),
        (changes, asked, readRoles) => {
          const index = new RbacIndex(readRoles);
          const objects = new Map<string, KubeObject>();
          for (const [object, isRemoval] of changes) {
            const previous = objects.get(keyOf(object));
            index.apply(isRemoval ? undefined : object, previous);
            if (isRemoval) objects.delete(keyOf(object));
            else objects.set(keyOf(object), object);
            // What is decided on the way must not outlive the next change.
            for (const [who, what] of asked) index.allows(who, what);
          }
          for (const [who, what] of asked) {
            const expected = naive(objects, who, what);
            assert.is(index.allows(who, what), expected);
            assert.is(index.reason(who, what) !== undefined, expected);
            const place = 'path' in what ? undefined : what.namespace;
            const listed = index.rulesFor(who, place);
            assert.is(
              listed.some((rule) => ruleAllows(rule, what)),
              expected,
              'the list says the same',
            );
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are found in an index of rules exactly when one of them allows it', () => {
    const long: fc.Arbitrary<PolicyRule> = fc.record({
      verbs: some('get', 'list', '*'),
      apiGroups: some('', 'apps', '*'),
      resources: fc.constantFrom<string[][]>(
        ['pods', ...Array.from({ length: 600 }, (_, i) => `r${i}`)],
        ['pods'],
      ),
      resourceNames: fc.constantFrom<string[][]>(
        ['x', ...Array.from({ length: 600 }, (_, i) => `n${i}`)],
        [],
      ),
    });
    const many = fc.array(
      fc.oneof(
        { weight: 8, arbitrary: rules },
        long.map((r) => [r]),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(many, fc.array(ask, { minLength: 1, maxLength: 8 }), (held, asked) => {
        const index = new RuleIndex<PolicyRule>();
        for (const rule of held.flat()) index.add(rule, rule);
        for (const what of asked) {
          const found = index.find(what);
          assert.is(
            found !== undefined,
            held.flat().some((rule) => ruleAllows(rule, what)),
          );
          assert.ok(found === undefined || ruleAllows(found, what));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never shrink by a rule more', () => {
    fc.assert(
      fc.property(rules, rules, ask, (held, added, what) => {
        const before = held.some((rule) => ruleAllows(rule, what));
        const after = [...held, ...added].some((rule) => ruleAllows(rule, what));
        assert.ok(!before || after);
        assert.ok(missingRights([...held, ...added], held).length <= missingRights(held, held).length);
      }),
      { numRuns: 500 },
    );
  });

  it('cannot be granted by whom they are missing: what is covered allows nothing new', () => {
    fc.assert(
      fc.property(rules, rules, ask, (held, wanted, what) => {
        if (missingRights(held, wanted).length > 0) return;
        const gains = wanted.some((rule) => ruleAllows(rule, what));
        assert.ok(!gains || held.some((rule) => ruleAllows(rule, what)));
      }),
      { numRuns: 2000 },
    );
  });
});
