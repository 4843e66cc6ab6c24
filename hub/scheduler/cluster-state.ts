import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ClusterView } from '../cluster.ts';
import { type Assumption, isCovered } from '../decide/assume.ts';
import {
  addUse,
  type LiveState,
  type LiveUse,
  type NodeState,
  nodeState,
  type PodToPlace,
  podToPlace,
  withLive,
  withPod,
} from '../decide/node-state.ts';
import { isTerminal } from '../decide/pod-facts.ts';

/** Fresh telemetry of a node as placement needs it, with until when it speaks (monotonic ms) and its window. */
export interface LiveTelemetry extends LiveState {
  readonly confirmedAtMs: number;
  readonly windowMs: number;
}

/** Answers undefined when telemetry is stale or was never there. */
export type ReadLive = (node: string) => LiveTelemetry | undefined;

interface Placed extends Assumption {
  readonly pod: PodToPlace;
  readonly runningSinceMs: number | undefined;
}

const NOTHING: LiveUse = { cpuMilli: 0, memoryBytes: 0 };

/**
 * Node states for the next placements: sums over bound pods, kept until a pod or node changes, plus what was placed and is not yet
 * visible in the view or in telemetry. Invariant: `#placed` holds every pod placed here whose use telemetry does not show.
 */
export class ClusterState {
  readonly #view: ClusterView;
  readonly #live: ReadLive;
  readonly #sums = new Map<string, NodeState>();
  readonly #placed = new Map<string, Placed>();

  constructor(view: ClusterView, live: ReadLive) {
    this.#view = view;
    this.#live = live;
  }

  /** A node or one of its pods changed. */
  invalidate(node: string): void {
    this.#sums.delete(node);
  }

  /** `pod` is as good as on `node`; holds until `forget` or until telemetry shows it. */
  assume(pod: PodToPlace, node: string): void {
    this.#placed.set(pod.uid, { pod, node, runningSinceMs: undefined });
  }

  /** The pod is gone, or was not bound after all. */
  forget(uid: string): void {
    this.#placed.delete(uid);
  }

  /** A bound pod as the view shows it now; notes when it begins to run, at `nowMs` (monotonic). */
  observe(pod: Pod, nowMs: number): void {
    const { uid } = pod.metadata;
    if (isTerminal(pod)) {
      this.#placed.delete(uid);
      return;
    }
    const placed = this.#placed.get(uid);
    const running = pod.status?.phase === 'Running';
    if (placed !== undefined && running && placed.runningSinceMs === undefined) {
      this.#placed.set(uid, { ...placed, runningSinceMs: nowMs });
    }
  }

  /** States of all nodes for one burst of placements. */
  nodes(): NodeState[] {
    const sums = this.#view.list('Node').map((node) => this.#sum(node));
    const placedOn = new Map<string, Placed[]>();
    for (const placed of this.#placed.values()) {
      const others = placedOn.get(placed.node);
      if (others === undefined) placedOn.set(placed.node, [placed]);
      else others.push(placed);
    }
    return sums.map((sum) => this.#withPlaced(sum, placedOn.get(sum.name) ?? []));
  }

  #withPlaced(sum: NodeState, placed: readonly Placed[]): NodeState {
    const { name } = sum;
    const live = this.#live(name);
    let state = sum;
    let pending = NOTHING;
    for (const entry of placed) {
      const bound = this.#view.byUid('Pod', entry.pod.uid)?.spec.nodeName === name;
      if (isCovered(entry, live)) {
        this.#placed.delete(entry.pod.uid);
        continue;
      }
      // In flight: not yet among the pods that the view shows on the node.
      if (!bound) state = withPod(state, entry.pod, false);
      pending = addUse(pending, entry.pod.estimate);
    }
    return withLive(state, live, pending);
  }

  #sum(node: Node): NodeState {
    const { name } = node.metadata;
    const known = this.#sums.get(name);
    if (known !== undefined) return known;
    const pods = this.#view.podsOnNode(name);
    // After a restart of the hub: pods that were bound and have not started yet are as fresh as those placed now.
    for (const pod of pods) {
      const { uid } = pod.metadata;
      const starting = !isTerminal(pod) && pod.status?.phase !== 'Running';
      if (starting && !this.#placed.has(uid)) {
        this.#placed.set(uid, { pod: podToPlace(pod), node: name, runningSinceMs: undefined });
      }
    }
    const state = nodeState(node, pods);
    this.#sums.set(name, state);
    return state;
  }
}
