import * as assert from 'uvu/assert';
import { RbacIndex } from '../../../../hub/access/rbac-index.ts';
import { checkBinding, checkRole, type Rights } from '../../../../hub/access/role-writes.ts';
import type { Asker } from '../../../../hub/decide/authorize.ts';
import { FULL_AUTHORITY } from '../../../../hub/decide/escalation.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import type { PolicyRule } from '../../../../protocol/kinds/rbac.ts';
import { ApiError } from '../../../../protocol/status.ts';
import { binding, having, role, user } from '../../../build/rbac.ts';
import { spec } from '../../../spec.ts';

const asker: Asker = { name: 'u', groups: [] };
const pods: PolicyRule = { verbs: ['get'], apiGroups: [''], resources: ['pods'] };
const nodes: PolicyRule = { verbs: ['get'], apiGroups: [''], resources: ['nodes'] };
const may = (verb: string, resource: string, ...resourceNames: string[]): PolicyRule => ({
  verbs: [verb],
  apiGroups: ['rbac.authorization.k8s.io'],
  resources: [resource],
  resourceNames,
});

function rights(held: PolicyRule[]): Rights {
  const index = new RbacIndex();
  for (const object of [
    role('held', held),
    role('nodes', [nodes]),
    binding('b', [user('u')], 'ClusterRole/held'),
  ])
    index.apply(object, undefined);
  return {
    may: (who, ask) => index.allows(who, ask),
    rulesFor: (who, namespace) => index.rulesFor(who, namespace),
    rulesOf: (ref, namespace) => index.rulesOf(ref, namespace),
  };
}

/** The reason of the refusal; undefined when there is none. */
function refusal(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    assert.instance(error, ApiError);
    return (error as ApiError).reason;
  }
}

const aggregating = (rules: PolicyRule[]): KubeObject =>
  having(role('x', rules), { aggregationRule: { clusterRoleSelectors: [{}] } });

spec('writing roles', (it) => {
  const cases: [string, PolicyRule[], KubeObject, KubeObject | undefined, string | undefined][] = [
    ['rights one has', [pods], role('x', [pods]), undefined, undefined],
    ['rights one lacks', [pods], role('x', [pods, nodes]), undefined, 'Forbidden'],
    ['by the verb escalate', [may('escalate', 'clusterroles')], role('x', [nodes]), undefined, undefined],
    [
      'escalate for another role',
      [may('escalate', 'clusterroles', 'y')],
      role('x', [nodes]),
      role('x', []),
      'Forbidden',
    ],
    [
      'escalate for this role',
      [may('escalate', 'clusterroles', 'x')],
      role('x', [nodes]),
      role('x', []),
      undefined,
    ],
    [
      'escalate for roles is not for cluster roles',
      [may('escalate', 'roles')],
      role('x', [nodes]),
      undefined,
      'Forbidden',
    ],
    ['an aggregation needs everything', [pods], aggregating([]), undefined, 'Forbidden'],
    ['and may then be made', [...FULL_AUTHORITY], aggregating([]), undefined, undefined],
    ['taking an aggregation away needs it too', [pods], role('x', []), aggregating([]), 'Forbidden'],
    [
      'a finalizer is nobody’s right',
      [],
      { ...role('x', [nodes]), metadata: { ...role('x', []).metadata, finalizers: ['a.b/c'] } },
      role('x', [nodes]),
      undefined,
    ],
    ['nonsense is for validation', [], having(role('x', []), { rules: [{}] }), undefined, undefined],
  ];
  for (const [name, held, object, previous, reason] of cases)
    it(name, () =>
      assert.is(
        refusal(() => checkRole(rights(held), asker, object, previous)),
        reason,
      ),
    );
});

spec('writing bindings', (it) => {
  const cases: [string, PolicyRule[], KubeObject, string | undefined][] = [
    ['to rights one has', [nodes], binding('x', [], 'ClusterRole/nodes'), undefined],
    ['to rights one lacks', [pods], binding('x', [], 'ClusterRole/nodes'), 'Forbidden'],
    [
      'by the verb bind',
      [may('bind', 'clusterroles', 'nodes')],
      binding('x', [], 'ClusterRole/nodes'),
      undefined,
    ],
    [
      'bind of another role',
      [may('bind', 'clusterroles', 'held')],
      binding('x', [], 'ClusterRole/nodes'),
      'Forbidden',
    ],
    ['to a role that is not there', [pods], binding('x', [], 'ClusterRole/none'), 'NotFound'],
    [
      'to nothing is for validation',
      [],
      having(binding('x', [], 'ClusterRole/nodes'), { roleRef: {} }),
      undefined,
    ],
  ];
  for (const [name, held, object, reason] of cases)
    it(name, () =>
      assert.is(
        refusal(() => checkBinding(rights(held), asker, object)),
        reason,
      ),
    );
});
