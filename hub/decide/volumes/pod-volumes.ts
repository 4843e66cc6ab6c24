import type { NodeSelectorTerm } from '../../../protocol/kinds/node.ts';
import type { Pod, Volume } from '../../../protocol/kinds/pod.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../../protocol/kinds/storage.ts';
import type { ClaimedVolume } from '../../../protocol/wire/messages.ts';
import { findVolume, isForClaim, termsOf, whyUnsuitable } from './match.ts';
import { whyNotProvisioned } from './provision.ts';
import {
  BIND_COMPLETED,
  classNameOf,
  isOurs,
  LOCAL_PROVISIONER,
  NO_PROVISIONER,
  nodeOfVolume,
} from './words.ts';

/** Nodes that one volume of a pod allows: those that hold one of the terms. */
export interface VolumeLimit {
  /** Counts equal for equal causes, as Kubernetes words it. */
  readonly reason: string;
  /** Which volume, and where it lies. */
  readonly detail: string;
  readonly terms: readonly NodeSelectorTerm[];
  /** The only node that will do, when there is but one. */
  readonly node: string | undefined;
}

/** Where a pod's volumes let it run, or why it can run nowhere yet. */
export type VolumeNeeds =
  | { readonly ok: true; readonly limits: readonly VolumeLimit[] }
  | { readonly ok: false; readonly reason: string };

/** Where claims and what belongs to them are looked up; undefined for what does not exist. */
export interface VolumeLookup {
  readonly claim: (namespace: string, name: string) => PersistentVolumeClaim | undefined;
  readonly volume: (name: string) => PersistentVolume | undefined;
  readonly storageClass: (name: string) => StorageClass | undefined;
  /** At least those that name the claim and those that name none. */
  readonly volumes: (claim: PersistentVolumeClaim) => readonly PersistentVolume[];
  /** True when another pod than this one, on any node, uses the claim. */
  readonly usedByOther: (claim: PersistentVolumeClaim, pod: Pod) => boolean;
}

/** A volume of a pod that is a claim. */
export interface ClaimUse {
  readonly volume: string;
  readonly claim: string;
  readonly readOnly: boolean;
}

const NONE_TO_BIND = "node(s) didn't find available persistent volumes to bind";
const NO_USES: readonly ClaimUse[] = [];

/** The claims a pod uses, in the order of its volumes. */
export function claimsOf(spec: { readonly volumes?: readonly Volume[] }): readonly ClaimUse[] {
  if (spec.volumes?.some((v) => v.persistentVolumeClaim !== undefined) !== true) return NO_USES;
  return spec.volumes.flatMap(({ name, persistentVolumeClaim: use }) =>
    use === undefined ? [] : [{ volume: name, claim: use.claimName, readOnly: use.readOnly === true }],
  );
}

/** Says where the claims of a pod let it run. The pod's own fields are not looked at. Pure; never throws. */
export function volumeNeeds(pod: Pod, lookup: VolumeLookup): VolumeNeeds {
  const limits: VolumeLimit[] = [];
  for (const { claim: name } of claimsOf(pod.spec)) {
    const claim = lookup.claim(pod.metadata.namespace ?? '', name);
    if (claim === undefined) return no(`persistentvolumeclaim "${name}" not found`);
    if (claim.metadata.deletionTimestamp !== undefined)
      return no(`persistentvolumeclaim "${name}" is being deleted`);
    if (claim.status?.phase === 'Lost')
      return no(
        `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`,
      );
    if (claim.spec.accessModes?.includes('ReadWriteOncePod') && lookup.usedByOther(claim, pod))
      return no(`persistentvolumeclaim "${name}" is ReadWriteOncePod and used by another pod`);
    const needs = isBound(claim) ? boundNeeds(claim, lookup) : unboundNeeds(claim, lookup);
    if (!needs.ok) return needs;
    limits.push(...needs.limits);
  }
  return { ok: true, limits };
}

function no(reason: string): VolumeNeeds {
  return { ok: false, reason };
}

/** True when claim and volume have found each other. */
export function isBound(claim: PersistentVolumeClaim): boolean {
  return !!claim.spec.volumeName && claim.metadata.annotations?.[BIND_COMPLETED] !== undefined;
}

function boundNeeds(claim: PersistentVolumeClaim, lookup: VolumeLookup): VolumeNeeds {
  const { name } = claim.metadata;
  const { volumeName = '' } = claim.spec;
  const volume = lookup.volume(volumeName);
  if (volume === undefined || !isForClaim(volume, claim))
    return no(`persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volumeName}"`);
  const terms = termsOf(volume);
  if (terms.length === 0) return { ok: true, limits: [] };
  const node = nodeOfVolume(volume);
  const where = node === undefined ? 'is tied to certain nodes' : `lies on node "${node}"`;
  const detail = `volume "${volumeName}" of claim "${name}" ${where}`;
  return { ok: true, limits: [{ reason: 'node(s) had volume node affinity conflict', detail, terms, node }] };
}

function unboundNeeds(claim: PersistentVolumeClaim, lookup: VolumeLookup): VolumeNeeds {
  const className = classNameOf(claim) ?? '';
  const storageClass = lookup.storageClass(className);
  if (storageClass?.volumeBindingMode !== 'WaitForFirstConsumer' || claim.spec.volumeName)
    return no('pod has unbound immediate PersistentVolumeClaims');
  const { provisioner } = storageClass;
  const why = provisioner === LOCAL_PROVISIONER ? whyNotProvisioned(claim) : undefined;
  if (why !== undefined)
    return no(`persistentvolumeclaim "${claim.metadata.name}" cannot be provisioned: ${why}`);
  if (provisioner !== NO_PROVISIONER) return { ok: true, limits: topologyLimits(claim, storageClass) };
  const found = candidates(claim, lookup.volumes(claim));
  const everywhere = found.some((volume) => termsOf(volume).length === 0);
  const detail = `claim "${claim.metadata.name}" needs a volume of class "${className}"`;
  return everywhere
    ? { ok: true, limits: [] }
    : {
        ok: true,
        limits: [{ reason: NONE_TO_BIND, detail, terms: found.flatMap(termsOf), node: undefined }],
      };
}

/** Where the class allows volumes to be made. */
function topologyLimits(claim: PersistentVolumeClaim, storageClass: StorageClass): VolumeLimit[] {
  const { allowedTopologies = [], metadata } = storageClass;
  if (allowedTopologies.length === 0) return [];
  const terms = allowedTopologies.map(({ matchLabelExpressions = [] }) => ({
    matchExpressions: matchLabelExpressions.map(({ key, values }) => ({
      key,
      operator: 'In' as const,
      values,
    })),
  }));
  const detail = `claim "${claim.metadata.name}" needs a node where class "${metadata.name}" allows volumes`;
  return [{ reason: NONE_TO_BIND, detail, terms, node: undefined }];
}

/** Every volume that the claim could be bound to on some node. */
function candidates(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
): readonly PersistentVolume[] {
  const named = findVolume(claim, volumes, () => true, true);
  if (named !== undefined) return [named];
  return volumes.filter(
    (volume) =>
      volume.status?.phase === 'Available' &&
      whyUnsuitable(volume, claim) === undefined &&
      findVolume(claim, [volume], () => true) !== undefined,
  );
}

/**
 * What a device must know to mount the claims of a pod, by the name of the pod's volume; claims that are not bound, and volumes that
 * the pod's node does not have, are left out. Undefined for a pod without claims.
 */
export function claimedVolumes(
  pod: Pod,
  lookup: Pick<VolumeLookup, 'claim' | 'volume'>,
): Readonly<Record<string, ClaimedVolume>> | undefined {
  const uses = claimsOf(pod.spec);
  if (uses.length === 0) return undefined;
  const found: Record<string, ClaimedVolume> = {};
  for (const use of uses) {
    const claim = lookup.claim(pod.metadata.namespace ?? '', use.claim);
    const volume =
      claim === undefined || !isBound(claim) ? undefined : lookup.volume(claim.spec.volumeName ?? '');
    const mount = volume === undefined ? undefined : mountOf(volume);
    const isTheirs = claim !== undefined && volume !== undefined && isForClaim(volume, claim);
    const home = volume === undefined ? undefined : nodeOfVolume(volume);
    // A pod that was put on another node by hand must not find an empty folder there.
    const isHere = home === undefined || home === pod.spec.nodeName;
    if (isTheirs && isHere && mount !== undefined)
      found[use.volume] = { ...mount, ...(use.readOnly ? { readOnly: true } : {}) };
  }
  return found;
}

function mountOf(volume: PersistentVolume): ClaimedVolume | undefined {
  const { name } = volume.metadata;
  if (isOurs(volume)) return { volume: name };
  const { local, hostPath } = volume.spec;
  if (local !== undefined) return { volume: name, path: local.path, type: 'Directory' };
  return hostPath === undefined
    ? undefined
    : { volume: name, path: hostPath.path, ...(hostPath.type ? { type: hostPath.type } : {}) };
}
