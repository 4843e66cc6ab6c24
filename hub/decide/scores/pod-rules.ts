import { countedNodes, type NodeEligibility } from '../filters/topology-spread.ts';
import type { PodToPlace } from '../pod-to-place.ts';
import { type PodsOnNodes, sumRule } from '../pods-on-nodes.ts';
import { sumByValue } from '../topology.ts';

/** The slots among which a node is chosen: the first `count` of `slots`. */
export interface Feasible {
  readonly slots: Int32Array;
  readonly count: number;
}

/** Gives every feasible slot 0 (worst) to 100 (best), in relation to one another. */
export type GroupScore = (feasible: Feasible) => Float64Array;

/**
 * Preferences between pods: the newcomer's own, and those that pods on the nodes have about it, required affinity among
 * them. Undefined when nobody prefers anything.
 */
export function neighbours(pod: PodToPlace, on: PodsOnNodes): GroupScore | undefined {
  const own = pod.affinity.preferred;
  const standing = on.rulesAbout(pod).filter((rule) => rule.weight !== 0);
  if (own.length + standing.length === 0) return undefined;
  const parts = [
    ...own.map(({ topologyKey, selector, weight }) => {
      const topology = on.topology(topologyKey);
      return { topology, weight, sums: sumByValue(on.counts([selector], true), topology, on.size) };
    }),
    ...standing.map((rule) => {
      const topology = on.topology(rule.topologyKey);
      return { topology, weight: rule.weight, sums: sumRule(rule, topology) };
    }),
  ];
  return (feasible) => {
    const points = new Float64Array(on.size);
    for (const { topology, weight, sums } of parts) {
      for (let i = 0; i < feasible.count; i++) {
        const slot = feasible.slots[i] ?? 0;
        const value = topology.domainOf[slot] ?? -1;
        if (value >= 0) points[slot] = (points[slot] ?? 0) + weight * (sums[value] ?? 0);
      }
    }
    return scaled(points, feasible);
  };
}

/** From lowest to highest over the feasible slots becomes 0 to 100; all 100 when they are equal. */
function scaled(points: Float64Array, { slots, count }: Feasible): Float64Array {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const n = points[slots[i] ?? 0] ?? 0;
    min = Math.min(min, n);
    max = Math.max(max, n);
  }
  for (let i = 0; i < count; i++) {
    const slot = slots[i] ?? 0;
    points[slot] = max === min ? 100 : (100 * ((points[slot] ?? 0) - min)) / (max - min);
  }
  return points;
}

/**
 * Constraints with ScheduleAnyway: the fewer matching pods in its domains, the better a node; one without the labels gets 0.
 * Rarer domains weigh more, as in Kubernetes. Undefined when the pod has none.
 */
export function softSpread(pod: PodToPlace, on: PodsOnNodes, nodes: NodeEligibility): GroupScore | undefined {
  const soft = pod.spread.filter((c) => !c.hard);
  if (soft.length === 0) return undefined;
  const topologies = soft.map((c) => on.topology(c.topologyKey));
  const parts = soft.map((constraint, i) => {
    const topology = topologies[i];
    if (topology === undefined) throw new Error('a constraint without its topology');
    const counted = countedNodes(constraint, topologies, nodes);
    const sums = sumByValue(on.counts([constraint.selector], false), topology, on.size, counted);
    return { domainOf: topology.domainOf, sums, more: constraint.maxSkew - 1 };
  });
  return (feasible) => {
    const points = new Float64Array(on.size);
    for (const { domainOf, sums, more } of parts) {
      const weight = Math.log(domainsOf(domainOf, sums.length, feasible) + 2);
      for (let i = 0; i < feasible.count; i++) {
        const slot = feasible.slots[i] ?? 0;
        const value = domainOf[slot] ?? -1;
        const crowd = value < 0 ? Number.NaN : (sums[value] ?? 0) * weight + more;
        points[slot] = (points[slot] ?? 0) + crowd;
      }
    }
    return inverted(points, feasible);
  };
}

function domainsOf(domainOf: Int32Array, values: number, { slots, count }: Feasible): number {
  const seen = new Uint8Array(values);
  let domains = 0;
  for (let i = 0; i < count; i++) {
    const value = domainOf[slots[i] ?? 0] ?? -1;
    if (value < 0 || seen[value] === 1) continue;
    seen[value] = 1;
    domains++;
  }
  return domains;
}

function inverted(points: Float64Array, { slots, count }: Feasible): Float64Array {
  let min = Number.POSITIVE_INFINITY;
  let max = 0;
  for (let i = 0; i < count; i++) {
    const n = points[slots[i] ?? 0] ?? 0;
    if (Number.isNaN(n)) continue;
    min = Math.min(min, n);
    max = Math.max(max, n);
  }
  for (let i = 0; i < count; i++) {
    const slot = slots[i] ?? 0;
    const n = points[slot] ?? 0;
    if (Number.isNaN(n)) points[slot] = 0;
    else points[slot] = max === 0 ? 100 : (100 * (max + min - n)) / max;
  }
  return points;
}
