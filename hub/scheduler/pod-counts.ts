import {
  type Labelled,
  type NamespaceLabels,
  NO_AFFINITY,
  type PodSelector,
  type PodTerm,
  selects,
} from '../decide/affinity.ts';
import type { PodToPlace } from '../decide/pod-to-place.ts';
import type { StandingRule } from '../decide/pods-on-nodes.ts';

/** Pods with the same labels in the same namespace; rules are compared to this once instead of to each pod. */
interface Kin extends Labelled {
  readonly key: string;
  readonly terminating: boolean;
  /** Pods by slot. */
  readonly nodes: Map<number, number>;
  /** Counters and rules that select these pods, of those compared so far. */
  counters: Counter[];
  countersSeen: number;
  rules: Rule[];
  rulesSeen: number;
}

interface Counter {
  readonly key: string;
  readonly selectors: readonly PodSelector[];
  readonly withTerminating: boolean;
  readonly byNamespaceLabels: boolean;
  perNode: Int32Array;
  usedAt: number;
}

interface Rule extends StandingRule {
  readonly key: string;
  readonly selector: PodSelector;
  readonly nodes: Map<number, number>;
}

/** Kubernetes' weight of required affinity of a pod that is there for newcomers that match it. */
const HARD_AFFINITY_WEIGHT = 1;
const NO_TERMS: (readonly [PodTerm, number])[] = [];
/** Counters kept are bounded by the room they take: so many slots over all of them, within limits. */
const MAX_COUNTED_SLOTS = 4_000_000;
const MIN_COUNTERS = 256;
const MAX_COUNTERS = 8_192;
const MAX_EMPTY_KIN = 1024;

/**
 * How many pods of which labels and with which rules each node has. A pod that comes or goes costs the few counters and rules that
 * concern it; what is asked first is counted once from the label sets, never from the pods. Slots are those of the node table.
 */
export class PodCounts {
  readonly #namespaceLabels: NamespaceLabels;
  readonly #capacity: () => number;
  readonly #maxCounters: number;
  readonly #kin = new Map<string, Kin>();
  readonly #counters = new Map<string, Counter>();
  readonly #rules = new Map<string, Rule>();
  /** The same in order of arrival, for those who compare as far as they have not; gone ones stay until the list is made anew. */
  #counterList: Counter[] = [];
  #ruleList: Rule[] = [];
  #emptyKin = 0;
  /** Labels as text: the same pods come and go in every trial. */
  readonly #texts = new WeakMap<object, string>();
  #uses = 0;

  constructor(namespaceLabels: NamespaceLabels, capacity: () => number, maxCounters = MAX_COUNTERS) {
    this.#namespaceLabels = namespaceLabels;
    this.#capacity = capacity;
    this.#maxCounters = maxCounters;
  }

  /** A pod is on a node now. */
  add(pod: PodToPlace, slot: number): void {
    this.#count(pod, slot, 1);
  }

  /** A pod that was added has left. */
  remove(pod: PodToPlace, slot: number): void {
    this.#count(pod, slot, -1);
  }

  /** Pods by slot that all the selectors select. */
  counts(selectors: readonly PodSelector[], withTerminating: boolean): Int32Array {
    const key = `${withTerminating ? '+' : '-'}${selectors.map((s) => s.key).join('&')}`;
    const counter = this.#counters.get(key) ?? this.#newCounter(key, selectors, withTerminating);
    counter.usedAt = ++this.#uses;
    if (counter.perNode.length < this.#capacity()) counter.perNode = grown(counter.perNode, this.#capacity());
    return counter.perNode;
  }

  /** Rules of pods on nodes that select this pod. */
  rulesAbout(pod: Labelled): readonly StandingRule[] {
    if (this.#rules.size === 0) return [];
    this.#dropEmptyKin();
    const kin = this.#kinOf(pod, false);
    this.#catchUpRules(kin);
    return kin.rules;
  }

  /** Labels of a namespace changed: what selects namespaces by labels is compared anew. */
  namespacesChanged(): void {
    for (const counter of this.#counters.values()) {
      if (counter.byNamespaceLabels) this.#counters.delete(counter.key);
    }
    this.#compactCounters();
    this.#compactRules();
  }

  #count(pod: PodToPlace, slot: number, sign: 1 | -1): void {
    const kin = this.#kinOf(pod, pod.terminating);
    this.#catchUpCounters(kin);
    const wasEmpty = kin.nodes.size === 0;
    bump(kin.nodes, slot, sign);
    const isEmpty = kin.nodes.size === 0;
    if (wasEmpty !== isEmpty) this.#emptyKin += isEmpty ? 1 : -1;
    for (const counter of kin.counters) this.#addTo(counter, slot, sign);
    for (const [term, weight] of standingTerms(pod)) this.#countRule(term, weight, slot, sign);
    this.#dropEmptyKin();
  }

  #countRule(term: PodTerm, weight: number, slot: number, sign: 1 | -1): void {
    const { topologyKey, selector } = term;
    const key = `${weight}|${topologyKey}|${selector.key}`;
    let rule = this.#rules.get(key);
    if (rule === undefined) {
      rule = { key, topologyKey, selector, weight, nodes: new Map() };
      this.#rules.set(key, rule);
      this.#ruleList.push(rule);
    }
    bump(rule.nodes, slot, sign);
    if (rule.nodes.size > 0) return;
    this.#rules.delete(key);
    if (this.#ruleList.length > 2 * this.#rules.size + 64) this.#compactRules();
  }

  #kinOf({ namespace, labels }: Labelled, terminating: boolean): Kin {
    const text = this.#texts.get(labels) ?? JSON.stringify(labels);
    this.#texts.set(labels, text);
    const key = `${terminating ? '-' : '+'}${namespace}/${text}`;
    let kin = this.#kin.get(key);
    if (kin === undefined) {
      const empty = {
        nodes: new Map<number, number>(),
        counters: [],
        countersSeen: 0,
        rules: [],
        rulesSeen: 0,
      };
      kin = { key, namespace, labels, terminating, ...empty };
      this.#kin.set(key, kin);
      this.#emptyKin++;
    }
    return kin;
  }

  #newCounter(key: string, selectors: readonly PodSelector[], withTerminating: boolean): Counter {
    const room = Math.max(MIN_COUNTERS, MAX_COUNTED_SLOTS / this.#capacity());
    if (this.#counters.size >= Math.min(this.#maxCounters, room)) this.#dropOldCounters();
    const perNode = new Int32Array(this.#capacity());
    const byNamespaceLabels = selectors.some((s) => s.namespaceRequirements !== undefined);
    const counter: Counter = { key, selectors, withTerminating, byNamespaceLabels, perNode, usedAt: 0 };
    this.#counters.set(key, counter);
    this.#counterList.push(counter);
    for (const kin of this.#kin.values()) if (kin.nodes.size > 0) this.#catchUpCounters(kin);
    return counter;
  }

  /** Compares the label set to the counters it has not been compared to, and counts its pods there. */
  #catchUpCounters(kin: Kin): void {
    for (; kin.countersSeen < this.#counterList.length; kin.countersSeen++) {
      const counter = this.#counterList[kin.countersSeen];
      if (counter === undefined || (kin.terminating && !counter.withTerminating)) continue;
      if (!counter.selectors.every((s) => selects(s, kin, this.#namespaceLabels))) continue;
      kin.counters.push(counter);
      for (const [slot, n] of kin.nodes) this.#addTo(counter, slot, n);
    }
  }

  #addTo(counter: Counter, slot: number, n: number): void {
    if (slot >= counter.perNode.length) counter.perNode = grown(counter.perNode, this.#capacity());
    counter.perNode[slot] = (counter.perNode[slot] ?? 0) + n;
  }

  #catchUpRules(kin: Kin): void {
    for (; kin.rulesSeen < this.#ruleList.length; kin.rulesSeen++) {
      const rule = this.#ruleList[kin.rulesSeen];
      if (rule !== undefined && selects(rule.selector, kin, this.#namespaceLabels)) kin.rules.push(rule);
    }
  }

  #dropOldCounters(): void {
    const byUse = [...this.#counters.values()].sort((a, b) => a.usedAt - b.usedAt);
    for (const { key } of byUse.slice(0, byUse.length / 2)) this.#counters.delete(key);
    this.#compactCounters();
  }

  /** Every label set with pods has been compared to all counters, so what is left of its own is complete. */
  #compactCounters(): void {
    this.#counterList = [...this.#counters.values()];
    const alive = new Set(this.#counterList);
    for (const kin of this.#kin.values()) {
      kin.counters = kin.nodes.size === 0 ? [] : kin.counters.filter((c) => alive.has(c));
      kin.countersSeen = kin.nodes.size === 0 ? 0 : this.#counterList.length;
    }
  }

  #compactRules(): void {
    this.#ruleList = [...this.#rules.values()];
    for (const kin of this.#kin.values()) {
      kin.rules = [];
      kin.rulesSeen = 0;
    }
  }

  #dropEmptyKin(): void {
    if (this.#emptyKin <= MAX_EMPTY_KIN) return;
    for (const [key, kin] of this.#kin) if (kin.nodes.size === 0) this.#kin.delete(key);
    this.#emptyKin = 0;
  }
}

/** The pod's rules as they bear on newcomers, with their weights; 0 must be kept. */
function standingTerms({ affinity }: PodToPlace): (readonly [PodTerm, number])[] {
  if (affinity === NO_AFFINITY) return NO_TERMS;
  return [
    ...affinity.requiredAnti.map((term) => [term, 0] as const),
    ...affinity.required.map((term) => [term, HARD_AFFINITY_WEIGHT] as const),
    ...affinity.preferred.map((term) => [term, term.weight] as const),
  ];
}

function bump(counts: Map<number, number>, slot: number, by: number): void {
  const sum = (counts.get(slot) ?? 0) + by;
  if (sum === 0) counts.delete(slot);
  else counts.set(slot, sum);
}

function grown(array: Int32Array, capacity: number): Int32Array {
  const next = new Int32Array(capacity);
  next.set(array);
  return next;
}
