import type { KindName } from '../../protocol/kinds/kind-map.ts';
import type { KubeObject, OwnerReference } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { isTerminal } from './pod-facts.ts';

/** What to do with an object that names owners. */
export type DependentVerdict =
  | { readonly do: 'keep' }
  /** All owners are gone: it goes too. */
  | { readonly do: 'delete' }
  /** Some owners are gone: only the references to them go. */
  | { readonly do: 'forget'; readonly uids: readonly string[] };

/**
 * Judges a dependent by its owners: `exists` says whether an owner is there with that very uid, undefined when the hub does not
 * know the owner's kind. What is unknown counts as there: nothing is deleted that nobody asked to delete.
 */
export function judgeDependent(
  object: KubeObject,
  exists: (owner: OwnerReference) => boolean | undefined,
): DependentVerdict {
  const owners = object.metadata.ownerReferences ?? [];
  const gone = owners.filter((owner) => exists(owner) === false).map((owner) => owner.uid);
  if (gone.length === 0 || object.metadata.deletionTimestamp !== undefined) return { do: 'keep' };
  return gone.length === owners.length ? { do: 'delete' } : { do: 'forget', uids: gone };
}

/** Finalizers by which a client asks what becomes of dependents. */
export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** What an owner that is being deleted with such a finalizer needs next. */
export type OwnerStep =
  | { readonly do: 'nothing' }
  | { readonly do: 'delete-dependents' }
  | { readonly do: 'orphan-dependents' }
  | { readonly do: 'remove-finalizer'; readonly finalizer: string };

/** Next step for an owner that is being deleted; `blocking` and `dependents` count what still names it. */
export function nextOwnerStep(owner: KubeObject, dependents: number, blocking: number): OwnerStep {
  if (owner.metadata.deletionTimestamp === undefined) return { do: 'nothing' };
  const finalizers = owner.metadata.finalizers ?? [];
  if (finalizers.includes(ORPHAN)) {
    return dependents > 0 ? { do: 'orphan-dependents' } : { do: 'remove-finalizer', finalizer: ORPHAN };
  }
  if (!finalizers.includes(FOREGROUND)) return { do: 'nothing' };
  return blocking > 0 ? { do: 'delete-dependents' } : { do: 'remove-finalizer', finalizer: FOREGROUND };
}

/** Order in which a namespace is emptied: what makes others first, so that nothing is made again behind our back. */
export const NAMESPACE_ORDER: readonly KindName[] = [
  'HorizontalPodAutoscaler',
  'CronJob',
  'Job',
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'Pod',
  'ControllerRevision',
  'PodTemplate',
  'PodDisruptionBudget',
  'Ingress',
  'NetworkPolicy',
  'Service',
  'EndpointSlice',
  'Endpoints',
  'PersistentVolumeClaim',
  'ResourceQuota',
  'LimitRange',
  'ConfigMap',
  'Secret',
  'ServiceAccount',
  'RoleBinding',
  'Role',
  'Lease',
  'Event',
];

/** Pods bound to a node that does not exist; nobody will ever confirm their end. */
export function orphanedPods(pods: readonly Pod[], nodeExists: (name: string) => boolean): Pod[] {
  return pods.filter((pod) => pod.spec.nodeName !== undefined && !nodeExists(pod.spec.nodeName));
}

/** Ended pods beyond `keep`, oldest first: without this, failed pods of months pile up. */
export function surplusTerminated(pods: readonly Pod[], keep: number): Pod[] {
  const ended = pods.filter((pod) => isTerminal(pod) && pod.metadata.deletionTimestamp === undefined);
  if (ended.length <= keep) return [];
  return ended
    .sort((a, b) => Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp))
    .slice(0, ended.length - keep);
}

/**
 * Failed pods of one owner beyond the `keep` that ended last, oldest first. Their owner has long replaced them; the last ones show
 * people why. Pure.
 */
export function surplusFailed(pods: readonly Pod[], keep: number): Pod[] {
  const failed = pods.filter(
    (pod) => pod.status?.phase === 'Failed' && pod.metadata.deletionTimestamp === undefined,
  );
  if (failed.length <= keep) return [];
  return failed
    .map((pod) => ({ pod, endedMs: endedMs(pod) }))
    .sort((a, b) => a.endedMs - b.endedMs || (a.pod.metadata.uid < b.pod.metadata.uid ? -1 : 1))
    .slice(0, failed.length - keep)
    .map(({ pod }) => pod);
}

/** When a pod ended, as its device says, but never before the hub knew of it: boards start with clocks of another year. */
function endedMs({ metadata, status }: Pod): number {
  const unready = status?.conditions?.find((c) => c.type === 'Ready')?.lastTransitionTime;
  return Math.max(Date.parse(metadata.creationTimestamp) || 0, Date.parse(unready ?? '') || 0);
}
