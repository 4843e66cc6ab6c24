import type { Labelled, NamespaceLabels, PodSelector } from './affinity.ts';
import type { Topology } from './topology.ts';

/** A rule that pods on the nodes have about a newcomer. `weight` is 0 when it must keep away, as for required anti-affinity. */
export interface StandingRule {
  readonly topologyKey: string;
  readonly weight: number;
  /** How many pods with this rule each node has, by slot. */
  readonly nodes: ReadonlyMap<number, number>;
}

/** What rules between pods read: counts of pods by node, every node under its slot below `size`. */
export interface PodsOnNodes {
  readonly size: number;
  readonly namespaceLabels: NamespaceLabels;
  topology(key: string): Topology;
  /** Pods that all the selectors select, by slot. */
  counts(selectors: readonly PodSelector[], withTerminating: boolean): Int32Array;
  /** Rules of pods on the nodes that select this pod. */
  rulesAbout(pod: Labelled): readonly StandingRule[];
}

/** Says why the node of this slot cannot take the pod; undefined when it can. */
export type SlotFilter<R> = (slot: number) => R | undefined;

/** Adds the counts of a standing rule up by topology value. */
export function sumRule({ nodes }: StandingRule, { domainOf, values }: Topology): Int32Array {
  const sums = new Int32Array(values);
  for (const [slot, n] of nodes) {
    const value = domainOf[slot] ?? -1;
    if (value >= 0) sums[value] = (sums[value] ?? 0) + n;
  }
  return sums;
}
