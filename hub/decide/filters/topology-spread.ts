import type { PodToPlace } from '../pod-to-place.ts';
import type { PodsOnNodes, SlotFilter } from '../pods-on-nodes.ts';
import { type SpreadConstraint, sumByValue, type Topology } from '../topology.ts';
import type { Refusal } from './filter.ts';

const SKEWED: Refusal = {
  kind: 'spread',
  reason: "node(s) didn't match pod topology spread constraints",
};
const UNLABELLED: Refusal = {
  kind: 'spread',
  reason: "node(s) didn't match pod topology spread constraints (missing required label)",
  final: true,
};

/** What spread constraints ask about single nodes. */
export interface NodeEligibility {
  /** The pod's nodeSelector and required node affinity hold. */
  readonly isAffine: (slot: number) => boolean;
  readonly isTolerated: (slot: number) => boolean;
  /** False for slots without a node. */
  readonly isNode: (slot: number) => boolean;
}

/** Constraints with DoNotSchedule: a node is refused when the pod there would leave its domain too far above the emptiest. */
export function spreadFilters(
  pod: PodToPlace,
  on: PodsOnNodes,
  nodes: NodeEligibility,
): SlotFilter<Refusal>[] {
  const hard = pod.spread.filter((c) => c.hard);
  const topologies = hard.map((c) => on.topology(c.topologyKey));
  return hard.map((constraint, i) => {
    const topology = topologies[i];
    if (topology === undefined) throw new Error('a constraint without its topology');
    const counted = countedNodes(constraint, topologies, nodes);
    return withinSkew(constraint, topology, on, counted);
  });
}

/** The nodes whose pods and domains a constraint looks at: with all the labels in question, and as its policies say. */
export function countedNodes(
  { honorAffinity, honorTaints }: SpreadConstraint,
  topologies: readonly Topology[],
  { isAffine, isTolerated, isNode }: NodeEligibility,
): (slot: number) => boolean {
  return (slot) =>
    isNode(slot) &&
    (!honorAffinity || isAffine(slot)) &&
    (!honorTaints || isTolerated(slot)) &&
    topologies.every(({ domainOf }) => (domainOf[slot] ?? -1) >= 0);
}

function withinSkew(
  constraint: SpreadConstraint,
  topology: Topology,
  on: PodsOnNodes,
  counted: (slot: number) => boolean,
): SlotFilter<Refusal> {
  const { maxSkew, self, selector } = constraint;
  const { domainOf } = topology;
  const sums = sumByValue(on.counts([selector], false), topology, on.size, counted);
  const fewest = fewestPods(sums, topology, on.size, counted, constraint.minDomains);
  return (slot) => {
    const value = domainOf[slot] ?? -1;
    if (value < 0) return UNLABELLED;
    return (sums[value] ?? 0) + self - fewest > maxSkew ? SKEWED : undefined;
  };
}

/** Pods of the emptiest domain; 0 while there are fewer domains than asked for. */
function fewestPods(
  sums: Int32Array,
  { domainOf, values }: Topology,
  size: number,
  counted: (slot: number) => boolean,
  minDomains: number,
): number {
  const seen = new Uint8Array(values);
  let domains = 0;
  let fewest = Number.MAX_SAFE_INTEGER;
  for (let slot = 0; slot < size; slot++) {
    const value = domainOf[slot] ?? -1;
    if (value < 0 || seen[value] === 1 || !counted(slot)) continue;
    seen[value] = 1;
    domains++;
    fewest = Math.min(fewest, sums[value] ?? 0);
  }
  return domains < minDomains || domains === 0 ? 0 : fewest;
}
