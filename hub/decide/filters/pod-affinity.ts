import { type PodTerm, selects } from '../affinity.ts';
import type { PodToPlace } from '../pod-to-place.ts';
import { type PodsOnNodes, type SlotFilter, sumRule } from '../pods-on-nodes.ts';
import { sumByValue, type Topology } from '../topology.ts';
import type { Refusal } from './filter.ts';

// Kubernetes counts as it does here: affinity that does not hold cannot be cured by removing pods, anti-affinity can.
const NOT_NEAR: Refusal = {
  kind: 'affinity',
  reason: "node(s) didn't match pod affinity rules",
  final: true,
};
const TOO_NEAR: Refusal = {
  kind: 'antiAffinity',
  reason: "node(s) didn't match pod anti-affinity rules",
};
const UNWELCOME: Refusal = {
  kind: 'antiAffinity',
  reason: "node(s) didn't satisfy existing pods anti-affinity rules",
};

/** Required rules between pods: the pod's own affinity and anti-affinity, and the anti-affinity of pods that are there. */
export function affinityFilters(pod: PodToPlace, on: PodsOnNodes): SlotFilter<Refusal>[] {
  const { required, requiredAnti } = pod.affinity;
  const filters = requiredAnti.map((term) => awayFrom(term, on));
  if (required.length > 0) filters.unshift(near(pod, required, on));
  for (const rule of on.rulesAbout(pod)) {
    if (rule.weight !== 0) continue;
    const topology = on.topology(rule.topologyKey);
    filters.push(emptyValues(topology, sumRule(rule, topology), UNWELCOME));
  }
  return filters;
}

function awayFrom(term: PodTerm, on: PodsOnNodes): SlotFilter<Refusal> {
  const topology = on.topology(term.topologyKey);
  return emptyValues(topology, sumByValue(on.counts([term.selector], true), topology, on.size), TOO_NEAR);
}

function emptyValues({ domainOf }: Topology, sums: Int32Array, refusal: Refusal): SlotFilter<Refusal> {
  return (slot) => {
    const value = domainOf[slot] ?? -1;
    return value >= 0 && (sums[value] ?? 0) > 0 ? refusal : undefined;
  };
}

/**
 * Every term needs a pod that all terms select. The first of a group that seeks its own kind has none to join: it may go
 * wherever the topology labels are (https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/).
 */
function near(pod: PodToPlace, terms: readonly PodTerm[], on: PodsOnNodes): SlotFilter<Refusal> {
  const selectors = terms.map((t) => t.selector);
  const perNode = on.counts(selectors, true);
  const domains = terms.map((term) => {
    const topology = on.topology(term.topologyKey);
    return { domainOf: topology.domainOf, sums: sumByValue(perNode, topology, on.size) };
  });
  const isFirst =
    domains.every(({ sums }) => sums.every((n) => n === 0)) &&
    selectors.every((s) => selects(s, pod, on.namespaceLabels));
  return (slot) => {
    for (const { domainOf, sums } of domains) {
      const value = domainOf[slot] ?? -1;
      if (value < 0 || (!isFirst && (sums[value] ?? 0) === 0)) return NOT_NEAR;
    }
    return undefined;
  };
}
