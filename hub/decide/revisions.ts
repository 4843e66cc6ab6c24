import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { canonicalJson } from './content-hash.ts';
import { safeHash } from './controller-revisions.ts';

/** Label that tells the pods of one template from those of another. */
export const POD_TEMPLATE_HASH = 'pod-template-hash';
/** Annotations that `kubectl rollout history` and `undo` read. */
export const REVISION = 'deployment.kubernetes.io/revision';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

const OWN_ANNOTATIONS = [REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS];
const NOT_COPIED = ['kubectl.kubernetes.io/last-applied-configuration', ...OWN_ANNOTATIONS];
/** Longest list of earlier revisions kept in an annotation, in characters; the oldest go. */
const MAX_HISTORY_CHARS = 2000;

/** The ReplicaSet made from the deployment's present template: the oldest when several are. */
export function newReplicaSet(deployment: Deployment, owned: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = templateKey(deployment.spec.template);
  return [...owned].sort(byAge).find((rs) => templateKey(rs.spec.template) === wanted);
}

/** Oldest first, then by name. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const difference = Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp);
  return difference || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** Revision number of a ReplicaSet, 0 when it has none. */
export function revisionOf(rs: ReplicaSet): number {
  const number = Number(rs.metadata.annotations?.[REVISION]);
  return Number.isInteger(number) && number > 0 ? number : 0;
}

/** Text that is equal for equal templates, without the label that tells templates apart. */
function templateKey(template: PodTemplateSpec): string {
  const { [POD_TEMPLATE_HASH]: _hash, ...labels } = template.metadata?.labels ?? {};
  const { annotations, name, finalizers } = template.metadata ?? {};
  return canonicalJson({
    labels,
    annotations: annotations === undefined ? {} : annotations,
    name,
    finalizers,
    spec: template.spec,
  });
}

/** The template's hash as it goes into names and labels; another `collisionCount` gives another hash. */
export function podTemplateHash(template: PodTemplateSpec, collisionCount: number): string {
  return safeHash(`${templateKey(template)}#${collisionCount}`);
}

/** Annotations a ReplicaSet takes over from its deployment: all but kubectl's and the controller's own. */
export function inheritedAnnotations(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !NOT_COPIED.includes(key)),
  );
}

/**
 * Annotations of the new ReplicaSet at `revision`: what it inherits, its number, and the numbers it had before, which is
 * how a rollback stays visible in `kubectl rollout history`.
 */
export function newAnnotations(
  deployment: Deployment,
  rs: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const present = rs?.metadata.annotations ?? {};
  const next = { ...present, ...inheritedAnnotations(deployment), [REVISION]: String(revision) };
  const before = present[REVISION];
  if (before === undefined || before === String(revision)) return next;
  const history = (present[REVISION_HISTORY] ?? '').split(',').filter((r) => r !== '');
  const kept = [...history, before];
  while (kept.length > 1 && kept.join(',').length > MAX_HISTORY_CHARS) kept.shift();
  return { ...next, [REVISION_HISTORY]: kept.join(',') };
}

/** The number the new ReplicaSet should carry: its own when it is the highest, else one above all others. */
export function newRevision(rs: ReplicaSet | undefined, others: readonly ReplicaSet[]): number {
  const highest = others.reduce((max, other) => Math.max(max, revisionOf(other)), 0);
  const own = rs === undefined ? 0 : revisionOf(rs);
  return own > highest ? own : highest + 1;
}
