/** Shapes shared by every Kubernetes object: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/ */

/** RFC 3339 time in UTC with seconds, as `metadata.creationTimestamp` is written: `2006-01-02T15:04:05Z`. */
export type Time = string;
/** RFC 3339 time in UTC with six decimals, as leases and events write it. */
export type MicroTime = string;
/** A resource amount as the user wrote it: `100m`, `128Mi`, `2`. Read it with `parseQuantity`. */
export type Quantity = string;
/** A port or amount given as a number, a name or a percentage. */
export type IntOrString = number | string;

/** Ties an object to the one that made it; garbage collection follows `uid`, never the name. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** One manager's set of fields, as server-side apply keeps it. */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: 'Apply' | 'Update';
  apiVersion?: string;
  time?: Time;
  fieldsType?: string;
  fieldsV1?: Record<string, unknown>;
  subresource?: string;
}

/** Metadata as stored: the server has set `name`, `uid`, `resourceVersion` and `creationTimestamp`. */
export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: Time;
  deletionTimestamp?: Time;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

/** Any object the hub stores. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** A condition of `status.conditions`; unique by `type`. */
export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: Time;
  lastUpdateTime?: Time;
  lastHeartbeatTime?: Time;
  lastProbeTime?: Time;
  observedGeneration?: number;
}

/** One `matchExpressions` entry of a label selector. */
export interface LabelSelectorRequirement {
  key: string;
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  values?: string[];
}

/** Selects objects by label; both parts must hold; an empty selector matches everything. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: LabelSelectorRequirement[];
}

/** Points at another object. */
export interface ObjectReference {
  apiVersion?: string;
  kind?: string;
  name?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  fieldPath?: string;
}
