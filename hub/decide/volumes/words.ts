import type { PersistentVolume, PersistentVolumeClaim } from '../../../protocol/kinds/storage.ts';

/** Provisioner of volumes that are folders on the device of their first pod. */
export const LOCAL_PROVISIONER = 'coxswain.dev/local-path';
/** Provisioner of classes whose volumes people make by hand. */
export const NO_PROVISIONER = 'kubernetes.io/no-provisioner';
/** Name of the class every cluster starts with. */
export const LOCAL_CLASS = 'local-path';

export const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
export const STORAGE_PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
export const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';

/** Keeps a claim while a pod uses it. */
export const CLAIM_PROTECTION = 'kubernetes.io/pvc-protection';
/** Keeps a volume while it is bound. */
export const VOLUME_PROTECTION = 'kubernetes.io/pv-protection';
/** Keeps a volume until its device has confirmed that its data is gone. */
export const DATA_PROTECTION = 'coxswain.dev/data-on-device';

/** Label of a node that volumes of the node are tied to. */
export const HOSTNAME = 'kubernetes.io/hostname';

/** Class of a claim or volume; undefined when none was ever said, empty when none is wanted. */
export function classNameOf(object: PersistentVolume | PersistentVolumeClaim): string | undefined {
  return object.metadata.annotations?.[BETA_CLASS] ?? object.spec.storageClassName;
}

/** True for a volume made by the hub's own provisioner: its data is a folder the agent keeps. */
export function isOurs(volume: PersistentVolume): boolean {
  return volume.metadata.annotations?.[PROVISIONED_BY] === LOCAL_PROVISIONER;
}

/** The node a volume is tied to by name; undefined when it can be had elsewhere too. */
export function nodeOfVolume(volume: PersistentVolume): string | undefined {
  const terms = volume.spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  const [term] = terms;
  const names = term?.matchExpressions?.find((e) => e.key === HOSTNAME && e.operator === 'In')?.values ?? [];
  return terms.length === 1 && names.length === 1 ? names[0] : undefined;
}
