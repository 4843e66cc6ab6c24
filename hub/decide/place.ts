import {
  type Candidates,
  eligibility,
  fits,
  hasHeadroom,
  judge,
  NODE_WEIGHT,
  newCandidates,
} from './candidates.ts';
import type { Refusal } from './filters/filter.ts';
import { affinityFilters } from './filters/pod-affinity.ts';
import { spreadFilters } from './filters/topology-spread.ts';
import type { NodeState } from './node-state.ts';
import type { PodToPlace } from './pod-to-place.ts';
import type { PodsOnNodes, SlotFilter } from './pods-on-nodes.ts';
import { ownerSpread } from './scores/owner-spread.ts';
import { type Feasible, type GroupScore, neighbours, softSpread } from './scores/pod-rules.ts';
import { cheapness } from './scores/price.ts';
import { type Topology, ZONE_KEY } from './topology.ts';

/** Why one node was refused. */
export interface NodeRefusal {
  readonly node: string;
  readonly refusals: readonly Refusal[];
}

/** Where a pod goes. `score` is 0..100. */
export interface Placed {
  readonly ok: true;
  readonly node: string;
  readonly score: number;
  readonly feasible: number;
  /** The node was judged by requests alone. */
  readonly staleTelemetry: boolean;
  /** Every feasible node is out of CPU headroom; the least loaded was taken. */
  readonly cpuSaturated: boolean;
}

/** For every node, by name, why not. */
export interface NotPlaced {
  readonly ok: false;
  readonly reasons: readonly NodeRefusal[];
}

/** The outcome of one decision. */
export type Placement = Placed | NotPlaced;

/** What the pods on the nodes mean for one newcomer. */
export interface PodRules {
  readonly filters: readonly SlotFilter<Refusal>[];
  readonly neighbours?: GroupScore | undefined;
  readonly softSpread?: GroupScore | undefined;
  readonly zones?: Topology | undefined;
}

/** The nodes by slot; a slot may be empty. `ranks` is their order by name. */
export interface NodeSlots {
  readonly nodes: readonly (NodeState | undefined)[];
  readonly ranks: Int32Array;
}

const NEIGHBOURS_WEIGHT = 25;
const SOFT_SPREAD_WEIGHT = 25;
const OWNER_SPREAD_WEIGHT = 10;
/**
 * A free node beside the dearest weighs as much as 15 percent of CPU above half load: price decides between nodes that are about
 * equally busy, and nothing else: beyond that the less busy one is taken, whatever it costs.
 */
const PRICE_WEIGHT = 20;
const GROUP_WEIGHT = NEIGHBOURS_WEIGHT + SOFT_SPREAD_WEIGHT + OWNER_SPREAD_WEIGHT + PRICE_WEIGHT;
/** What the weighted scores of a node are divided by to be 0..100. */
export const TOTAL_WEIGHT = NODE_WEIGHT + GROUP_WEIGHT;

/**
 * Chooses the node for a pod that has no rules about other pods: those that every filter lets pass, of them those with live CPU
 * headroom when there are any, of them the best score; equal scores go by name. The order of `nodes` does not matter. Pure.
 */
export function place(pod: PodToPlace, nodes: readonly NodeState[]): Placement {
  const candidates = newCandidates(nodes.length);
  for (const [slot, node] of nodes.entries()) judge(candidates, slot, pod, node);
  return placeAmong(candidates, { nodes, ranks: ranksOf(nodes) }, { filters: [] });
}

/** The rules between `pod` and the pods on the nodes. */
export function podRules(pod: PodToPlace, candidates: Candidates, on: PodsOnNodes): PodRules {
  const nodes = eligibility(candidates);
  return {
    filters: podFilters(pod, () => candidates, on),
    neighbours: neighbours(pod, on),
    softSpread: softSpread(pod, on, nodes),
    zones: pod.ownerUid === undefined || pod.spread.length > 0 ? undefined : on.topology(ZONE_KEY),
  };
}

/** The rules that keep the pod from nodes; the nodes are judged only for a pod that is to be spread over them. */
export function podFilters(pod: PodToPlace, judged: () => Candidates, on: PodsOnNodes): PodRules['filters'] {
  const spread = pod.spread.length === 0 ? [] : spreadFilters(pod, on, eligibility(judged()));
  return [...spread, ...affinityFilters(pod, on)];
}

/** Order of the nodes by name, by slot. */
export function ranksOf(nodes: readonly (NodeState | undefined)[]): Int32Array {
  const slots = nodes.flatMap((node, slot) => (node === undefined ? [] : [{ slot, name: node.name }]));
  slots.sort((a, b) => (a.name < b.name ? -1 : 1));
  const ranks = new Int32Array(nodes.length);
  for (const [rank, { slot }] of slots.entries()) ranks[slot] = rank;
  return ranks;
}

/**
 * The same choice among candidates that are judged already, under the rules between pods. Nodes in `except` are not taken. Costs
 * a few passes over the slots, whatever number of pods there is.
 */
export function placeAmong(
  candidates: Candidates,
  slots: NodeSlots,
  rules: PodRules,
  except?: ReadonlySet<number>,
): Placement {
  const { feasible, cpuSaturated } = feasibleSlots(candidates, rules, except);
  if (feasible.count === 0) return { ok: false, reasons: allRefusals(candidates, slots, rules, except) };
  const { slot, score } = best(candidates, slots, rules, feasible);
  const node = slots.nodes[slot];
  if (node === undefined) throw new Error('an empty slot was chosen');
  const staleTelemetry = node.live === undefined;
  return {
    ok: true,
    node: node.name,
    score: Math.round(score),
    feasible: feasible.count,
    staleTelemetry,
    cpuSaturated,
  };
}

function feasibleSlots(
  candidates: Candidates,
  rules: PodRules,
  except: ReadonlySet<number> | undefined,
): { feasible: Feasible; cpuSaturated: boolean } {
  const { flags, size, scratch: slots } = candidates;
  const ruled = rules.filters.length > 0;
  let count = 0;
  let withHeadroom = 0;
  for (let slot = 0; slot < size; slot++) {
    const flag = flags[slot] ?? 0;
    if (!fits(flag) || except?.has(slot) === true) continue;
    if (ruled && refusedBy(rules, slot) !== undefined) continue;
    slots[count++] = slot;
    if (hasHeadroom(flag)) withHeadroom++;
  }
  if (withHeadroom === 0 || withHeadroom === count)
    return { feasible: { slots, count }, cpuSaturated: withHeadroom === 0 };
  const narrowed = slots.subarray(0, count).filter((slot) => hasHeadroom(flags[slot] ?? 0));
  return { feasible: { slots: narrowed, count: narrowed.length }, cpuSaturated: false };
}

/** The first rule between pods that keeps the pod from this node. */
export function refusedBy({ filters }: PodRules, slot: number): Refusal | undefined {
  for (const filter of filters) {
    const refusal = filter(slot);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function best(
  candidates: Candidates,
  { ranks }: NodeSlots,
  rules: PodRules,
  feasible: Feasible,
): { slot: number; score: number } {
  const { scores } = candidates;
  const { slots, count } = feasible;
  const points = groupPoints(candidates, rules, feasible);
  let slot = -1;
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const next = slots[i] ?? 0;
    const sum = (scores[next] ?? 0) + (points === undefined ? GROUP_WEIGHT * 100 : (points[next] ?? 0));
    if (sum > top || (sum === top && (ranks[next] ?? 0) < (ranks[slot] ?? 0))) {
      slot = next;
      top = sum;
    }
  }
  return { slot, score: top / TOTAL_WEIGHT };
}

/** Weighted scores of feasible slots in relation to one another. */
export interface GroupMerits {
  readonly rules: (slot: number) => number;
  readonly price: (slot: number) => number;
}

/** What the nodes are for the pod beside one another: pods near it and spread, and price. */
export function groupMerits(candidates: Candidates, rules: PodRules, feasible: Feasible): GroupMerits {
  const { near, even, spread, cheap } = groupScores(candidates, rules, feasible);
  return {
    rules: (slot) =>
      NEIGHBOURS_WEIGHT * (near === undefined ? 100 : (near[slot] ?? 0)) +
      SOFT_SPREAD_WEIGHT * (even === undefined ? 100 : (even[slot] ?? 0)) +
      OWNER_SPREAD_WEIGHT * (spread === undefined ? 100 : spread(slot)),
    price: (slot) => PRICE_WEIGHT * (cheap === undefined ? 100 : cheap(slot)),
  };
}

interface GroupScores {
  readonly near: Float64Array | undefined;
  readonly even: Float64Array | undefined;
  readonly spread: ((slot: number) => number) | undefined;
  readonly cheap: ((slot: number) => number) | undefined;
}

function groupScores(candidates: Candidates, rules: PodRules, feasible: Feasible): GroupScores {
  return {
    near: rules.neighbours?.(feasible),
    even: rules.softSpread?.(feasible),
    spread: ownerSpread(candidates, rules.zones, feasible),
    cheap: cheapness(candidates, feasible),
  };
}

/** All of that added up, by slot; undefined when all nodes are worth all there is. */
function groupPoints(candidates: Candidates, rules: PodRules, feasible: Feasible): Float64Array | undefined {
  const { near, even, spread, cheap } = groupScores(candidates, rules, feasible);
  if (near === undefined && even === undefined && spread === undefined && cheap === undefined)
    return undefined;
  const { slots, count } = feasible;
  const points = candidates.points;
  for (let i = 0; i < count; i++) {
    const slot = slots[i] ?? 0;
    points[slot] =
      NEIGHBOURS_WEIGHT * (near === undefined ? 100 : (near[slot] ?? 0)) +
      SOFT_SPREAD_WEIGHT * (even === undefined ? 100 : (even[slot] ?? 0)) +
      OWNER_SPREAD_WEIGHT * (spread === undefined ? 100 : spread(slot)) +
      PRICE_WEIGHT * (cheap === undefined ? 100 : cheap(slot));
  }
  return points;
}

function allRefusals(
  candidates: Candidates,
  { nodes, ranks }: NodeSlots,
  rules: PodRules,
  except: ReadonlySet<number> | undefined,
): NodeRefusal[] {
  const reasons: NodeRefusal[] = new Array(nodes.length);
  let count = 0;
  for (const [slot, node] of nodes.entries()) {
    if (node === undefined) continue;
    count++;
    const refusals = refusalsAt(candidates, slot, rules, except);
    reasons[ranks[slot] ?? 0] = { node: node.name, refusals };
  }
  reasons.length = count;
  return reasons;
}

const PROMISED: readonly Refusal[] = [
  { kind: 'resources', reason: 'node(s) had room only for pods that preempted others' },
];
const UNNAMED: readonly Refusal[] = [
  { kind: 'node', reason: "node(s) didn't match Pod's node affinity/selector", final: true },
];

function refusalsAt(
  { refusals, flags }: Candidates,
  slot: number,
  rules: PodRules,
  except: ReadonlySet<number> | undefined,
): readonly Refusal[] {
  const own = refusals[slot] ?? [];
  if (own.length > 0) return own;
  // Nodes that the pod does not name are not judged at all.
  if (flags[slot] === 0) return UNNAMED;
  const rule = refusedBy(rules, slot);
  if (rule !== undefined) return [rule];
  return except?.has(slot) === true ? PROMISED : [];
}
