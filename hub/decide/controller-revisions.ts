import type { LabelSelector, OwnerReference } from '../../protocol/kinds/meta.ts';
import type { ControllerRevision, PodTemplateSpec } from '../../protocol/kinds/workloads.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import { canonicalJson, sameJson } from './content-hash.ts';

/** Label of pods and revisions that tells one template's from another's. */
export const CONTROLLER_REVISION_HASH = 'controller-revision-hash';

/** Annotation that belongs to kubectl and says nothing of a revision. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Letters of Kubernetes' generated names: no vowels, so that no words appear. */
const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/** The parts of an owner that its revisions follow from. */
export interface RevisionOwner {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly selector: LabelSelector; readonly template: PodTemplateSpec };
}

/** What has to be done so that the newest of the owned revisions is that of the present template. */
export type RevisionPlan =
  /** It is there; `renumber` when another one has a higher number by now, because somebody rolled back. */
  | { readonly do: 'use'; readonly revision: ControllerRevision; readonly renumber: number | undefined }
  | { readonly do: 'create'; readonly number: number };

/**
 * What a revision keeps of a template: the strategic merge patch that brings it back, written as Kubernetes' own types write it
 * (members in order, what is never left out present): `kubectl rollout undo` compares it byte by byte.
 */
export function revisionData(template: PodTemplateSpec): Record<string, unknown> {
  const { metadata, spec } = template;
  const { containers, initContainers } = spec;
  const written = {
    ...template,
    $patch: 'replace',
    metadata: { ...metadata, creationTimestamp: null },
    spec: {
      ...spec,
      containers: containers.map((c) => ({ ...c, resources: c.resources ?? {} })),
      initContainers: initContainers?.map((c) => ({ ...c, resources: c.resources ?? {} })),
    },
  };
  return JSON.parse(canonicalJson({ spec: { template: written } })) as Record<string, unknown>;
}

/** The template that a revision keeps; undefined when somebody else wrote something else into it. */
export function revisionTemplate(revision: ControllerRevision): PodTemplateSpec | undefined {
  const spec = revision.data?.['spec'] as { template?: PodTemplateSpec & { $patch?: string } } | undefined;
  if (spec?.template?.spec === undefined) return undefined;
  const { $patch: _directive, metadata, ...template } = spec.template;
  const { creationTimestamp: _none, ...kept } = (metadata ?? {}) as Record<string, unknown>;
  return { metadata: kept, ...template };
}

/** Short hash of a revision's content as it goes into names and labels; another `collisionCount` gives another hash. */
export function revisionHash(data: unknown, collisionCount: number): string {
  return safeHash(`${canonicalJson(data)}#${collisionCount}`);
}

/** 32-bit FNV-1a of a text in letters that are safe in names and make no words. */
export function safeHash(text: string): string {
  let hash = 0x811c9dc5;
  for (const unit of text) hash = Math.imul(hash ^ (unit.codePointAt(0) ?? 0), 0x01000193);
  return [...String(hash >>> 0)].map((digit) => SAFE[digit.charCodeAt(0) % SAFE.length] ?? 'b').join('');
}

/** Lowest number first, then oldest, then by name. */
export function byRevision(a: ControllerRevision, b: ControllerRevision): number {
  const age = Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp);
  return a.revision - b.revision || age || (a.metadata.name < b.metadata.name ? -1 : 1);
}

/** The highest numbered revision with this content. */
export function equalRevision(
  data: unknown,
  revisions: readonly ControllerRevision[],
): ControllerRevision | undefined {
  return [...revisions].sort(byRevision).findLast((revision) => sameJson(revision.data, data));
}

/** Finds the revision of the owner's present template among those it owns, in any order. Pure; never throws. */
export function planRevision(owner: RevisionOwner, owned: readonly ControllerRevision[]): RevisionPlan {
  const highest = owned.reduce((max, { revision }) => Math.max(max, revision), 0);
  const present = equalRevision(revisionData(owner.spec.template), owned);
  if (present === undefined) return { do: 'create', number: highest + 1 };
  const shared = owned.some((other) => other !== present && other.revision >= present.revision);
  return { do: 'use', revision: present, renumber: shared ? highest + 1 : undefined };
}

/**
 * Annotations of a new revision: the owner's, so that `kubernetes.io/change-cause` shows in the history. Later changes of the
 * owner's do not reach it: after a rollback they would speak of another template.
 */
export function revisionAnnotations(owner: RevisionOwner): Record<string, string> {
  const { [LAST_APPLIED]: _applied, ...inherited } = owner.metadata.annotations ?? {};
  return inherited;
}

/** Labels that make kubectl find a revision by the owner's selector, and its hash. */
export function revisionLabels(owner: RevisionOwner, hash: string): Record<string, string> {
  return { ...owner.spec.template.metadata?.labels, [CONTROLLER_REVISION_HASH]: hash };
}

/** Revisions without a controller that the owner's selector matches: they become its own. */
export function revisionsToAdopt(
  owner: RevisionOwner,
  revisions: readonly ControllerRevision[],
): ControllerRevision[] {
  const isOrphan = (o: OwnerReference): boolean => o.controller !== true;
  return revisions.filter(
    ({ metadata }) =>
      metadata.deletionTimestamp === undefined &&
      (metadata.ownerReferences ?? []).every(isOrphan) &&
      selectorMatches(owner.spec.selector, metadata.labels),
  );
}

/** Revisions beyond the limit, lowest number first; those that are still in use do not count and stay. */
export function revisionsToDrop(
  owned: readonly ControllerRevision[],
  isLive: (revision: ControllerRevision) => boolean,
  limit: number,
): ControllerRevision[] {
  const idle = owned.filter((revision) => !isLive(revision)).sort(byRevision);
  return idle.slice(0, Math.max(0, idle.length - Math.max(0, limit)));
}
