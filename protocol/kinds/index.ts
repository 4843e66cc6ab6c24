import { certificateSigningRequestKind } from './certificate-kind.ts';
import { controllerRevisionKind } from './controller-revision-kind.ts';
import { configMapKind, namespaceKind, secretKind, serviceAccountKind } from './core-kinds.ts';
import { cronJobKind } from './cron-job-kind.ts';
import { customResourceDefinitionKind } from './custom-resource-definition-kind.ts';
import { daemonSetKind } from './daemon-set-kind.ts';
import { endpointSliceKind } from './endpoint-slice-kind.ts';
import { endpointsKind } from './endpoints-kind.ts';
import { eventKind } from './event-kind.ts';
import { eventsEventKind } from './events-event-kind.ts';
import { horizontalPodAutoscalerKind } from './horizontal-pod-autoscaler-kind.ts';
import { horizontalPodAutoscalerV1Kind } from './horizontal-pod-autoscaler-v1-kind.ts';
import { ingressClassKind } from './ingress-class-kind.ts';
import { ingressKind } from './ingress-kind.ts';
import { jobKind } from './job-kind.ts';
import type { KindSpec } from './kind.ts';
import { leaseKind } from './lease-kind.ts';
import { limitRangeKind } from './limit-range-kind.ts';
import { networkPolicyKind } from './network-policy-kind.ts';
import { nodeKind } from './node-kind.ts';
import { persistentVolumeClaimKind } from './persistent-volume-claim-kind.ts';
import { persistentVolumeKind } from './persistent-volume-kind.ts';
import { podDisruptionBudgetKind } from './pod-disruption-budget-kind.ts';
import { podKind } from './pod-kind.ts';
import { podTemplateKind } from './pod-template-kind.ts';
import { priorityClassKind } from './priority-class-kind.ts';
import { clusterRoleBindingKind, clusterRoleKind, roleBindingKind, roleKind } from './rbac-kinds.ts';
import { replicationControllerKind } from './replication-controller-kind.ts';
import { resourceQuotaKind } from './resource-quota-kind.ts';
import { serviceKind } from './service-kind.ts';
import { statefulSetKind } from './stateful-set-kind.ts';
import { storageClassKind } from './storage-class-kind.ts';
import { mutatingWebhookConfigurationKind, validatingWebhookConfigurationKind } from './webhook-kinds.ts';
import { deploymentKind, replicaSetKind } from './workload-kinds.ts';

/**
 * Every kind the hub serves. Where two groups share a plural, the earlier one wins for clients that name no group;
 * discovery lists groups in this order, core first, and of a group's versions the first is preferred.
 */
export const kinds: readonly KindSpec[] = [
  configMapKind,
  endpointsKind,
  eventKind,
  limitRangeKind,
  namespaceKind,
  nodeKind,
  persistentVolumeClaimKind,
  persistentVolumeKind,
  podKind,
  podTemplateKind,
  replicationControllerKind,
  resourceQuotaKind,
  secretKind,
  serviceAccountKind,
  serviceKind,
  controllerRevisionKind,
  daemonSetKind,
  deploymentKind,
  replicaSetKind,
  statefulSetKind,
  eventsEventKind,
  horizontalPodAutoscalerKind,
  horizontalPodAutoscalerV1Kind,
  cronJobKind,
  jobKind,
  networkPolicyKind,
  ingressKind,
  ingressClassKind,
  podDisruptionBudgetKind,
  storageClassKind,
  validatingWebhookConfigurationKind,
  mutatingWebhookConfigurationKind,
  customResourceDefinitionKind,
  priorityClassKind,
  leaseKind,
  endpointSliceKind,
  roleKind,
  roleBindingKind,
  clusterRoleKind,
  clusterRoleBindingKind,
  certificateSigningRequestKind,
];
