import type { NodeSelectorTerm } from '../../../protocol/kinds/node.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../../protocol/kinds/storage.ts';
import { bytesOf } from '../../../protocol/quantity.ts';
import { selectorMatches } from '../../../protocol/selector.ts';
import { classNameOf } from './words.ts';

/** Says of the terms of a volume whether a node of interest holds them; `true` where no node is chosen yet. */
export type NodeFits = (terms: readonly NodeSelectorTerm[]) => boolean;

/** True when the volume names this very claim; one that names it without uid was bound by hand. */
export function isForClaim(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { claimRef } = volume.spec;
  const { namespace = '', name, uid } = claim.metadata;
  if (claimRef === undefined || claimRef.name !== name || claimRef.namespace !== namespace) return false;
  return !claimRef.uid || claimRef.uid === uid;
}

/** Why a volume that the claim names cannot serve it, in Kubernetes' words; undefined when it can. */
export function whyUnsuitable(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (storageOf(volume.spec.capacity) < storageOf(claim.spec.resources?.requests))
    return 'requested PV is too small';
  if ((classNameOf(volume) ?? '') !== (classNameOf(claim) ?? '')) return 'storageClassName does not match';
  if (modeOf(volume) !== modeOf(claim)) return 'incompatible volumeMode';
  return offersModes(volume, claim) ? undefined : 'incompatible accessMode';
}

/**
 * The volume a claim binds to: one that names the claim, else the smallest free one that suits and that `fits`; equal ones by
 * name. With `onlyNamed` no free one is taken: the claim waits for its pod's node. Order of `volumes` does not matter. Pure.
 */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  fits: NodeFits,
  onlyNamed = false,
): PersistentVolume | undefined {
  const usable = volumes.filter((volume) => volume.metadata.deletionTimestamp === undefined);
  const named = usable.filter((v) => isForClaim(v, claim)).sort(byName);
  const ready = named.find(
    (v) => v.spec.claimRef?.uid !== undefined || whyUnsuitable(v, claim) === undefined,
  );
  if (ready !== undefined || onlyNamed) return ready;
  const free = usable.filter(
    (volume) =>
      volume.spec.claimRef === undefined &&
      volume.status?.phase === 'Available' &&
      whyUnsuitable(volume, claim) === undefined &&
      (claim.spec.selector === undefined ||
        selectorMatches(claim.spec.selector, volume.metadata.labels ?? {})) &&
      fits(termsOf(volume)),
  );
  return free.sort((a, b) => storageOf(a.spec.capacity) - storageOf(b.spec.capacity) || byName(a, b))[0];
}

/** Terms of which a node must hold one to have the volume; none: every node has it. */
export function termsOf(volume: PersistentVolume): readonly NodeSelectorTerm[] {
  return volume.spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
}

/** Bytes of storage in a list of amounts; 0 when it says nothing. */
export function storageOf(amounts: Readonly<Record<string, string>> | undefined): number {
  return bytesOf(amounts?.['storage'] ?? '0');
}

function modeOf(object: PersistentVolume | PersistentVolumeClaim): string {
  return object.spec.volumeMode ?? 'Filesystem';
}

function offersModes(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const offered = volume.spec.accessModes ?? [];
  return (claim.spec.accessModes ?? []).every((mode) => offered.includes(mode));
}

function byName(a: PersistentVolume, b: PersistentVolume): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
