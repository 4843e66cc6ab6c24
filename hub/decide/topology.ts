import type { Pod, TopologySpreadConstraint } from '../../protocol/kinds/pod.ts';
import { requirementsMatch } from '../../protocol/selector.ts';
import { ownLabels, type PodSelector, podSelector } from './affinity.ts';

/** Label of a site or rack; replicas spread over its values without being asked. */
export const ZONE_KEY = 'topology.kubernetes.io/zone';

/** A constraint on how evenly pods spread, ready for use. */
export interface SpreadConstraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  /** True for DoNotSchedule, false for ScheduleAnyway. */
  readonly hard: boolean;
  readonly minDomains: number;
  readonly honorAffinity: boolean;
  readonly honorTaints: boolean;
  readonly selector: PodSelector;
  /** 1 when the pod itself will be counted, else 0. */
  readonly self: number;
}

const NONE: readonly SpreadConstraint[] = [];

/** The pod's own constraints, with the labels of `matchLabelKeys` put in and Kubernetes' defaults. */
export function spreadConstraints(pod: Pod): readonly SpreadConstraint[] {
  const constraints = pod.spec.topologySpreadConstraints;
  return constraints === undefined || constraints.length === 0 ? NONE : constraints.map((c) => read(pod, c));
}

function read(pod: Pod, c: TopologySpreadConstraint): SpreadConstraint {
  const selector = podSelector({
    namespaces: [pod.metadata.namespace ?? ''],
    labelSelector: c.labelSelector,
    extra: ownLabels(pod, c.matchLabelKeys, 'In'),
  });
  const { requirements } = selector;
  return {
    topologyKey: c.topologyKey,
    maxSkew: c.maxSkew,
    hard: c.whenUnsatisfiable === 'DoNotSchedule',
    minDomains: c.minDomains ?? 1,
    honorAffinity: c.nodeAffinityPolicy !== 'Ignore',
    honorTaints: c.nodeTaintsPolicy === 'Honor',
    selector,
    self: requirements !== undefined && requirementsMatch(requirements, pod.metadata.labels) ? 1 : 0,
  };
}

/** The values of one node label over all nodes: `domainOf[slot]` is the index of the node's value, -1 without the label. */
export interface Topology {
  readonly domainOf: Int32Array;
  /** Indices of values are below this. */
  readonly values: number;
}

/** Adds per-node counts up by topology value; nodes for which `counts` does not hold are left out. */
export function sumByValue(
  perNode: Int32Array,
  topology: Topology,
  size: number,
  counts?: (slot: number) => boolean,
): Int32Array {
  const sums = new Int32Array(topology.values);
  const { domainOf } = topology;
  for (let slot = 0; slot < size; slot++) {
    const n = perNode[slot] ?? 0;
    const value = domainOf[slot] ?? -1;
    if (n === 0 || value < 0 || (counts !== undefined && !counts(slot))) continue;
    sums[value] = (sums[value] ?? 0) + n;
  }
  return sums;
}
