import { ageColumn, nameColumn, text, wide } from '../print/cells.ts';
import {
  pathNameErrors,
  validateBinding,
  validateBindingUpdate,
  validateClusterRole,
  validateRole,
} from '../validate/rbac.ts';
import { defineKind } from './define-kind.ts';
import type { Column } from './kind.ts';
import type { Loose } from './loose.ts';
import type { KubeObject } from './meta.ts';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  RBAC_GROUP,
  type Role,
  type RoleBinding,
  type Subject,
} from './rbac.ts';

/** Kubernetes prints the moment here, not the age. */
const createdColumn = <T extends KubeObject>(): Column<T> => ({
  name: 'Created At',
  type: 'date',
  format: '',
  description: 'When the object was created.',
  priority: 0,
  cell: (object) => object.metadata.creationTimestamp,
});

type AnyBinding = Loose<Pick<RoleBinding, 'subjects' | 'roleRef'>>;

function subjectsText(binding: AnyBinding, kind: Subject['kind']): string {
  const subjects = (binding.subjects ?? []).filter((subject) => subject.kind === kind);
  return subjects
    .map(({ name = '', namespace = '' }) => (kind === 'ServiceAccount' ? `${namespace}/${name}` : name))
    .join(', ');
}

const bindingColumns = <T extends RoleBinding | ClusterRoleBinding>(): Column<T>[] => {
  const of = (object: unknown): AnyBinding => object as AnyBinding;
  return [
    nameColumn(),
    text('Role', 'The role that is granted.', (object) => {
      const { kind, name = '' } = of(object).roleRef ?? {};
      return `${kind ?? ''}/${name}`;
    }),
    ageColumn(),
    wide('Users', 'Users it is granted to.', (object) => subjectsText(of(object), 'User')),
    wide('Groups', 'Groups it is granted to.', (object) => subjectsText(of(object), 'Group')),
    wide('ServiceAccounts', 'Service accounts it is granted to.', (object) =>
      subjectsText(of(object), 'ServiceAccount'),
    ),
  ];
};

function defaultBinding(binding: AnyBinding): void {
  if (binding.roleRef !== undefined) binding.roleRef.apiGroup ||= RBAC_GROUP;
  for (const subject of binding.subjects ?? [])
    if (subject.kind === 'User' || subject.kind === 'Group') subject.apiGroup ||= RBAC_GROUP;
}

const shared = { group: RBAC_GROUP } as const;

/** rbac.authorization.k8s.io/v1 Role. */
export const roleKind = defineKind<Role>(
  { ...shared, kind: 'Role', plural: 'roles', columns: [nameColumn(), createdColumn()] },
  { nameRule: pathNameErrors, validate: validateRole },
);

/** rbac.authorization.k8s.io/v1 ClusterRole. */
export const clusterRoleKind = defineKind<ClusterRole>(
  {
    ...shared,
    kind: 'ClusterRole',
    plural: 'clusterroles',
    namespaced: false,
    columns: [nameColumn(), createdColumn()],
  },
  { nameRule: pathNameErrors, validate: validateClusterRole },
);

/** rbac.authorization.k8s.io/v1 RoleBinding. */
export const roleBindingKind = defineKind<RoleBinding>(
  { ...shared, kind: 'RoleBinding', plural: 'rolebindings', columns: bindingColumns() },
  {
    nameRule: pathNameErrors,
    setDefaults: defaultBinding,
    validate: (binding) => validateBinding(binding, ['Role', 'ClusterRole'], true),
    validateUpdate: validateBindingUpdate,
  },
);

/** rbac.authorization.k8s.io/v1 ClusterRoleBinding. */
export const clusterRoleBindingKind = defineKind<ClusterRoleBinding>(
  {
    ...shared,
    kind: 'ClusterRoleBinding',
    plural: 'clusterrolebindings',
    namespaced: false,
    columns: bindingColumns(),
  },
  {
    nameRule: pathNameErrors,
    setDefaults: defaultBinding,
    validate: (binding) => validateBinding(binding, ['ClusterRole'], false),
    validateUpdate: validateBindingUpdate,
  },
);
