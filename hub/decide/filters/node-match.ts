import type { NodeSelectorRequirement, NodeSelectorTerm } from '../../../protocol/kinds/node.ts';
import type { NodeTraits } from '../node-state.ts';
import type { PodToPlace } from '../pod-to-place.ts';
import { type Filter, NO_REFUSAL, type Refusal } from './filter.ts';

/** What selectors and affinity look at of a node. */
export type NodeNames = Pick<NodeTraits, 'name' | 'labels'>;

const REFUSED: readonly Refusal[] = [
  { kind: 'node', reason: "node(s) didn't match Pod's node affinity/selector", final: true },
];
const CONFLICT: readonly Refusal[] = [
  { kind: 'volume', reason: 'node(s) had volume node affinity conflict', final: true },
];

/** `nodeSelector` and required node affinity must both hold. */
export const nodeMatch: Filter = (pod, node) => (matchesNode(pod, node) ? NO_REFUSAL : REFUSED);

/** Volumes that belong to nodes keep their pods there. */
export const volumeNodes: Filter = (pod, node) =>
  pod.volumeNodes.every((terms) => anyTermMatches(terms, node)) ? NO_REFUSAL : CONFLICT;

/** True when `nodeSelector` and required node affinity of the pod hold on the node. */
export function matchesNode(
  pod: Pick<PodToPlace, 'nodeSelector' | 'nodeAffinity'>,
  node: NodeNames,
): boolean {
  for (const key in pod.nodeSelector) {
    if (node.labels[key] !== pod.nodeSelector[key]) return false;
  }
  const required = pod.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || anyTermMatches(required.nodeSelectorTerms, node);
}

/** True when at least one of the terms holds on the node. */
export function anyTermMatches(terms: readonly NodeSelectorTerm[], node: NodeNames): boolean {
  return terms.some((term) => termMatches(term, node));
}

/** True when all expressions and fields of the term hold on the node; a term without any matches nothing. */
export function termMatches(term: NodeSelectorTerm, node: NodeNames): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((r) => holds(r, node.labels[r.key])) &&
    fields.every((r) => holds(r, r.key === 'metadata.name' ? node.name : undefined))
  );
}

/**
 * Names of the only nodes that the pod's required affinity allows, when it names them, as DaemonSet pods do; undefined when it
 * does not.
 */
export function namedNodes(pod: Pick<PodToPlace, 'nodeAffinity'>): ReadonlySet<string> | undefined {
  const terms = pod.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms === undefined || terms.length === 0) return undefined;
  const names = new Set<string>();
  for (const { matchFields = [] } of terms) {
    const named = matchFields.find((f) => f.key === 'metadata.name' && f.operator === 'In');
    if (named === undefined) return undefined;
    for (const name of named.values ?? []) names.add(name);
  }
  return names;
}

function holds(r: NodeSelectorRequirement, value: string | undefined): boolean {
  const values = r.values ?? [];
  switch (r.operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return integer(value) > integer(values[0]);
    case 'Lt':
      return integer(value) < integer(values[0]);
  }
}

/** NaN for anything but a whole number, so that no comparison with it holds. */
function integer(text: string | undefined): number {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
}
