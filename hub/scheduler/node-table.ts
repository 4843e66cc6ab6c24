import { emptyNode, type NodeTraits, type OwnNodeState } from '../decide/node-state.ts';
import { type NodeSlots, ranksOf } from '../decide/place.ts';
import type { Topology } from '../decide/topology.ts';

interface OwnTopology {
  domainOf: Int32Array;
  values: number;
  readonly indices: Map<string, number>;
}

const FIRST_CAPACITY = 64;

/**
 * The nodes, each under a slot that it keeps while it exists, so that facts about nodes live in flat arrays. A node's version
 * rises whenever anything about it changes; slots are used again, versions never.
 */
export class NodeTable implements NodeSlots {
  readonly nodes: (OwnNodeState | undefined)[] = [];
  versions = new Float64Array(FIRST_CAPACITY);
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  readonly #topologies = new Map<string, OwnTopology>();
  #ranks: Int32Array | undefined;
  #version = 0;

  /** Slots below this may hold a node. */
  get size(): number {
    return this.nodes.length;
  }

  /** Rises with every change of any node. */
  get version(): number {
    return this.#version;
  }

  /** Nodes there are. */
  get count(): number {
    return this.#slots.size;
  }

  /** How many slots arrays by slot need room for; grows by doubling. */
  get capacity(): number {
    return this.versions.length;
  }

  get ranks(): Int32Array {
    this.#ranks ??= ranksOf(this.nodes);
    return this.#ranks;
  }

  slotOf(name: string): number | undefined {
    return this.#slots.get(name);
  }

  at(slot: number): OwnNodeState | undefined {
    return this.nodes[slot];
  }

  get(name: string): OwnNodeState | undefined {
    const slot = this.#slots.get(name);
    return slot === undefined ? undefined : this.nodes[slot];
  }

  names(): Iterable<string> {
    return this.#slots.keys();
  }

  /** Notes that something about the node changed. */
  touch(slot: number): void {
    this.versions[slot] = ++this.#version;
  }

  /** Adds a node without pods, or replaces what the object of one says and keeps its pods. */
  set(traits: NodeTraits): number {
    const present = this.#slots.get(traits.name);
    const slot = present ?? this.#take(traits.name);
    const before = this.nodes[slot];
    this.nodes[slot] = before === undefined ? emptyNode(traits) : { ...before, ...traits };
    for (const [key, topology] of this.#topologies) this.#place(topology, slot, traits.labels[key]);
    this.touch(slot);
    return slot;
  }

  /** Forgets a node whose pods have been taken off. */
  remove(name: string): void {
    const slot = this.#slots.get(name);
    if (slot === undefined) return;
    this.#slots.delete(name);
    this.nodes[slot] = undefined;
    this.#free.push(slot);
    this.#ranks = undefined;
    for (const topology of this.#topologies.values()) topology.domainOf[slot] = -1;
    this.touch(slot);
  }

  /** The values of a label over all nodes, kept up to date from the first time somebody asks. */
  topology(key: string): Topology {
    let topology = this.#topologies.get(key);
    // Values of nodes long gone are dropped once they are the most.
    if (topology === undefined || topology.values > 2 * this.size + FIRST_CAPACITY) {
      topology = { domainOf: new Int32Array(this.capacity).fill(-1), values: 0, indices: new Map() };
      this.#topologies.set(key, topology);
      for (const [slot, node] of this.nodes.entries()) this.#place(topology, slot, node?.labels[key]);
    }
    return topology;
  }

  #place(topology: OwnTopology, slot: number, value: string | undefined): void {
    if (value === undefined) {
      topology.domainOf[slot] = -1;
      return;
    }
    let index = topology.indices.get(value);
    if (index === undefined) {
      index = topology.values++;
      topology.indices.set(value, index);
    }
    topology.domainOf[slot] = index;
  }

  #take(name: string): number {
    const slot = this.#free.pop() ?? this.nodes.length;
    if (slot === this.capacity) this.#grow();
    if (slot === this.nodes.length) this.nodes.push(undefined);
    this.#slots.set(name, slot);
    this.#ranks = undefined;
    return slot;
  }

  #grow(): void {
    const capacity = 2 * this.capacity;
    const versions = new Float64Array(capacity);
    versions.set(this.versions);
    this.versions = versions;
    for (const topology of this.#topologies.values()) {
      const domainOf = new Int32Array(capacity).fill(-1);
      domainOf.set(topology.domainOf);
      topology.domainOf = domainOf;
    }
  }
}
