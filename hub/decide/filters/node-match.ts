import type { NodeSelectorRequirement, NodeSelectorTerm } from '../../../protocol/kinds/node.ts';
import type { NodeState } from '../node-state.ts';
import { type Filter, NO_REFUSAL } from './filter.ts';

const REFUSED = [{ reason: "node(s) didn't match Pod's node affinity/selector" }];

/** `nodeSelector` and required node affinity must both hold. */
export const nodeMatch: Filter = (pod, node) => {
  for (const [key, value] of Object.entries(pod.nodeSelector ?? {})) {
    if (node.labels[key] !== value) return REFUSED;
  }
  const required = pod.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return NO_REFUSAL;
  return required.nodeSelectorTerms.some((term) => termMatches(term, node)) ? NO_REFUSAL : REFUSED;
};

/** True when all expressions and fields of the term hold on the node; a term without any matches nothing. */
export function termMatches(term: NodeSelectorTerm, node: Pick<NodeState, 'name' | 'labels'>): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  return (
    expressions.every((r) => holds(r, node.labels[r.key])) &&
    fields.every((r) => holds(r, r.key === 'metadata.name' ? node.name : undefined))
  );
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
