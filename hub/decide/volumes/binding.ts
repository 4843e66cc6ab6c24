import type { PersistentVolume, PersistentVolumeClaim } from '../../../protocol/kinds/storage.ts';
import { isForClaim } from './match.ts';
import { BIND_COMPLETED, BOUND_BY_CONTROLLER } from './words.ts';

/**
 * Makes a draft of a volume say that it belongs to the claim. False when it says so already, or belongs to another; then it is
 * untouched.
 */
export function claimVolume(draft: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { claimRef } = draft.spec;
  const { name, namespace = '', uid, resourceVersion } = claim.metadata;
  if (claimRef !== undefined && (!isForClaim(draft, claim) || claimRef.uid)) return false;
  if (claimRef === undefined)
    draft.metadata.annotations = { ...draft.metadata.annotations, [BOUND_BY_CONTROLLER]: 'yes' };
  draft.spec.claimRef = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    name,
    namespace,
    uid,
    resourceVersion,
  };
  return true;
}

/** Makes a draft of a claim say which volume it has. False when it says so already; then it is untouched. */
export function nameVolume(draft: PersistentVolumeClaim, volume: PersistentVolume): boolean {
  const { name } = volume.metadata;
  const annotations = { ...draft.metadata.annotations };
  if (draft.spec.volumeName === name && annotations[BIND_COMPLETED] !== undefined) return false;
  if (draft.spec.volumeName && draft.spec.volumeName !== name) return false;
  if (!draft.spec.volumeName) annotations[BOUND_BY_CONTROLLER] = 'yes';
  annotations[BIND_COMPLETED] = 'yes';
  draft.metadata.annotations = annotations;
  draft.spec.volumeName = name;
  return true;
}

/** Status of a claim that has this volume. */
export function boundStatus(volume: PersistentVolume): NonNullable<PersistentVolumeClaim['status']> {
  const { accessModes, capacity } = volume.spec;
  return {
    phase: 'Bound',
    ...(accessModes === undefined ? {} : { accessModes: [...accessModes] }),
    ...(capacity === undefined ? {} : { capacity: { ...capacity } }),
  };
}

/** Makes a draft of a volume free again: what the binder wrote goes, what a person wrote stays. */
export function unclaimVolume(draft: PersistentVolume): void {
  const { [BOUND_BY_CONTROLLER]: byController, ...annotations } = draft.metadata.annotations ?? {};
  if (byController !== undefined) {
    draft.metadata.annotations = annotations;
    delete draft.spec.claimRef;
  } else if (draft.spec.claimRef !== undefined) {
    delete draft.spec.claimRef.uid;
    delete draft.spec.claimRef.resourceVersion;
  }
}
