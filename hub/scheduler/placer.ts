import { type Candidates, judge, newCandidates, nodeRefusals } from '../decide/candidates.ts';
import { namedNodes } from '../decide/filters/node-match.ts';
import { type Placement, placeAmong, podFilters, podRules, refusedBy } from '../decide/place.ts';
import { nodeClassOf, type PodToPlace } from '../decide/pod-to-place.ts';
import type { ClusterState, Resident } from './cluster-state.ts';

interface PodClass {
  readonly candidates: Candidates;
  /** Version of each node as it was judged. */
  readonly seen: Float64Array;
}

/** Bounds what is kept of judged nodes: so many slots over all classes, and so many classes. */
const MAX_KEPT_SLOTS = 250_000;
const MAX_CLASSES = 1_024;

/**
 * Takes decisions on the state of now. Nodes are judged once for each class of pods that no filter can tell apart, and again only
 * when they change; what is left for each decision is one pass over flat arrays.
 */
export class Placer {
  readonly #state: ClusterState;
  /** Least recently used first. */
  readonly #classes = new Map<string, PodClass>();

  constructor(state: ClusterState) {
    this.#state = state;
  }

  /** Where the pod goes, or why nowhere. Pods in `promised` count as if they were where they were promised to be. */
  place(pod: PodToPlace, promised: readonly Resident[] = []): Placement {
    const candidates = this.candidatesOf(pod);
    const rules = podRules(pod, candidates, this.#state);
    let except: Set<number> | undefined;
    for (;;) {
      const placement = placeAmong(candidates, this.#state.nodes, rules, except);
      if (!placement.ok || promised.length === 0) return placement;
      if (this.isFree(pod, placement.node, promised)) return placement;
      except ??= new Set();
      except.add(this.#state.nodes.slotOf(placement.node) ?? -1);
    }
  }

  /** The same with one node to choose from. */
  placeOn(pod: PodToPlace, node: string, promised: readonly Resident[]): Placement | undefined {
    const only = this.#state.nodes.slotOf(node);
    if (only === undefined) return undefined;
    if (!this.isFree(pod, node, promised)) return undefined;
    const candidates = this.candidatesOf(pod);
    const except = new Set<number>();
    for (let slot = 0; slot < candidates.size; slot++) if (slot !== only) except.add(slot);
    const { nodes } = this.#state;
    const placement = placeAmong(candidates, nodes, podRules(pod, candidates, this.#state), except);
    return placement.ok ? placement : undefined;
  }

  /** True when the node can take the pod beside those who were promised room; of those elsewhere only rules are felt here. */
  isFree(pod: PodToPlace, node: string, promised: readonly Resident[]): boolean {
    const felt = promised.filter((p) => p.node === node || hasRules(pod) || hasRules(p.pod));
    return this.#state.supposing([], felt, () => this.fits(pod, node));
  }

  /** True when the node can take the pod as everything is now. */
  fits(pod: PodToPlace, nodeName: string): boolean {
    const slot = this.#state.nodes.slotOf(nodeName);
    const node = slot === undefined ? undefined : this.#state.nodes.at(slot);
    if (slot === undefined || node === undefined || nodeRefusals(pod, node).length > 0) return false;
    // Preemption asks this thousands of times in one decision: it must not look at all nodes.
    const filters = podFilters(pod, () => this.candidatesOf(pod), this.#state);
    return refusedBy({ filters }, slot) === undefined;
  }

  /** True when the node by itself can take the pod, whatever the rules between pods say. */
  fitsAlone(pod: PodToPlace, nodeName: string): boolean {
    const node = this.#state.nodes.get(nodeName);
    return node !== undefined && nodeRefusals(pod, node).length === 0;
  }

  /** The nodes as judged for pods like this one; good until the state changes. */
  candidatesOf(pod: PodToPlace): Candidates {
    const named = pod.spread.length > 0 ? undefined : namedNodes(pod);
    if (named !== undefined) return this.#judgeNamed(pod, named);
    const { nodes } = this.#state;
    const { candidates, seen } = this.#classOf(pod);
    const { versions, size } = nodes;
    candidates.size = size;
    for (let slot = 0; slot < size; slot++) {
      const version = versions[slot] ?? 0;
      if (seen[slot] === version) continue;
      judge(candidates, slot, pod, nodes.at(slot));
      seen[slot] = version;
    }
    return candidates;
  }

  /** A pod that names its nodes is one of its kind, so nothing is kept of it, and no other node is looked at. */
  #judgeNamed(pod: PodToPlace, names: ReadonlySet<string>): Candidates {
    const { nodes } = this.#state;
    const candidates = newCandidates(nodes.size);
    for (const name of names) {
      const slot = nodes.slotOf(name);
      if (slot !== undefined) judge(candidates, slot, pod, nodes.at(slot));
    }
    return candidates;
  }

  #classOf(pod: PodToPlace): PodClass {
    const key = nodeClassOf(pod);
    const { capacity } = this.#state.nodes;
    let found = this.#classes.get(key);
    if (found !== undefined) this.#classes.delete(key);
    if (found === undefined || found.seen.length < capacity) {
      found = { candidates: newCandidates(capacity), seen: new Float64Array(capacity) };
    }
    this.#classes.set(key, found);
    const most = Math.min(MAX_CLASSES, Math.max(16, MAX_KEPT_SLOTS / capacity));
    for (const oldest of this.#classes.keys()) {
      if (this.#classes.size <= most) break;
      this.#classes.delete(oldest);
    }
    return found;
  }
}

/** True when where others are can keep the pod from a node, or the pod others. */
function hasRules({ affinity, spread }: PodToPlace): boolean {
  return affinity.required.length + affinity.requiredAnti.length + spread.length > 0;
}
