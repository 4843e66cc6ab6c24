import type { LabelSelector } from '../../protocol/kinds/meta.ts';
import type { Pod, PodAffinityTerm } from '../../protocol/kinds/pod.ts';
import { type Requirement, requirementsMatch, requirementsOf } from '../../protocol/selector.ts';

/** Which pods a term or constraint speaks of. Equal `key` means equal selection. */
export interface PodSelector {
  readonly key: string;
  readonly namespaces: readonly string[];
  /** Namespaces by their labels, beside the named ones; undefined for none. */
  readonly namespaceRequirements: readonly Requirement[] | undefined;
  /** Undefined selects no pod at all, as an absent label selector does. */
  readonly requirements: readonly Requirement[] | undefined;
}

/** One rule about pods that share a value of `topologyKey` with a node. `weight` is 0 when the rule must hold. */
export interface PodTerm {
  readonly topologyKey: string;
  readonly selector: PodSelector;
  readonly weight: number;
}

/** The rules of one pod about others. */
export interface PodAffinity {
  readonly required: readonly PodTerm[];
  readonly requiredAnti: readonly PodTerm[];
  /** Preferred terms; those that keep away have a negative weight. */
  readonly preferred: readonly PodTerm[];
}

/** What selectors are asked about. */
export interface Labelled {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Labels of a namespace by its name. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined;

/** Shared by the many pods that have no rules about others. */
export const NO_AFFINITY: PodAffinity = { required: [], requiredAnti: [], preferred: [] };

/** Reads the pod's rules about other pods, with the labels of `matchLabelKeys` and `mismatchLabelKeys` put in. */
export function podAffinity(pod: Pod): PodAffinity {
  const { podAffinity: near, podAntiAffinity: away } = pod.spec.affinity ?? {};
  if (near === undefined && away === undefined) return NO_AFFINITY;
  const required = near?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const requiredAnti = away?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const preferred = near?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const avoided = away?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return {
    required: required.map((term) => podTerm(pod, term, 0)),
    requiredAnti: requiredAnti.map((term) => podTerm(pod, term, 0)),
    preferred: [
      ...preferred.map((p) => podTerm(pod, p.podAffinityTerm, p.weight)),
      ...avoided.map((p) => podTerm(pod, p.podAffinityTerm, -p.weight)),
    ],
  };
}

function podTerm(pod: Pod, term: PodAffinityTerm, weight: number): PodTerm {
  const { namespaces = [], namespaceSelector, labelSelector, topologyKey } = term;
  const named = namespaces.length === 0 && namespaceSelector === undefined;
  const selector = podSelector({
    namespaces: named ? [pod.metadata.namespace ?? ''] : namespaces,
    namespaceSelector,
    labelSelector,
    extra: [...ownLabels(pod, term.matchLabelKeys, 'In'), ...ownLabels(pod, term.mismatchLabelKeys, 'NotIn')],
  });
  return { topologyKey, selector, weight };
}

/** Requirements that compare other pods to the pod's own values of `keys`; keys it does not have are passed over. */
export function ownLabels(
  pod: Pod,
  keys: readonly string[] | undefined,
  operator: 'In' | 'NotIn',
): Requirement[] {
  const labels = pod.metadata.labels ?? {};
  return (keys ?? []).flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
}

/** A selector ready for use; see PodSelector for what absent parts mean. */
export function podSelector(parts: {
  readonly namespaces: readonly string[];
  readonly namespaceSelector?: LabelSelector | undefined;
  readonly labelSelector: LabelSelector | undefined;
  readonly extra: readonly Requirement[];
}): PodSelector {
  const namespaces = parts.namespaces.toSorted();
  const namespaceRequirements =
    parts.namespaceSelector === undefined ? undefined : requirementsOf(parts.namespaceSelector);
  const requirements =
    parts.labelSelector === undefined ? undefined : [...requirementsOf(parts.labelSelector), ...parts.extra];
  const key = JSON.stringify([namespaces, namespaceRequirements ?? 0, requirements ?? 0]);
  return { key, namespaces, namespaceRequirements, requirements };
}

/** True when the selector selects a pod with these labels in this namespace. */
export function selects(selector: PodSelector, pod: Labelled, namespaceLabels: NamespaceLabels): boolean {
  const { namespaces, namespaceRequirements, requirements } = selector;
  if (requirements === undefined) return false;
  const inNamespace =
    namespaces.includes(pod.namespace) ||
    (namespaceRequirements !== undefined &&
      requirementsMatch(namespaceRequirements, namespaceLabels(pod.namespace)));
  return inNamespace && requirementsMatch(requirements, pod.labels);
}
