import { certificateSigningRequestKind } from './certificate-kind.ts';
import { configMapKind, namespaceKind, secretKind, serviceAccountKind } from './core-kinds.ts';
import { eventKind } from './event-kind.ts';
import type { KindSpec } from './kind.ts';
import { leaseKind } from './lease-kind.ts';
import { nodeKind } from './node-kind.ts';
import { podKind } from './pod-kind.ts';
import { clusterRoleBindingKind, clusterRoleKind, roleBindingKind, roleKind } from './rbac-kinds.ts';
import { deploymentKind, replicaSetKind } from './workload-kinds.ts';

/**
 * Every kind the hub serves. Where two groups share a plural, the earlier one wins for clients that name no group;
 * discovery lists groups in this order, core first.
 */
export const kinds: readonly KindSpec[] = [
  configMapKind,
  eventKind,
  namespaceKind,
  nodeKind,
  podKind,
  secretKind,
  serviceAccountKind,
  deploymentKind,
  replicaSetKind,
  leaseKind,
  roleKind,
  roleBindingKind,
  clusterRoleKind,
  clusterRoleBindingKind,
  certificateSigningRequestKind,
];
