import type { KubeObject, OwnerReference } from '../../protocol/kinds/meta.ts';
import type { Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import type { PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import type { StatefulSet } from '../../protocol/kinds/workloads.ts';
import type { NewObject } from '../cluster.ts';
import { CONTROLLER_REVISION_HASH } from './controller-revisions.ts';

/** Label with the pod's own name, so that a Service can pick one pod. */
export const POD_NAME = 'statefulset.kubernetes.io/pod-name';
/** Label with the pod's ordinal. */
export const POD_INDEX = 'apps.kubernetes.io/pod-index';

/** Ordinal of a set's pod by its name; undefined for a name that is not `<set>-<number>`. */
export function ordinalOf(set: string, pod: string): number | undefined {
  if (!pod.startsWith(`${set}-`)) return undefined;
  const digits = pod.slice(set.length + 1);
  return /^(0|[1-9]\d{0,9})$/.test(digits) ? Number(digits) : undefined;
}

/** Name of the pod with this ordinal. */
export function podName({ metadata: { name } }: StatefulSet, ordinal: number): string {
  return `${name}-${ordinal}`;
}

/** Name of the claim that a pod of the set has from one of its templates. */
export function claimName(template: string, pod: string): string {
  return `${template}-${pod}`;
}

/** Labels that tell who a pod of the set is. */
export function identityLabels(set: StatefulSet, ordinal: number): Record<string, string> {
  return { [POD_NAME]: podName(set, ordinal), [POD_INDEX]: String(ordinal) };
}

/** True when the pod's labels of identity are those of its name and ordinal. */
export function hasIdentity({ metadata: { name, labels } }: Pod, ordinal: number): boolean {
  return labels?.[POD_NAME] === name && labels[POD_INDEX] === String(ordinal);
}

/** A pod stamped from a template, made the one with this ordinal: name, host name, labels, revision and claims of its own. */
export function withIdentity(
  set: StatefulSet,
  stamped: NewObject<Pod>,
  ordinal: number,
  revision: string,
): NewObject<Pod> {
  const name = podName(set, ordinal);
  const labels = {
    ...stamped.metadata.labels,
    ...identityLabels(set, ordinal),
    [CONTROLLER_REVISION_HASH]: revision,
  };
  const { serviceName } = set.spec;
  const volumes = withClaims(set, stamped.spec.volumes ?? [], name);
  return {
    ...stamped,
    metadata: { ...stamped.metadata, name, labels },
    spec: {
      ...stamped.spec,
      hostname: name,
      ...(serviceName ? { subdomain: serviceName } : {}),
      ...(volumes.length > 0 ? { volumes } : {}),
    },
  };
}

/** The claims come first and take the place of template volumes of their name, as in Kubernetes. */
function withClaims(
  set: StatefulSet,
  volumes: NonNullable<PodSpec['volumes']>,
  pod: string,
): NonNullable<PodSpec['volumes']> {
  const names = templateNames(set);
  const claimed = names.map((name) => ({
    name,
    persistentVolumeClaim: { claimName: claimName(name, pod) },
  }));
  return [...claimed, ...volumes.filter((volume) => !names.includes(volume.name))];
}

/** Names of the set's claim templates. */
export function templateNames({ spec }: StatefulSet): string[] {
  return (spec.volumeClaimTemplates ?? []).map((template) => template.metadata.name);
}

/** The claims of the pod with this ordinal, as they are to be made. */
export function claimsFor(
  set: StatefulSet,
  ordinal: number,
): (NewObject<PersistentVolumeClaim> & { metadata: { name: string } })[] {
  const pod = podName(set, ordinal);
  return (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => {
    const labels = { ...metadata.labels, ...set.spec.selector.matchLabels };
    const owners = claimOwners(set, undefined, []);
    return {
      metadata: {
        name: claimName(metadata.name, pod),
        namespace: set.metadata.namespace ?? '',
        ...(Object.keys(labels).length > 0 ? { labels } : {}),
        ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
        ...(metadata.finalizers ? { finalizers: metadata.finalizers } : {}),
        ...(owners.length > 0 ? { ownerReferences: owners } : {}),
      },
      spec,
    };
  });
}

/**
 * Owners of a claim by the set's retention policy, others' references kept: the set when it takes its claims with it, and with
 * `condemned`, the pod that is surplus, that pod when scaling down takes them. Equal to `present` when nothing is to change.
 */
export function claimOwners(
  set: StatefulSet,
  condemned: Pod | undefined,
  present: readonly OwnerReference[],
): OwnerReference[] {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } =
    set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  const byPod = whenScaled === 'Delete' && condemned !== undefined;
  const wanted = byPod ? condemned : whenDeleted === 'Delete' ? set : undefined;
  const others = present.filter((owner) => !isOwnOf(set, owner));
  if (wanted === undefined) return others;
  const kept = present.find((owner) => owner.uid === wanted.metadata.uid);
  return [...others, kept ?? referenceTo(wanted)];
}

/** True for a reference that `claimOwners` may have made: to the set, or to one of its pods. */
function isOwnOf(set: StatefulSet, owner: OwnerReference): boolean {
  if (owner.uid === set.metadata.uid) return true;
  return owner.kind === 'Pod' && ordinalOf(set.metadata.name, owner.name) !== undefined;
}

function referenceTo({ apiVersion, kind, metadata: { name, uid } }: KubeObject): OwnerReference {
  return { apiVersion, kind, name, uid };
}

/** True when a claim still goes with an earlier pod of this name, so that a new one must wait until it is gone. */
export function isStaleClaim(claim: PersistentVolumeClaim, pod: string): boolean {
  return claim.metadata.ownerReferences?.some((o) => o.kind === 'Pod' && o.name === pod) === true;
}
