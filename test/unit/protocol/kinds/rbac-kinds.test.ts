import * as assert from 'uvu/assert';
import { kinds } from '../../../../protocol/kinds/index.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { binding, having, role, user } from '../../../build/rbac.ts';
import { spec } from '../../../spec.ts';

function errorsOf(object: KubeObject): string[] {
  const kind = kinds.find((k) => k.kind === object.kind);
  const draft = structuredClone(object);
  kind?.setDefaults(draft);
  return (kind?.validate(draft) ?? []).map((e) => `${e.field}: ${e.message}`);
}

const good = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
const RBAC = 'rbac.authorization.k8s.io';

spec('validation of roles and bindings', (it) => {
  const cases: [string, KubeObject, string[]][] = [
    ['a good role', role('r', [good], 'n'), []],
    ['names with colons', role('system:x:y', [good]), []],
    [
      'a name with a slash',
      role('a/b', [good]),
      [`metadata.name: Invalid value: "a/b": may not contain '/'`],
    ],
    [
      'no verbs',
      role('r', [{ ...good, verbs: [] }], 'n'),
      ['rules[0].verbs: Required value: verbs must contain at least one value'],
    ],
    [
      'no groups and no resources',
      role('r', [good, { verbs: ['get'] }]),
      [
        'rules[1].apiGroups: Required value: resource rules must supply at least one api group',
        'rules[1].resources: Required value: resource rules must supply at least one resource',
      ],
    ],
    [
      'paths in a namespace',
      role('r', [{ verbs: ['get'], nonResourceURLs: ['/a', '/b'] }], 'n'),
      [
        'rules[0].nonResourceURLs: Invalid value: []string{"/a", "/b"}: namespaced rules cannot apply to non-resource URLs',
      ],
    ],
    [
      'paths and resources together',
      role('r', [{ ...good, nonResourceURLs: ['/a'] }]),
      [
        'rules[0].nonResourceURLs: Invalid value: []string{"/a"}: rules cannot apply to both regular resources and non-resource URLs',
      ],
    ],
    [
      'an aggregation of nothing',
      having(role('r', []), { aggregationRule: {} }),
      [
        'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
      ],
    ],
    [
      'a binding without a group in its subject',
      binding('b', [{ kind: 'User', name: 'u' }], 'ClusterRole/r'),
      [],
    ],
    [
      'a cluster-wide binding of a role',
      binding('b', [user('u')], 'Role/r'),
      ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
    ],
    [
      'a service account of nowhere',
      binding('b', [{ kind: 'ServiceAccount', name: 's' }], 'ClusterRole/r'),
      ['subjects[0].namespace: Required value'],
    ],
    [
      'a service account of the namespace',
      binding('b', [{ kind: 'ServiceAccount', name: 's' }], 'Role/r', 'n'),
      [],
    ],
    [
      'a nameless user of a foreign group',
      binding('b', [{ kind: 'User', name: '', apiGroup: 'x' }], 'Role/r', 'n'),
      [
        'subjects[0].name: Required value',
        `subjects[0].apiGroup: Unsupported value: "x": supported values: "${RBAC}"`,
      ],
    ],
  ];
  for (const [name, object, texts] of cases) it(name, () => assert.equal(errorsOf(object), texts));
});
