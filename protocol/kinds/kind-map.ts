import type { CustomResourceDefinition } from '../crd/types.ts';
import type { HorizontalPodAutoscaler } from './autoscaling.ts';
import type { CronJob, Job } from './batch.ts';
import type { CertificateSigningRequest } from './certificate.ts';
import type { ConfigMap, Event, Lease, Namespace, Secret, ServiceAccount } from './core.ts';
import type { EndpointSlice, Endpoints, Ingress, IngressClass, NetworkPolicy, Service } from './network.ts';
import type { Node } from './node.ts';
import type { Pod } from './pod.ts';
import type { LimitRange, PodDisruptionBudget, PriorityClass, ResourceQuota } from './policy.ts';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from './rbac.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from './storage.ts';
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from './webhooks.ts';
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  PodTemplate,
  ReplicaSet,
  ReplicationController,
  StatefulSet,
} from './workloads.ts';

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
  DaemonSet: DaemonSet;
  StatefulSet: StatefulSet;
  ControllerRevision: ControllerRevision;
  PodTemplate: PodTemplate;
  ReplicationController: ReplicationController;
  Job: Job;
  CronJob: CronJob;
  HorizontalPodAutoscaler: HorizontalPodAutoscaler;
  PodDisruptionBudget: PodDisruptionBudget;
  PriorityClass: PriorityClass;
  ResourceQuota: ResourceQuota;
  LimitRange: LimitRange;
  Service: Service;
  Endpoints: Endpoints;
  EndpointSlice: EndpointSlice;
  Ingress: Ingress;
  IngressClass: IngressClass;
  NetworkPolicy: NetworkPolicy;
  PersistentVolume: PersistentVolume;
  PersistentVolumeClaim: PersistentVolumeClaim;
  StorageClass: StorageClass;
  CustomResourceDefinition: CustomResourceDefinition;
  ValidatingWebhookConfiguration: ValidatingWebhookConfiguration;
  MutatingWebhookConfiguration: MutatingWebhookConfiguration;
  Role: Role;
  RoleBinding: RoleBinding;
  ClusterRole: ClusterRole;
  ClusterRoleBinding: ClusterRoleBinding;
  CertificateSigningRequest: CertificateSigningRequest;
}

/** The name of a served kind. */
export type KindName = keyof KindMap;
