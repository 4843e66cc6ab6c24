import type { KubeObject, LabelSelector } from '../../protocol/kinds/meta.ts';
import { selectorMatches } from '../../protocol/selector.ts';

/** Which objects an owner keeps, takes over and lets go. */
export interface Claim<T> {
  readonly keep: readonly T[];
  /** Without controller, and the selector matches: they become the owner's. */
  readonly adopt: readonly T[];
  /** The owner's, but the selector no longer matches: they become nobody's. */
  readonly release: readonly T[];
}

/**
 * Sorts the objects of the owner's namespace by its selector, as Kubernetes' controllers do. Objects being deleted are neither
 * adopted nor released, and an owner that is being deleted adopts nothing. Keeps the order of `objects`. Pure; never throws.
 */
export function planClaim<T extends KubeObject>(
  owner: KubeObject,
  selector: LabelSelector,
  objects: readonly T[],
): Claim<T> {
  const keep: T[] = [];
  const adopt: T[] = [];
  const release: T[] = [];
  for (const object of objects) {
    const { labels, deletionTimestamp, ownerReferences } = object.metadata;
    const controller = ownerReferences?.find((o) => o.controller === true)?.uid;
    if (controller !== undefined && controller !== owner.metadata.uid) continue;
    const free = deletionTimestamp === undefined && owner.metadata.deletionTimestamp === undefined;
    const matches = selectorMatches(selector, labels);
    if (controller === undefined) {
      if (matches && free) adopt.push(object);
    } else if (matches || !free) keep.push(object);
    else release.push(object);
  }
  return { keep, adopt, release };
}
