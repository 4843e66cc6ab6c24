import { type Load, nextLoad } from '../../hub/decide/load.ts';
import type { LiveState } from '../../hub/decide/node-state.ts';
import { type PodToPlace, podToPlace } from '../../hub/decide/pod-to-place.ts';
import { judgeMove } from '../../hub/decide/rebalance.ts';
import {
  type LoadHistory,
  mostUsed,
  rangeOf,
  type UseHistory,
  withReading,
  withSilence,
  withUse,
} from '../../hub/decide/rebalance-load.ts';
import { planRound, type Wish } from '../../hub/decide/rebalance-round.ts';
import { DEFAULT_REBALANCE_TIMES as TIMES } from '../../hub/decide/rebalance-times.ts';
import { Preview } from '../../hub/scheduler/preview.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { nodeObject, PlacementWorld, type PodParts, podObject } from './scheduling.ts';

const HOUR_MS = 3_600_000;
const CORES_MILLI = 2_000;
const MEMORY_BYTES = 2 ** 30;

/** A simulated fleet. What nodes are busy with beside the pods, and what pods use, are functions of time (ms), in milli-cores. */
export interface SimulatedFleet {
  readonly nodes: Readonly<
    Record<string, { readonly other: (atMs: number) => number; readonly price?: string }>
  >;
  readonly pods: readonly SimulatedPod[];
  /** Nodes that come at a time instead of being there from the beginning. */
  readonly joins?: Readonly<Record<string, number>>;
  /** Telemetry of a node that is not there at a time. */
  readonly silent?: (node: string, atMs: number) => boolean;
  readonly maxMovesPerHour?: number;
}

/** One pod of an owner. */
export interface SimulatedPod {
  readonly name: string;
  readonly owner: string;
  readonly on: string;
  readonly use: (atMs: number) => number;
  readonly parts?: PodParts;
}

/** One move as it was made. */
export interface SimulatedMove {
  readonly atMs: number;
  readonly pod: string;
  readonly from: string;
  readonly to: string;
  /** Where the wish wanted it. */
  readonly planned: string;
  readonly why: string;
  readonly gain: number;
}

/**
 * The real scores, histories and budgets on simulated time, with pods that move at once. Telemetry is told every `stepMs` as devices
 * do, through the real damping; rounds are ten seconds apart, as in the hub.
 */
export class RebalanceWorld {
  readonly moves: SimulatedMove[] = [];
  nowMs = 0;
  readonly #fleet: SimulatedFleet;
  readonly #world: PlacementWorld;
  readonly #preview: Preview;
  readonly #where = new Map<string, string>();
  readonly #loads = new Map<string, { load: Load; live: LiveState }>();
  readonly #histories = new Map<string, LoadHistory>();
  readonly #heardAtMs = new Map<string, number>();
  readonly #uses = new Map<string, UseHistory>();
  readonly #movedAtMs = new Map<string, number>();
  /** Where nothing changed since, the same object is given again: most of a round would go into making them. */
  readonly #made = new Map<string, Pod>();
  #ranges = new Map<string, ReturnType<typeof rangeOf>>();
  #standing: ReadonlyMap<string, number> = new Map();
  #stirredAtMs: number | undefined;
  #prices = new Map<string, string>();

  constructor(fleet: SimulatedFleet) {
    this.#fleet = fleet;
    const names = Object.keys(fleet.nodes).filter((name) => fleet.joins?.[name] === undefined);
    this.#world = new PlacementWorld(
      names.map((name) => this.#node(name)),
      fleet.pods.map((pod) => this.#pod(pod, pod.on)),
      (name) => this.#telemetry(name),
    );
    const { state, placer } = this.#world;
    const wanted = new WeakMap<Pod, PodToPlace>();
    this.#preview = new Preview(state, placer, (pod) => {
      const known = wanted.get(pod) ?? podToPlace(pod);
      wanted.set(pod, known);
      return known;
    });
    for (const pod of fleet.pods) this.#where.set(pod.name, pod.on);
  }

  /** Pods of an owner by node. */
  counts(owner: string): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const pod of this.#fleet.pods) {
      if (pod.owner !== owner) continue;
      const node = this.#where.get(pod.name) ?? '';
      counts[node] = (counts[node] ?? 0) + 1;
    }
    return counts;
  }

  /** A node costs something else from now on. */
  price(node: string, price: string): void {
    this.#prices.set(node, price);
    this.#world.state.setNode(this.#node(node));
    this.#stirredAtMs = this.nowMs;
  }

  /** Lets time pass. */
  run(forMs: number, stepMs = 3_000, roundMs = 9_000): void {
    const endMs = this.nowMs + forMs;
    let nextRoundMs = this.nowMs;
    while (this.nowMs < endMs) {
      this.nowMs += stepMs;
      for (const [name, atMs] of Object.entries(this.#fleet.joins ?? {})) {
        if (atMs <= this.nowMs && this.#world.state.nodes.get(name) === undefined) this.#join(name);
      }
      for (const name of this.#world.state.nodes.names()) this.#tell(name);
      if (this.nowMs < nextRoundMs) continue;
      nextRoundMs = this.nowMs + roundMs;
      this.#round();
    }
  }

  #join(name: string): void {
    this.#world.state.setNode(this.#node(name));
    this.#stirredAtMs = this.nowMs;
  }

  #node(name: string): Node {
    const price = this.#prices.get(name) ?? this.#fleet.nodes[name]?.price;
    return nodeObject(name, price === undefined ? {} : { labels: { 'coxswain.dev/price': price } });
  }

  #pod(of: SimulatedPod, on: string): Pod {
    const key = `${of.name}/${on}`;
    const pod = this.#made.get(key) ?? this.#newPod(of, on);
    this.#made.set(key, pod);
    return pod;
  }

  #newPod({ name, owner, parts }: SimulatedPod, on: string): Pod {
    const pod = podObject(name, { ...parts, on, phase: 'Running' });
    const ownerReferences = [
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true },
    ];
    return { ...pod, metadata: { ...pod.metadata, ownerReferences } };
  }

  #telemetry(name: string): (LiveState & { confirmedAtMs: number; windowMs: number }) | undefined {
    const known = this.#loads.get(name);
    return known === undefined ? undefined : { ...known.live, confirmedAtMs: this.nowMs, windowMs: 3_000 };
  }

  #tell(name: string): void {
    const { state } = this.#world;
    if (this.#fleet.silent?.(name, this.nowMs) === true) {
      this.#fallSilent(name);
    } else {
      let milli = this.#fleet.nodes[name]?.other(this.nowMs) ?? 0;
      for (const pod of this.#fleet.pods)
        if (this.#where.get(pod.name) === name) milli += pod.use(this.nowMs);
      const sample = { cpuRatio: Math.min(1, milli / CORES_MILLI), memoryRatio: 0.2 };
      const load = nextLoad(this.#loads.get(name)?.load, sample, this.nowMs);
      const live = { ...load, memoryUsedBytes: 0.2 * MEMORY_BYTES, memoryTotalBytes: MEMORY_BYTES };
      this.#loads.set(name, { load, live });
      this.#heardAtMs.set(name, this.nowMs);
      this.#histories.set(name, withReading(this.#histories.get(name), live, this.nowMs, TIMES));
    }
    state.refreshNode(name);
  }

  /** Its damped load is forgotten at once, its past only when it stays silent. */
  #fallSilent(name: string): void {
    this.#loads.delete(name);
    const history = this.#histories.get(name);
    const heardAtMs = this.#heardAtMs.get(name) ?? this.nowMs;
    const kept = history && withSilence(history, heardAtMs, this.nowMs, TIMES);
    if (kept === undefined) this.#histories.delete(name);
    else this.#histories.set(name, kept);
  }

  #round(): void {
    const { nowMs } = this;
    const wishes: Wish[] = [];
    this.#ranges = new Map();
    for (const pod of this.#fleet.pods) {
      const wish = this.#wishOf(pod);
      if (wish !== undefined) wishes.push(wish);
    }
    const plan = planRound({
      nowMs,
      times: TIMES,
      wishes,
      isForming: false,
      standing: this.#standing,
      stirredAtMs: this.#stirredAtMs,
      moving: [],
      isPlacing: false,
      begun: () => this.moves.filter((m) => m.atMs > nowMs - HOUR_MS).length,
      restsUntilMs: () => 0,
      movedAtMs: (node) => this.#movedAtMs.get(node) ?? Number.NEGATIVE_INFINITY,
    });
    this.#standing = plan.standing;
    if (plan.begin !== undefined) this.#move(plan.begin);
  }

  #wishOf(pod: SimulatedPod): Wish | undefined {
    const { nowMs } = this;
    const from = this.#where.get(pod.name) ?? '';
    if (!this.#loads.has(from)) return undefined;
    const use = { cpuMilli: Math.round(pod.use(nowMs)), memoryBytes: 2 ** 20 };
    const history = withUse(this.#uses.get(pod.name), use, nowMs, TIMES);
    this.#uses.set(pod.name, history);
    const verdict = this.#preview.elsewhere({ pod: this.#pod(pod, from), use: mostUsed(history) }, (o) =>
      judgeMove(o, { from: this.#rangeAt(o.from.name), to: this.#rangeAt(o.to.name) }, TIMES),
    );
    if (verdict?.do !== 'leave') return undefined;
    const { maxMovesPerHour = 1_000 } = this.#fleet;
    const { do: _leave, ...leave } = verdict;
    const key = `${pod.owner}/${from}`;
    const about = { key, podUid: pod.name, deployment: pod.owner, scope: 'all' };
    return { ...about, maxMovesPerHour, isPreview: false, from, ...leave };
  }

  #rangeAt(node: string): ReturnType<typeof rangeOf> {
    const known = this.#histories.get(node);
    if (known !== undefined && !this.#ranges.has(node))
      this.#ranges.set(node, rangeOf(known, this.nowMs, TIMES));
    return this.#ranges.get(node);
  }

  /** The replacement goes where the scheduler puts it while the old pod is still there. */
  #move({ podUid, from, to: planned, why, gain }: Wish): void {
    const pod = this.#fleet.pods.find((p) => p.name === podUid);
    if (pod === undefined) return;
    const placement = this.#world.place({
      ...this.#pod(pod, ''),
      spec: { containers: this.#pod(pod, '').spec.containers, ...pod.parts?.spec },
    });
    if (!placement.ok) throw new Error(`nobody takes ${podUid}`);
    this.#world.state.observe(this.#pod(pod, placement.node), this.nowMs);
    this.#where.set(podUid, placement.node);
    for (const node of [from, placement.node]) this.#movedAtMs.set(node, this.nowMs);
    this.moves.push({ atMs: this.nowMs, pod: podUid, from, to: placement.node, planned, why, gain });
  }
}

/** Numbers 0..1 that are the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
