import type { KubeObject, ObjectMeta } from '../../protocol/kinds/meta.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../protocol/kinds/rbac.ts';

const API = 'rbac.authorization.k8s.io/v1';
const GROUP = 'rbac.authorization.k8s.io';

function meta(name: string, namespace: string | undefined): ObjectMeta {
  const where = namespace === undefined ? {} : { namespace };
  return { name, uid: `${namespace ?? ''}/${name}`, resourceVersion: '1', creationTimestamp: '', ...where };
}

/** A role; cluster-wide without a namespace. */
export function role(name: string, rules: PolicyRule[], namespace?: string): Role | ClusterRole {
  const kind = namespace === undefined ? 'ClusterRole' : 'Role';
  return { apiVersion: API, kind, metadata: meta(name, namespace), rules };
}

/** A binding of `kind/name` of a role; cluster-wide without a namespace. */
export function binding(
  name: string,
  to: readonly Subject[],
  roleName: string,
  namespace?: string,
): RoleBinding | ClusterRoleBinding {
  const [kind, plain = ''] = roleName.split('/');
  return {
    apiVersion: API,
    kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: meta(name, namespace),
    roleRef: { apiGroup: GROUP, kind: kind === 'Role' ? 'Role' : 'ClusterRole', name: plain },
    subjects: [...to],
  };
}

export const user = (name: string): Subject => ({ kind: 'User', apiGroup: GROUP, name });
export const group = (name: string): Subject => ({ kind: 'Group', apiGroup: GROUP, name });
export const account = (name: string, namespace?: string): Subject => ({
  kind: 'ServiceAccount',
  name,
  ...(namespace === undefined ? {} : { namespace }),
});

/** The object with other or more fields, whatever its type says. */
export const having = (object: KubeObject, more: object): KubeObject => ({ ...object, ...more });
