import type { Node } from '../../../protocol/kinds/node.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../../protocol/kinds/storage.ts';
import { termMatches } from '../filters/node-match.ts';
import { findVolume, isForClaim, type NodeFits, whyUnsuitable } from './match.ts';
import { whyNotProvisioned } from './provision.ts';
import {
  BIND_COMPLETED,
  BOUND_BY_CONTROLLER,
  classNameOf,
  LOCAL_PROVISIONER,
  NO_PROVISIONER,
  SELECTED_NODE,
} from './words.ts';

/** Something to tell in an Event of the claim. */
export interface Note {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** What a claim needs next; each step is safe to carry out twice. */
export type ClaimStep =
  | { readonly do: 'nothing' }
  /** Write both sides of the binding, as far as they do not say it yet. */
  | { readonly do: 'bind'; readonly volume: PersistentVolume }
  | { readonly do: 'provision'; readonly storageClass: StorageClass; readonly node: Node }
  /** The class's provisioner runs elsewhere: name it on the claim and wait. */
  | { readonly do: 'ask'; readonly provisioner: string; readonly note: Note }
  /** The chosen node is gone: the scheduler chooses again. */
  | { readonly do: 'forget-node'; readonly note: Note }
  | { readonly do: 'wait'; readonly note?: Note }
  | { readonly do: 'lose'; readonly note: Note };

/** What a claim is judged by; `waitingPod` looks for the name of a pod that uses the claim and has no node yet. */
export interface ClaimWorld {
  /** At least those that name the claim and those that name none. */
  readonly volumes: () => readonly PersistentVolume[];
  readonly volume: (name: string) => PersistentVolume | undefined;
  readonly storageClass: (name: string) => StorageClass | undefined;
  readonly node: (name: string) => Node | undefined;
  readonly waitingPod: () => string | undefined;
}

/** Chooses the next step of a claim, as Kubernetes' binder does. Pure; never throws. */
export function nextClaimStep(claim: PersistentVolumeClaim, world: ClaimWorld): ClaimStep {
  if (claim.metadata.annotations?.[BIND_COMPLETED] !== undefined) return boundStep(claim, world);
  if (claim.metadata.deletionTimestamp !== undefined) return { do: 'nothing' };
  const { volumeName } = claim.spec;
  if (volumeName) return namedStep(claim, world.volume(volumeName), volumeName);
  return unboundStep(claim, world);
}

function boundStep(claim: PersistentVolumeClaim, world: ClaimWorld): ClaimStep {
  const { volumeName } = claim.spec;
  if (!volumeName)
    return lost(
      'ClaimLost',
      'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!',
    );
  const volume = world.volume(volumeName);
  if (volume === undefined)
    return lost('ClaimLost', 'Bound claim has lost its PersistentVolume. Data on the volume is lost!');
  if (isSettled(claim, volume)) return { do: 'nothing' };
  if (volume.spec.claimRef === undefined || isForClaim(volume, claim)) return { do: 'bind', volume };
  const misbound = 'Two claims are bound to the same volume, this one is bound incorrectly';
  return lost('ClaimMisbound', misbound);
}

/** Both sides say that they belong together. */
function isSettled(claim: PersistentVolumeClaim, volume: PersistentVolume): boolean {
  const { uid } = claim.metadata;
  return (
    claim.status?.phase === 'Bound' && volume.status?.phase === 'Bound' && volume.spec.claimRef?.uid === uid
  );
}

function lost(reason: string, message: string): ClaimStep {
  return { do: 'lose', note: { type: 'Warning', reason, message } };
}

/** The claim names its volume: that one or none. */
function namedStep(
  claim: PersistentVolumeClaim,
  volume: PersistentVolume | undefined,
  name: string,
): ClaimStep {
  if (volume === undefined) return { do: 'wait' };
  if (isForClaim(volume, claim)) return { do: 'bind', volume };
  if (volume.spec.claimRef === undefined) {
    const why = whyUnsuitable(volume, claim);
    if (why === undefined) return { do: 'bind', volume };
    const message = `Cannot bind to requested volume "${name}": ${why}`;
    return { do: 'wait', note: { type: 'Warning', reason: 'VolumeMismatch', message } };
  }
  if (claim.metadata.annotations?.[BOUND_BY_CONTROLLER] !== undefined) return { do: 'wait' };
  const message = `volume "${name}" already bound to a different claim.`;
  return { do: 'wait', note: { type: 'Warning', reason: 'FailedBinding', message } };
}

function unboundStep(claim: PersistentVolumeClaim, world: ClaimWorld): ClaimStep {
  const className = classNameOf(claim) ?? '';
  const storageClass = className === '' ? undefined : world.storageClass(className);
  const selected = claim.metadata.annotations?.[SELECTED_NODE];
  const delays = storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && selected === undefined;
  const node = selected === undefined ? undefined : world.node(selected);
  if (selected !== undefined && node === undefined) {
    const message = `the node "${selected}" that was chosen for the volume is gone; another one is looked for`;
    return { do: 'forget-node', note: { type: 'Warning', reason: 'ProvisioningFailed', message } };
  }
  const volume = findVolume(claim, world.volumes(), node === undefined ? () => true : fitsOn(node), delays);
  if (volume !== undefined) return { do: 'bind', volume };
  if (delays) return { do: 'wait', note: waitingNote(world.waitingPod()) };
  if (className === '') {
    const message = 'no persistent volumes available for this claim and no storage class is set';
    return { do: 'wait', note: { type: 'Normal', reason: 'FailedBinding', message } };
  }
  return provisionStep(claim, className, storageClass, node);
}

function waitingNote(pod: string | undefined): Note {
  if (pod !== undefined) {
    const message = `waiting for pod ${pod} to be scheduled`;
    return { type: 'Normal', reason: 'WaitForPodScheduled', message };
  }
  const message = 'waiting for first consumer to be created before binding';
  return { type: 'Normal', reason: 'WaitForFirstConsumer', message };
}

function provisionStep(
  claim: PersistentVolumeClaim,
  className: string,
  storageClass: StorageClass | undefined,
  node: Node | undefined,
): ClaimStep {
  const failed = (message: string): ClaimStep => ({
    do: 'wait',
    note: { type: 'Warning', reason: 'ProvisioningFailed', message },
  });
  if (storageClass === undefined) return failed(`storageclass.storage.k8s.io "${className}" not found`);
  const { provisioner } = storageClass;
  if (provisioner === NO_PROVISIONER) {
    const message = 'no persistent volumes available for this claim, and its class makes none';
    return { do: 'wait', note: { type: 'Normal', reason: 'FailedBinding', message } };
  }
  if (provisioner !== LOCAL_PROVISIONER) {
    const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
    const note = { type: 'Normal', reason: 'ExternalProvisioning', message } as const;
    return { do: 'ask', provisioner, note };
  }
  const early =
    'the volume lies on the node of its first pod, so its class must have volumeBindingMode WaitForFirstConsumer';
  const why = whyNotProvisioned(claim) ?? (node === undefined ? early : undefined);
  if (why !== undefined || node === undefined)
    return failed(`failed to provision volume with StorageClass "${className}": ${why}`);
  return { do: 'provision', storageClass, node };
}

/** Whether a node with these labels holds one of the terms; no terms at all fit every node. */
export function fitsOn(node: Node): NodeFits {
  const { name, labels = {} } = node.metadata;
  return (terms) => terms.length === 0 || terms.some((term) => termMatches(term, { name, labels }));
}
