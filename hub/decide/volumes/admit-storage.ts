import type { KubeObject } from '../../../protocol/kinds/meta.ts';
import type { PersistentVolumeClaim, StorageClass } from '../../../protocol/kinds/storage.ts';
import { CLAIM_PROTECTION, classNameOf, DEFAULT_CLASS, VOLUME_PROTECTION } from './words.ts';

const BETA_DEFAULT = 'storageclass.beta.kubernetes.io/is-default-class';

/** The class of claims that name none: of several default ones the newest, then the first by name. Pure. */
export function defaultClassOf(classes: readonly StorageClass[]): StorageClass | undefined {
  return classes
    .filter(
      ({ metadata: { annotations = {} } }) =>
        annotations[DEFAULT_CLASS] === 'true' || annotations[BETA_DEFAULT] === 'true',
    )
    .sort((a, b) => newestFirst(a, b) || (a.metadata.name < b.metadata.name ? -1 : 1))[0];
}

function newestFirst(a: StorageClass, b: StorageClass): number {
  return Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp);
}

/**
 * Completes a claim or volume that is being created: the default class, and the finalizer that protects it while it is used. Changes
 * its argument, which must be the mutable draft about to be stored; leaves other kinds alone. Never throws.
 */
export function admitStorage(object: KubeObject, classes: () => readonly StorageClass[]): void {
  if (object.apiVersion !== 'v1') return;
  if (object.kind === 'PersistentVolume') protect(object, VOLUME_PROTECTION);
  if (object.kind !== 'PersistentVolumeClaim') return;
  protect(object, CLAIM_PROTECTION);
  const claim = object as PersistentVolumeClaim;
  if (claim.spec === undefined || classNameOf(claim) !== undefined) return;
  const standard = defaultClassOf(classes());
  if (standard !== undefined) claim.spec.storageClassName = standard.metadata.name;
}

function protect(object: KubeObject, finalizer: string): void {
  const present = object.metadata.finalizers ?? [];
  if (!present.includes(finalizer)) object.metadata.finalizers = [...present, finalizer];
}
