import type { KubeObject, LabelSelector } from './meta.ts';

/** API group of roles and bindings. */
export const RBAC_GROUP = 'rbac.authorization.k8s.io';

/** What one rule allows: verbs on resources of API groups, or on paths that are no resources. `*` stands for all. */
export interface PolicyRule {
  verbs: string[];
  apiGroups?: string[];
  /** Plurals, `pods/log` for a subresource, and `*` + `/scale` for a subresource of all. */
  resources?: string[];
  /** Empty allows every name. */
  resourceNames?: string[];
  /** Paths; a `*` at the end stands for every continuation. */
  nonResourceURLs?: string[];
}

/** Rights within one namespace. */
export interface Role extends KubeObject {
  kind: 'Role';
  rules?: PolicyRule[] | null;
}

/** Rights that are granted in all namespaces, or by a RoleBinding in one. */
export interface ClusterRole extends KubeObject {
  kind: 'ClusterRole';
  rules?: PolicyRule[] | null;
  /** The rules are then those of all ClusterRoles that one of the selectors matches; the hub writes them. */
  aggregationRule?: { clusterRoleSelectors?: LabelSelector[] };
}

/** The role that a binding grants; never changes. */
export interface RoleRef {
  apiGroup: string;
  kind: 'Role' | 'ClusterRole';
  name: string;
}

/** Whom a binding grants it. */
export interface Subject {
  kind: 'User' | 'Group' | 'ServiceAccount';
  apiGroup?: string;
  name: string;
  /** Of a service account. */
  namespace?: string;
}

/** Grants a role within one namespace. */
export interface RoleBinding extends KubeObject {
  kind: 'RoleBinding';
  subjects?: Subject[] | null;
  roleRef: RoleRef;
}

/** Grants a ClusterRole everywhere. */
export interface ClusterRoleBinding extends KubeObject {
  kind: 'ClusterRoleBinding';
  subjects?: Subject[] | null;
  roleRef: RoleRef;
}
