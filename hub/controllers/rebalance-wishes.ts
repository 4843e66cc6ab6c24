import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Deployment, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { cpuMilli } from '../../protocol/quantity.ts';
import type { LiveState } from '../decide/node-state.ts';
import type { LiveUse } from '../decide/pod-to-place.ts';
import { judgeMove } from '../decide/rebalance.ts';
import {
  type LoadHistory,
  type LoadRange,
  mostUsed,
  rangeOf,
  type UseHistory,
  withReading,
  withSilence,
  withUse,
} from '../decide/rebalance-load.ts';
import type { Wish } from '../decide/rebalance-round.ts';
import { isMovable, isSettled, isTooYoung, type RebalanceTerms } from '../decide/rebalance-terms.ts';
import type { RebalanceTimes } from '../decide/rebalance-times.ts';
import { keyOf, type LoopDeps } from '../loop.ts';
import type { PlacementPreview, ReadUse } from './pod-mover.ts';

/** What the rebalancer needs to know of telemetry and of the scheduler. */
export interface RebalancePorts {
  readonly live: {
    /** Undefined when telemetry is stale or was never there. */
    readonly read: (node: string) => LiveState | undefined;
    /** When the node was heard last, monotonic; fresh or not. */
    readonly heardAtMs: (node: string) => number | undefined;
    /** Calls with a node's name when its load moved meaningfully or its telemetry came back. */
    readonly subscribe: (listener: (node: string) => void) => () => void;
  };
  readonly useOf: ReadUse;
  readonly preview: PlacementPreview;
}

/** A Deployment whose pods may be moved, or who wants to know which would be. */
export interface Willing {
  readonly deployment: Deployment;
  readonly rs: ReplicaSet;
  readonly terms: RebalanceTerms;
}

/** What pods would like, whether somebody might before anything else changes, and how long it took to find out. */
export interface Gathered {
  readonly wishes: readonly Wish[];
  readonly isForming: boolean;
  readonly costMs: number;
}

/** Longest that gathering holds the process before it lets others have it, in ms. */
const SLICE_MS = 20;
/** Pods of one ReplicaSet on one node that are asked about: those that use most. */
const PODS_PER_GROUP = 4;

/** Remembers what nodes and pods did lately, and asks the scheduler which pods would be better off elsewhere. */
export class RebalanceWishes {
  readonly #deps: Pick<LoopDeps, 'view' | 'clock'>;
  readonly #ports: RebalancePorts;
  readonly #times: RebalanceTimes;
  readonly #loads = new Map<string, LoadHistory>();
  #uses = new Map<string, UseHistory>();

  constructor(deps: Pick<LoopDeps, 'view' | 'clock'>, ports: RebalancePorts, times: RebalanceTimes) {
    this.#deps = deps;
    this.#ports = ports;
    this.#times = times;
  }

  /** Takes over what telemetry says, or that it says nothing. */
  read(node: string): void {
    const live = this.#ports.live.read(node);
    const nowMs = this.#deps.clock.monotonicMs();
    const before = this.#loads.get(node);
    const heardAtMs = this.#ports.live.heardAtMs(node) ?? Number.NEGATIVE_INFINITY;
    const history =
      live === undefined
        ? before && withSilence(before, heardAtMs, nowMs, this.#times)
        : withReading(before, live, nowMs, this.#times);
    if (history === undefined) this.#loads.delete(node);
    else this.#loads.set(node, history);
  }

  /** The same for all nodes; those that are gone are forgotten. */
  readAll(): void {
    const { view } = this.#deps;
    for (const name of this.#loads.keys())
      if (view.get('Node', '', name) === undefined) this.#loads.delete(name);
    for (const { metadata } of view.list('Node')) this.read(metadata.name);
  }

  /** Nobody asks any more. */
  clear(): void {
    this.#loads.clear();
    this.#uses.clear();
  }

  /** Asks the scheduler about every pod that may move; lets others have the process in between. */
  async gather(willing: readonly Willing[]): Promise<Gathered> {
    const { view, clock } = this.#deps;
    const wishes: Wish[] = [];
    const uses = new Map<string, UseHistory>();
    let isForming = false;
    let costMs = 0;
    let sliceFromMs = clock.monotonicMs();
    for (const each of willing) {
      const pods = view.ownedBy('Pod', each.rs.metadata.uid);
      for (const { uid } of pods.map((p) => p.metadata)) {
        const known = this.#uses.get(uid);
        if (known !== undefined) uses.set(uid, known);
      }
      const settled = isSettled(each.deployment, each.rs) && !pods.some((pod) => this.#isLeaving(pod));
      const movable = pods.filter((pod) => isMovable(pod, clock.nowMs(), this.#times));
      if (settled && pods.some((pod) => isTooYoung(pod, clock.nowMs(), this.#times))) isForming = true;
      for (const group of byNode(movable)) {
        const used = group.map((pod) => ({ pod, use: this.#mostUsed(pod, uses) }));
        if (!settled) continue;
        used.sort((a, b) => (b.use?.cpuMilli ?? 0) - (a.use?.cpuMilli ?? 0));
        for (const one of used.slice(0, PODS_PER_GROUP)) {
          const wish = this.#wishOf(each, one);
          if (wish === 'wait') isForming = true;
          else if (wish !== undefined) wishes.push(wish);
        }
        const spentMs = clock.monotonicMs() - sliceFromMs;
        if (spentMs < SLICE_MS) continue;
        costMs += spentMs;
        await new Promise((resolve) => setImmediate(resolve));
        sliceFromMs = clock.monotonicMs();
      }
    }
    this.#uses = uses;
    return { wishes, isForming, costMs: costMs + clock.monotonicMs() - sliceFromMs };
  }

  #wishOf(
    { deployment, rs, terms }: Willing,
    used: { readonly pod: Pod; readonly use: LiveUse | undefined },
  ): Wish | 'wait' | undefined {
    const nowMs = this.#deps.clock.monotonicMs();
    const rangeAt = (node: string): LoadRange | undefined => {
      const history = this.#loads.get(node);
      return history === undefined ? undefined : rangeOf(history, nowMs, this.#times);
    };
    const verdict = this.#ports.preview.elsewhere(used, (outlook) =>
      judgeMove(outlook, { from: rangeAt(outlook.from.name), to: rangeAt(outlook.to.name) }, this.#times),
    );
    if (verdict === undefined || verdict.do === 'stay') return undefined;
    if (verdict.do === 'wait') return 'wait';
    const { do: _leave, ...leave } = verdict;
    const { uid } = used.pod.metadata;
    const from = used.pod.spec.nodeName ?? '';
    const { maxMovesPerHour, scope, isPreview } = terms;
    const key = `${rs.metadata.uid}/${from}`;
    const about = { key, podUid: uid, deployment: keyOf(deployment) };
    return { ...about, scope, maxMovesPerHour, isPreview, from, ...leave };
  }

  /** One that is being stopped still counts where it is, so that its node looks fuller than it will be; on a silent node nobody knows. */
  #isLeaving({ metadata, spec }: Pod): boolean {
    return (
      metadata.deletionTimestamp !== undefined && this.#ports.live.read(spec.nodeName ?? '') !== undefined
    );
  }

  /**
   * The most that the pod used lately. Where the device does not tell it may be all that its node does: then measured load gives no
   * reason to move it.
   */
  #mostUsed(pod: Pod, uses: Map<string, UseHistory>): LiveUse | undefined {
    const { uid } = pod.metadata;
    const use = this.#ports.useOf(pod) ?? this.#useOfNode(pod.spec.nodeName ?? '');
    if (use === undefined) {
      uses.delete(uid);
      return undefined;
    }
    const history = withUse(uses.get(uid), use, this.#deps.clock.monotonicMs(), this.#times);
    uses.set(uid, history);
    return mostUsed(history);
  }

  #useOfNode(name: string): LiveUse | undefined {
    const live = this.#ports.live.read(name);
    if (live === undefined) return undefined;
    const { capacity } = this.#deps.view.get('Node', '', name)?.status ?? {};
    const busyMilli = Math.round(live.heldCpuRatio * cpuMilli(capacity?.['cpu']));
    return { cpuMilli: busyMilli, memoryBytes: live.memoryUsedBytes };
  }
}

function byNode(pods: readonly Pod[]): Pod[][] {
  const groups = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = pod.spec.nodeName ?? '';
    const group = groups.get(node);
    if (group === undefined) groups.set(node, [pod]);
    else group.push(pod);
  }
  return [...groups.values()];
}
