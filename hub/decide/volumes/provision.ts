import type { Node } from '../../../protocol/kinds/node.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../../protocol/kinds/storage.ts';
import type { NewObject } from '../../cluster.ts';
import {
  BOUND_BY_CONTROLLER,
  DATA_PROTECTION,
  HOSTNAME,
  LOCAL_PROVISIONER,
  PROVISIONED_BY,
} from './words.ts';

/** Annotation of a Node: where its agent keeps its files. */
export const DATA_DIR = 'coxswain.dev/data-dir';
const DEFAULT_DATA_DIR = '/var/lib/coxswain';

/** Modes that a folder of one device can give. */
const MODES = ['ReadWriteOnce', 'ReadWriteOncePod'];

/** Why a claim cannot have a folder on a device; undefined when it can. */
export function whyNotProvisioned(claim: PersistentVolumeClaim): string | undefined {
  if (claim.spec.volumeMode === 'Block') return 'block volumes are not supported';
  if (claim.spec.selector !== undefined) return 'claim Selector is not supported';
  const other = (claim.spec.accessModes ?? []).find((mode) => !MODES.includes(mode));
  return other === undefined ? undefined : `only ${MODES.join(' and ')} are supported, not ${other}`;
}

/** Name of the volume that is made for a claim: the same however often it is asked for. */
export function provisionedName(claim: PersistentVolumeClaim): string {
  return `pvc-${claim.metadata.uid}`;
}

/** The volume of a claim: a folder of its own on the node, bound to the claim from the start. */
export function provisionedVolume(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  node: Node,
): NewObject<PersistentVolume> {
  const name = provisionedName(claim);
  const { annotations = {}, labels = {} } = node.metadata;
  const { namespace = '', uid, resourceVersion } = claim.metadata;
  const policy = storageClass.reclaimPolicy ?? 'Delete';
  const request = claim.spec.resources?.requests?.['storage'];
  return {
    metadata: {
      name,
      annotations: { [PROVISIONED_BY]: LOCAL_PROVISIONER, [BOUND_BY_CONTROLLER]: 'yes' },
      finalizers: [DATA_PROTECTION],
    },
    spec: {
      accessModes: [...(claim.spec.accessModes ?? [])],
      ...(request === undefined ? {} : { capacity: { storage: request } }),
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        name: claim.metadata.name,
        namespace,
        uid,
        resourceVersion,
      },
      local: { path: `${annotations[DATA_DIR] ?? DEFAULT_DATA_DIR}/volumes/${name}` },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: HOSTNAME, operator: 'In', values: [labels[HOSTNAME] ?? node.metadata.name] },
              ],
            },
          ],
        },
      },
      persistentVolumeReclaimPolicy: policy,
      storageClassName: storageClass.metadata.name,
      volumeMode: 'Filesystem',
    },
  };
}
