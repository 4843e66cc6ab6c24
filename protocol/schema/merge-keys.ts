/** How a field merges: in strategic merge patches (`patch...`) and in server-side apply (`list...`). */
export interface FieldMerge {
  /** Strategic merge matches list items by this field. */
  readonly patchKey?: string;
  /** Strategic merge of a list of scalars unites it instead of replacing it. */
  readonly patchSet?: true;
  /** `$retainKeys` names the keys to keep of a union. */
  readonly retainKeys?: true;
  /** Strategic merge replaces the field whole although it is an object. */
  readonly replace?: true;
  /** Server-side apply's view of a list; absent = atomic. */
  readonly listType?: 'map' | 'set';
  readonly listKeys?: readonly string[];
  /** Server-side apply treats the map or struct as one value. */
  readonly atomic?: true;
}

const by = (key: string, ...more: string[]): FieldMerge => ({
  patchKey: key,
  listType: 'map',
  listKeys: [key, ...more],
});
const unionBy = (key: string): FieldMerge => ({ ...by(key), retainKeys: true });
const set: FieldMerge = { patchSet: true, listType: 'set' };
const atomicMap: FieldMerge = { atomic: true };

const CONTAINER = {
  ports: by('containerPort', 'protocol'),
  env: by('name'),
  volumeMounts: by('mountPath'),
  volumeDevices: by('devicePath'),
};
const CONDITIONS = { conditions: by('type') };

/** Every field of the Kubernetes API whose lists or maps do not merge in the plain way, by struct. */
const MERGES: Readonly<Record<string, Readonly<Record<string, FieldMerge>>>> = {
  'core/v1.PodSpec': {
    volumes: unionBy('name'),
    initContainers: by('name'),
    containers: by('name'),
    ephemeralContainers: by('name'),
    imagePullSecrets: by('name'),
    hostAliases: by('ip'),
    topologySpreadConstraints: by('topologyKey', 'whenUnsatisfiable'),
    schedulingGates: by('name'),
    resourceClaims: unionBy('name'),
    nodeSelector: atomicMap,
  },
  'core/v1.Container': CONTAINER,
  'core/v1.EphemeralContainerCommon': CONTAINER,
  'core/v1.ResourceRequirements': { claims: { listType: 'map', listKeys: ['name'] } },
  'core/v1.PodStatus': {
    ...CONDITIONS,
    podIPs: by('ip'),
    hostIPs: { patchKey: 'ip' },
    resourceClaimStatuses: unionBy('name'),
  },
  'core/v1.ContainerStatus': {
    volumeMounts: by('mountPath'),
    allocatedResourcesStatus: by('name'),
  },
  'core/v1.ServiceSpec': { ports: by('port', 'protocol'), selector: atomicMap },
  'core/v1.ServiceStatus': CONDITIONS,
  'core/v1.ServiceAccount': { secrets: by('name') },
  'core/v1.NodeSpec': { podCIDRs: set },
  'core/v1.NodeStatus': { ...CONDITIONS, addresses: by('type') },
  'core/v1.NamespaceStatus': CONDITIONS,
  'core/v1.ComponentStatus': CONDITIONS,
  'core/v1.PersistentVolumeClaimStatus': CONDITIONS,
  'core/v1.ReplicationControllerSpec': { selector: atomicMap },
  'core/v1.ReplicationControllerStatus': CONDITIONS,
  'admissionregistration/v1.MutatingWebhook': { matchConditions: by('name') },
  'admissionregistration/v1.MutatingWebhookConfiguration': { webhooks: by('name') },
  'admissionregistration/v1.ValidatingWebhook': { matchConditions: by('name') },
  'admissionregistration/v1.ValidatingWebhookConfiguration': { webhooks: by('name') },
  'meta/v1.ObjectMeta': { finalizers: set, ownerReferences: by('uid') },
  'apps/v1.DeploymentSpec': { strategy: { retainKeys: true } },
  'apps/v1.DeploymentStatus': CONDITIONS,
  'apps/v1.ReplicaSetStatus': CONDITIONS,
  'apps/v1.StatefulSetStatus': CONDITIONS,
  'apps/v1.DaemonSetStatus': CONDITIONS,
  'batch/v1.JobStatus': { conditions: { patchKey: 'type' } },
  'autoscaling/v2.HorizontalPodAutoscalerStatus': CONDITIONS,
  'policy/v1.PodDisruptionBudgetSpec': { selector: { replace: true } },
  'policy/v1.PodDisruptionBudgetStatus': CONDITIONS,
  'storage/v1.CSINodeSpec': { drivers: by('name') },
  'discovery/v1.Endpoint': { addresses: { listType: 'set' } },
};

/** Structs that server-side apply treats as one value wherever they occur. */
const ATOMIC_STRUCTS: ReadonlySet<string> = new Set([
  'meta/v1.LabelSelector',
  'meta/v1.OwnerReference',
  'core/v1.ObjectReference',
  'core/v1.LocalObjectReference',
  'core/v1.TypedLocalObjectReference',
  'core/v1.SecretReference',
  'core/v1.ConfigMapKeySelector',
  'core/v1.SecretKeySelector',
  'core/v1.ObjectFieldSelector',
  'core/v1.ResourceFieldSelector',
  'core/v1.NodeSelector',
  'core/v1.NodeSelectorTerm',
  'core/v1.ScopeSelector',
  'core/v1.ScopedResourceSelectorRequirement',
  'core/v1.TopologySelectorTerm',
  'networking/v1.ServiceBackendPort',
  'rbac/v1.RoleRef',
  'rbac/v1.Subject',
]);

/** How a field of a struct merges; undefined when scalars are replaced, objects merged and lists replaced whole. */
export function mergeOf(struct: string, field: string): FieldMerge | undefined {
  const fields = MERGES[struct];
  return fields !== undefined && Object.hasOwn(fields, field) ? fields[field] : undefined;
}

/** True when server-side apply owns the struct only as a whole. */
export function isAtomicStruct(struct: string): boolean {
  return ATOMIC_STRUCTS.has(struct);
}
