import * as assert from 'uvu/assert';
import { escalationText, FULL_AUTHORITY, missingRights } from '../../../../hub/decide/escalation.ts';
import type { PolicyRule } from '../../../../protocol/kinds/rbac.ts';
import { spec } from '../../../spec.ts';

const pods = (verbs: string[], more: Partial<PolicyRule> = {}): PolicyRule => ({
  verbs,
  apiGroups: [''],
  resources: ['pods'],
  ...more,
});

spec('missingRights', (it) => {
  const cases: [string, PolicyRule[], PolicyRule[], number][] = [
    ['nothing is held', [], [pods(['get', 'list'])], 2],
    ['the same is held', [pods(['get'])], [pods(['get'])], 0],
    ['two rules hold it together', [pods(['get']), pods(['list'])], [pods(['get', 'list'])], 0],
    [
      'everything covers everything',
      [...FULL_AUTHORITY],
      [pods(['*']), { verbs: ['get'], nonResourceURLs: ['/x'] }],
      0,
    ],
    ['many do not make all', [pods(['get', 'list', 'watch'])], [pods(['*'])], 1],
    ['names do not cover all names', [pods(['get'], { resourceNames: ['a'] })], [pods(['get'])], 1],
    ['all names cover names', [pods(['get'])], [pods(['get'], { resourceNames: ['a', 'b'] })], 0],
    [
      'some names are missing',
      [pods(['get'], { resourceNames: ['a'] })],
      [pods(['get'], { resourceNames: ['a', 'b'] })],
      1,
    ],
    [
      'a subresource of all',
      [pods(['get'], { resources: ['*/scale'] })],
      [pods(['get'], { resources: ['x/scale'] })],
      0,
    ],
    [
      'paths by their beginning',
      [{ verbs: ['get'], nonResourceURLs: ['/a/*'] }],
      [{ verbs: ['get'], nonResourceURLs: ['/a/b', '/a/*', '/b'] }],
      1,
    ],
  ];
  for (const [name, held, wanted, count] of cases)
    it(name, () => assert.is(missingRights(held, wanted).length, count));

  it('says what is missing as Kubernetes does', () => {
    const missing = missingRights([], [pods(['get', 'list']), { verbs: ['get'], nonResourceURLs: ['/x'] }]);
    assert.is(
      escalationText({ name: 'bob', groups: ['a', 'b'] }, missing),
      'user "bob" (groups=["a" "b"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}\n{NonResourceURLs:["/x"], Verbs:["get"]}',
    );
  });
});
