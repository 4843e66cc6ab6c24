import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ClusterView } from '../cluster.ts';
import type { Labelled, NamespaceLabels, PodSelector } from '../decide/affinity.ts';
import { type Assumption, isCovered } from '../decide/assume.ts';
import {
  addPod,
  addUse,
  type LiveState,
  nodeTraits,
  type OwnNodeState,
  removePod,
  sameLive,
} from '../decide/node-state.ts';
import { isTerminal } from '../decide/pod-facts.ts';
import { type PodToPlace, podToPlace } from '../decide/pod-to-place.ts';
import type { PodsOnNodes, StandingRule } from '../decide/pods-on-nodes.ts';
import type { Topology } from '../decide/topology.ts';
import { ImageCatalog } from './image-catalog.ts';
import { NodeTable } from './node-table.ts';
import { PodCounts } from './pod-counts.ts';

/** Fresh telemetry of a node as placement needs it, with until when it speaks (monotonic ms) and its window. */
export interface LiveTelemetry extends LiveState {
  readonly confirmedAtMs: number;
  readonly windowMs: number;
}

/** Answers undefined when telemetry is stale or was never there. */
export type ReadLive = (node: string) => LiveTelemetry | undefined;

/** A pod that is on a node, or as good as: placed and not yet seen there. */
export interface Resident {
  readonly pod: PodToPlace;
  readonly node: string;
}

interface Entry extends Resident, Assumption {
  pod: PodToPlace;
  runningSinceMs: number | undefined;
}

const NOBODY: ReadonlySet<Entry> = new Set();

/**
 * The cluster as placement sees it, kept up to date change by change. Invariants: every node's sums and all counts are those of the
 * residents known; `#fresh` holds the residents whose use telemetry does not show yet. A resident of an unknown node waits for it.
 */
export class ClusterState implements PodsOnNodes {
  readonly nodes = new NodeTable();
  readonly images = new ImageCatalog(() => this.nodes.nodes);
  readonly namespaceLabels: NamespaceLabels;
  readonly #live: ReadLive;
  readonly #counts: PodCounts;
  readonly #residents = new Map<string, Entry>();
  readonly #byNode = new Map<string, Set<Entry>>();
  readonly #fresh = new Map<string, Set<Entry>>();
  readonly #priorities = new Map<number, number>();
  /** Names of nodes that have told their load at some time, and of ready ones that have not. */
  readonly #told = new Set<string>();
  readonly #untold = new Set<string>();

  constructor(view: Pick<ClusterView, 'get'>, live: ReadLive) {
    this.#live = live;
    this.namespaceLabels = (name) => view.get('Namespace', '', name)?.metadata.labels;
    this.#counts = new PodCounts(this.namespaceLabels, () => this.nodes.capacity);
  }

  get size(): number {
    return this.nodes.size;
  }

  /** The lowest priority of any pod on a node; Infinity when there is none. */
  get lowestPriority(): number {
    return Math.min(...this.#priorities.keys());
  }

  topology(key: string): Topology {
    return this.nodes.topology(key);
  }

  counts(selectors: readonly PodSelector[], withTerminating: boolean): Int32Array {
    return this.#counts.counts(selectors, withTerminating);
  }

  rulesAbout(pod: Labelled): readonly StandingRule[] {
    return this.#counts.rulesAbout(pod);
  }

  /** Labels of a namespace changed. */
  namespacesChanged(): void {
    this.#counts.namespacesChanged();
  }

  /** A node came or changed. */
  setNode(node: Node): void {
    const { name } = node.metadata;
    const isNew = this.nodes.slotOf(name) === undefined;
    const before = this.nodes.get(name)?.foreignImages.size ?? 0;
    const traits = nodeTraits(node);
    const slot = this.nodes.set(traits);
    if (before + traits.foreignImages.size > 0) this.images.changed();
    if (isNew) {
      for (const entry of this.#byNode.get(name) ?? NOBODY) this.#enter(entry.pod, slot);
      const state = this.nodes.at(slot);
      if (state !== undefined) state.levelled = this.#untold.size > 0;
      this.refreshNode(name);
    }
    this.#noteTold(name, traits.ready);
  }

  /** A node is gone; its pods are not yet. */
  removeNode(name: string): void {
    const slot = this.nodes.slotOf(name);
    if (slot === undefined) return;
    for (const entry of this.#byNode.get(name) ?? NOBODY) this.#leave(entry.pod, slot);
    if ((this.nodes.at(slot)?.foreignImages.size ?? 0) > 0) this.images.changed();
    this.nodes.remove(name);
    this.#told.delete(name);
    this.#noteTold(name, false);
  }

  /** `pod` is as good as on `node`, until it is forgotten or observed elsewhere. */
  assume(pod: PodToPlace, node: string): void {
    this.forget(pod.uid);
    this.#settle({ pod, node, runningSinceMs: undefined }, true);
  }

  /** The pod is gone, or was not bound after all. */
  forget(uid: string): void {
    const entry = this.#residents.get(uid);
    if (entry === undefined) return;
    this.#residents.delete(uid);
    take(this.#byNode, entry);
    const slot = this.nodes.slotOf(entry.node);
    if (slot !== undefined) this.#leave(entry.pod, slot);
    this.#setFresh(entry, false);
    count(this.#priorities, entry.pod.priority, -1);
  }

  /** A bound pod as the view shows it now; notes when it begins to run, at `nowMs` (monotonic). True when it left its room free. */
  observe(pod: Pod, nowMs: number): boolean {
    const { uid, labels, deletionTimestamp } = pod.metadata;
    const { nodeName } = pod.spec;
    const entry = this.#residents.get(uid);
    if (nodeName === undefined || isTerminal(pod)) {
      this.forget(uid);
      return entry !== undefined;
    }
    const running = pod.status?.phase === 'Running';
    if (entry === undefined || entry.node !== nodeName) {
      this.forget(uid);
      // After a restart of the hub: pods that were bound and have not started yet are as fresh as those placed now.
      this.#settle({ pod: podToPlace(pod), node: nodeName, runningSinceMs: undefined }, !running);
      return entry !== undefined;
    }
    if (running) entry.runningSinceMs ??= nowMs;
    if (
      entry.pod.terminating !== (deletionTimestamp !== undefined) ||
      !sameLabels(entry.pod.labels, labels)
    ) {
      this.#replace(entry, podToPlace(pod));
    }
    return false;
  }

  /** Pods on a node, in no order. */
  residents(node: string): Iterable<Resident> {
    return this.#byNode.get(node) ?? NOBODY;
  }

  /** Where the pod is, or is as good as. */
  resident(uid: string): Resident | undefined {
    return this.#residents.get(uid);
  }

  /** Thinks pods away, or others added, while `look` looks; everything is as before afterwards. */
  supposing<T>(absent: readonly Resident[], extra: readonly Resident[], look: () => T): T {
    for (const resident of absent) this.think(resident, 'away');
    for (const resident of extra) this.think(resident, 'there');
    try {
      return look();
    } finally {
      for (const resident of extra) this.think(resident, 'away');
      for (const resident of absent) this.think(resident, 'there');
    }
  }

  /** One step of supposing, for those who undo it themselves: nothing but sums and counts changes. */
  think({ pod, node }: Resident, how: 'away' | 'there'): void {
    const slot = this.nodes.slotOf(node);
    const state = slot === undefined ? undefined : this.nodes.at(slot);
    if (slot === undefined || state === undefined) return;
    if (how === 'there') this.#enter(pod, slot);
    else this.#leave(pod, slot);
    state.assumed = addUse(state.assumed, pod.estimate, how === 'there' ? 1 : -1);
  }

  /** Takes over what telemetry says now of all nodes. */
  refreshLive(): void {
    for (const name of this.nodes.names()) this.refreshNode(name);
  }

  /** The same for one node. */
  refreshNode(name: string): void {
    const node = this.nodes.get(name);
    if (node === undefined) return;
    const live = this.#live(name);
    for (const entry of this.#fresh.get(name) ?? NOBODY) {
      if (isCovered(entry, live)) this.#setFresh(entry, false);
    }
    if (sameLive(node.live, live)) return;
    node.live = live;
    this.#touch(node);
    if (live !== undefined && !this.#told.has(name)) {
      this.#told.add(name);
      this.#noteTold(name, node.ready);
    }
  }

  /** Whether all ready nodes have told their load decides how loads below half compare; it changes for all of them at once. */
  #noteTold(name: string, ready: boolean): void {
    const before = this.#untold.size > 0;
    if (ready && !this.#told.has(name)) this.#untold.add(name);
    else this.#untold.delete(name);
    const levelled = this.#untold.size > 0;
    if (levelled === before) return;
    for (const node of this.nodes.nodes) {
      if (node === undefined) continue;
      node.levelled = levelled;
      this.#touch(node);
    }
  }

  #settle(entry: Entry, fresh: boolean): void {
    this.#residents.set(entry.pod.uid, entry);
    put(this.#byNode, entry);
    const slot = this.nodes.slotOf(entry.node);
    if (slot !== undefined) this.#enter(entry.pod, slot);
    if (fresh) this.#setFresh(entry, true);
    count(this.#priorities, entry.pod.priority, 1);
  }

  #replace(entry: Entry, pod: PodToPlace): void {
    const slot = this.nodes.slotOf(entry.node);
    const wasFresh = this.#fresh.get(entry.node)?.has(entry) === true;
    if (slot !== undefined) this.#leave(entry.pod, slot);
    if (wasFresh) this.#setFresh(entry, false);
    count(this.#priorities, entry.pod.priority, -1);
    entry.pod = pod;
    count(this.#priorities, pod.priority, 1);
    if (slot !== undefined) this.#enter(pod, slot);
    if (wasFresh) this.#setFresh(entry, true);
  }

  #enter(pod: PodToPlace, slot: number): void {
    const node = this.nodes.at(slot);
    if (node === undefined) return;
    addPod(node, pod);
    this.#counts.add(pod, slot);
    this.nodes.touch(slot);
  }

  #leave(pod: PodToPlace, slot: number): void {
    const node = this.nodes.at(slot);
    if (node === undefined) return;
    removePod(node, pod);
    this.#counts.remove(pod, slot);
    this.nodes.touch(slot);
  }

  #setFresh(entry: Entry, fresh: boolean): void {
    const isFresh = this.#fresh.get(entry.node)?.has(entry) === true;
    if (isFresh === fresh) return;
    if (fresh) put(this.#fresh, entry);
    else take(this.#fresh, entry);
    const node = this.nodes.get(entry.node);
    if (node === undefined) return;
    node.assumed = addUse(node.assumed, entry.pod.estimate, fresh ? 1 : -1);
    this.#touch(node);
  }

  #touch(node: OwnNodeState): void {
    const slot = this.nodes.slotOf(node.name);
    if (slot !== undefined) this.nodes.touch(slot);
  }
}

function put(sets: Map<string, Set<Entry>>, entry: Entry): void {
  const set = sets.get(entry.node);
  if (set === undefined) sets.set(entry.node, new Set([entry]));
  else set.add(entry);
}

function take(sets: Map<string, Set<Entry>>, entry: Entry): void {
  const set = sets.get(entry.node);
  set?.delete(entry);
  if (set?.size === 0) sets.delete(entry.node);
}

function count(counts: Map<number, number>, key: number, by: number): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}

function sameLabels(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>> | undefined,
): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b ?? {}).length) return false;
  return keys.every((key) => a[key] === b?.[key]);
}
