import type { CertificateSigningRequest } from './certificate.ts';
import type { ConfigMap, Event, Lease, Namespace, Secret, ServiceAccount } from './core.ts';
import type { Node } from './node.ts';
import type { Pod } from './pod.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from './rbac.ts';
import type { Deployment, ReplicaSet } from './workloads.ts';

/** Kind name to object type, for every kind that a loop of the hub reads or writes by name. */
export interface KindMap {
  Namespace: Namespace;
  Node: Node;
  Pod: Pod;
  ConfigMap: ConfigMap;
  Secret: Secret;
  ServiceAccount: ServiceAccount;
  Event: Event;
  Lease: Lease;
  Deployment: Deployment;
  ReplicaSet: ReplicaSet;
  Role: Role;
  RoleBinding: RoleBinding;
  ClusterRole: ClusterRole;
  ClusterRoleBinding: ClusterRoleBinding;
  CertificateSigningRequest: CertificateSigningRequest;
}

/** The name of a served kind. */
export type KindName = keyof KindMap;
