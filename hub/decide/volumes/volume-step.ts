import type { PersistentVolume, PersistentVolumeClaim } from '../../../protocol/kinds/storage.ts';
import type { Note } from './claim-step.ts';
import { DATA_PROTECTION, isOurs, nodeOfVolume, PROVISIONED_BY, VOLUME_PROTECTION } from './words.ts';

/** What a volume needs next; each step is safe to carry out twice. */
export type VolumeStep =
  | { readonly do: 'nothing' }
  | { readonly do: 'phase'; readonly phase: string; readonly message?: string; readonly note?: Note }
  /** The claim went elsewhere: the volume is free again. */
  | { readonly do: 'free' }
  /** Its claim has not taken it yet: look at the claim. */
  | { readonly do: 'look-at-claim' }
  /** The device is told to remove the data; it has not said yet that it has. */
  | { readonly do: 'tell-device'; readonly note: Note }
  /** Nothing of it is left: the object goes too. */
  | { readonly do: 'delete' }
  | { readonly do: 'drop-finalizers'; readonly finalizers: readonly string[] };

/** What a volume is judged by. */
export interface VolumeWorld {
  /** The claim that has the name in claimRef, whatever its uid. */
  readonly claim: PersistentVolumeClaim | undefined;
  /** True when the volume's device has said, since it last connected, that it holds nothing of it any more. */
  readonly dataGone: boolean;
  /** True when the node the volume lies on has no object any more. */
  readonly nodeGone: boolean;
}

/** Chooses the next step of a volume, as Kubernetes' binder and the protection of volumes do. Pure; never throws. */
export function nextVolumeStep(volume: PersistentVolume, world: VolumeWorld): VolumeStep {
  const phase = volume.status?.phase ?? 'Pending';
  const { claimRef } = volume.spec;
  const claim = world.claim?.metadata.uid === claimRef?.uid ? world.claim : undefined;
  const isHeld = claimRef?.uid !== undefined && claim !== undefined;
  const step = isHeld ? heldStep(volume, claim, world, phase) : unheldStep(volume, world, phase);
  if (step.do !== 'nothing' || volume.metadata.deletionTimestamp === undefined) return step;
  return phase === 'Bound' ? step : endStep(volume, world);
}

function heldStep(
  volume: PersistentVolume,
  claim: PersistentVolumeClaim,
  world: VolumeWorld,
  phase: string,
): VolumeStep {
  const { volumeName } = claim.spec;
  if (volumeName === volume.metadata.name)
    return phase === 'Bound' ? { do: 'nothing' } : { do: 'phase', phase: 'Bound' };
  if (!volumeName) return { do: 'look-at-claim' };
  // Made for the claim, but the claim has another: nobody will ever want this one.
  if (volume.metadata.annotations?.[PROVISIONED_BY] !== undefined && policyOf(volume) === 'Delete')
    return phase === 'Released' ? releasedStep(volume, world, phase) : { do: 'phase', phase: 'Released' };
  return { do: 'free' };
}

function unheldStep(volume: PersistentVolume, world: VolumeWorld, phase: string): VolumeStep {
  if (!volume.spec.claimRef?.uid) {
    if (phase !== 'Available') return { do: 'phase', phase: 'Available' };
    return volume.spec.claimRef === undefined ? { do: 'nothing' } : { do: 'look-at-claim' };
  }
  if (phase !== 'Released' && phase !== 'Failed') return { do: 'phase', phase: 'Released' };
  return releasedStep(volume, world, phase);
}

function releasedStep(volume: PersistentVolume, world: VolumeWorld, phase: string): VolumeStep {
  if (volume.metadata.deletionTimestamp !== undefined) return { do: 'nothing' };
  const policy = policyOf(volume);
  if (policy === 'Retain') return { do: 'nothing' };
  if (policy === 'Delete' && isOurs(volume)) return removalStep(volume, world);
  if (policy === 'Delete' && volume.metadata.annotations?.[PROVISIONED_BY] !== undefined)
    return { do: 'nothing' };
  if (phase === 'Failed') return { do: 'nothing' };
  const [reason, message] =
    policy === 'Delete'
      ? ['VolumeFailedDelete', 'no deletable volume plugin matched: the data is left where it is']
      : ['VolumeFailedRecycle', 'No recycler plugin found for the volume!'];
  return { do: 'phase', phase: 'Failed', message, note: { type: 'Warning', reason, message } };
}

function removalStep(volume: PersistentVolume, { dataGone, nodeGone }: VolumeWorld): VolumeStep {
  if (dataGone) return { do: 'delete' };
  const node = nodeOfVolume(volume) ?? '';
  const message = nodeGone
    ? `the node "${node}" that holds the data is gone; delete the volume to forget it`
    : `waiting for the node "${node}" to confirm that the data is removed`;
  const reason = nodeGone ? 'VolumeFailedDelete' : 'VolumeDelete';
  return { do: 'tell-device', note: { type: nodeGone ? 'Warning' : 'Normal', reason, message } };
}

/** A volume that is being deleted and is not bound: what still holds it, and whether that is over. */
function endStep(volume: PersistentVolume, world: VolumeWorld): VolumeStep {
  const finalizers = volume.metadata.finalizers ?? [];
  const holdsData = isOurs(volume) && policyOf(volume) === 'Delete' && !world.nodeGone;
  const waits = holdsData && finalizers.includes(DATA_PROTECTION) && !world.dataGone;
  const over = finalizers.filter((f) => f === VOLUME_PROTECTION || (f === DATA_PROTECTION && !waits));
  if (over.length > 0) return { do: 'drop-finalizers', finalizers: over };
  return waits ? removalStep(volume, world) : { do: 'nothing' };
}

/**
 * Of the volumes of a node the names of those whose data it is told to remove: made by the hub's provisioner for a claim that is gone,
 * with policy Delete. Sorted. A node removes nothing else, and nothing because of silence.
 */
export function removalsAmong(volumes: readonly PersistentVolume[]): readonly string[] {
  const isOver = (volume: PersistentVolume): boolean =>
    isOurs(volume) && policyOf(volume) === 'Delete' && isUnwanted(volume);
  return volumes
    .filter(isOver)
    .map(({ metadata }) => metadata.name)
    .sort();
}

function isUnwanted({ metadata, status }: PersistentVolume): boolean {
  if (status?.phase === 'Released' || status?.phase === 'Failed') return true;
  return metadata.deletionTimestamp !== undefined && status?.phase === 'Available';
}

function policyOf(volume: PersistentVolume): string {
  return volume.spec.persistentVolumeReclaimPolicy ?? 'Retain';
}
