import type { Condition, Time } from '../../protocol/kinds/meta.ts';

/** What is left of one kind in a namespace that is being deleted. */
export interface Remainder {
  /** As in `configmaps.` and `deployments.apps`: the plural, a dot, and the group. */
  readonly resource: string;
  /** The finalizers of each object that is left. */
  readonly finalizers: readonly (readonly string[])[];
}

type Told = readonly [type: string, isTrue: boolean, reason: string, message: string];

/**
 * The conditions by which a namespace tells why it does not go, in Kubernetes' words: what is left in it, and which finalizers hold
 * that. A condition that stays keeps the time of `before`. Pure; never throws.
 */
export function namespaceConditions(
  left: readonly Remainder[],
  before: readonly Condition[],
  time: Time,
): Condition[] {
  return [...STEADY, contentLeft(left), finalizersLeft(left)].map(([type, isTrue, reason, message]) => {
    const status = isTrue ? 'True' : 'False';
    const old = before.find((c) => c.type === type);
    const since = old?.status === status ? old.lastTransitionTime : undefined;
    return { type, status, reason, message, lastTransitionTime: since ?? time };
  });
}

const STEADY: readonly Told[] = [
  [
    'NamespaceDeletionDiscoveryFailure',
    false,
    'ResourcesDiscovered',
    'All resources successfully discovered',
  ],
  [
    'NamespaceDeletionGroupVersionParsingFailure',
    false,
    'ParsedGroupVersions',
    'All legacy kube types successfully parsed',
  ],
  [
    'NamespaceDeletionContentFailure',
    false,
    'ContentDeleted',
    'All content successfully deleted, may be waiting on finalization',
  ],
];

function contentLeft(left: readonly Remainder[]): Told {
  const type = 'NamespaceContentRemaining';
  if (left.length === 0) return [type, false, 'ContentRemoved', 'All content successfully removed'];
  const texts = left.map((r) => `${r.resource} has ${r.finalizers.length} resource instances`).sort();
  return [type, true, 'SomeResourcesRemain', `Some resources are remaining: ${texts.join(', ')}`];
}

function finalizersLeft(left: readonly Remainder[]): Told {
  const type = 'NamespaceFinalizersRemaining';
  const counts = new Map<string, number>();
  for (const name of left.flatMap((r) => r.finalizers.flat())) counts.set(name, (counts.get(name) ?? 0) + 1);
  if (counts.size === 0)
    return [type, false, 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'];
  const texts = [...counts].map(([name, count]) => `${name} in ${count} resource instances`).sort();
  const message = `Some content in the namespace has finalizers remaining: ${texts.join(', ')}`;
  return [type, true, 'SomeFinalizersRemain', message];
}
