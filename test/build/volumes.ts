import type { Node } from '../../protocol/kinds/node.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../protocol/kinds/storage.ts';

const meta = (
  name: string,
): { name: string; uid: string; resourceVersion: string; creationTimestamp: string } => ({
  name,
  uid: `uid-${name}`,
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
});

/** A claim of 1Gi of class `local-path`, not bound; parts of its spec and metadata replaced at will. */
export function claim(
  spec: Partial<PersistentVolumeClaim['spec']> = {},
  metadata: Partial<PersistentVolumeClaim['metadata']> = {},
): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { ...meta('data'), namespace: 'default', ...metadata },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
      storageClassName: 'local-path',
      volumeMode: 'Filesystem',
      ...spec,
    },
    status: { phase: 'Pending' },
  };
}

/** A free hand-made volume of 2Gi without class. */
export function volume(
  name: string,
  spec: Partial<PersistentVolume['spec']> = {},
  phase = 'Available',
  metadata: Partial<PersistentVolume['metadata']> = {},
): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { ...meta(name), ...metadata },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '2Gi' },
      persistentVolumeReclaimPolicy: 'Retain',
      volumeMode: 'Filesystem',
      hostPath: { path: '/srv' },
      ...spec,
    },
    status: { phase },
  };
}

/** A class that waits for the first pod. */
export function storageClass(name: string, parts: Partial<StorageClass> = {}): StorageClass {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: meta(name),
    provisioner: 'coxswain.dev/local-path',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...parts,
  };
}

/** A node that says no more than its name. */
export function plainNode(name: string, annotations: Record<string, string> = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { ...meta(name), labels: { 'kubernetes.io/hostname': name }, annotations },
    spec: {},
  };
}

/** Node affinity to one node by its host name. */
export const only = (node: string): NonNullable<PersistentVolume['spec']['nodeAffinity']> => ({
  required: {
    nodeSelectorTerms: [
      { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
    ],
  },
});

/** The reference by which a volume belongs to the claim. */
export const refTo = ({
  metadata,
}: PersistentVolumeClaim): NonNullable<PersistentVolume['spec']['claimRef']> => ({
  kind: 'PersistentVolumeClaim',
  namespace: metadata.namespace ?? '',
  name: metadata.name,
  uid: metadata.uid,
});
