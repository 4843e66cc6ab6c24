import { type Merit, nodeMerits } from './candidates.ts';
import { type LiveState, NO_USE, type NodeState } from './node-state.ts';
import { TOTAL_WEIGHT } from './place.ts';
import type { PodToPlace } from './pod-to-place.ts';
import type { LoadRange } from './rebalance-load.ts';
import type { RebalanceTimes } from './rebalance-times.ts';

/** A pod that the scheduler would place elsewhere today, and the two nodes, both without it. */
export interface Outlook {
  /** Its estimate is what it really uses at most. */
  readonly pod: PodToPlace;
  readonly from: NodeState;
  readonly to: NodeState;
  /** Weighted scores of `to` less those of `from`, where they depend on the other nodes. */
  readonly beside: { readonly rules: number; readonly price: number };
  /** The rules between pods would not let it go where it is now. */
  readonly unruly: boolean;
}

/** What the two nodes did lately; undefined without fresh telemetry. */
export interface Loads {
  readonly from: LoadRange | undefined;
  readonly to: LoadRange | undefined;
}

/** Whether a pod should leave its node. `gain` is in points of the scheduler's score, 0..100. */
export type Verdict =
  | { readonly do: 'stay' }
  /** It should leave if all goes on as it is now. */
  | { readonly do: 'wait' }
  | {
      readonly do: 'leave';
      readonly to: string;
      readonly why: Merit;
      readonly gain: number;
      /** The load of a long time is the reason, not what objects say. */
      readonly byLoad: boolean;
      /** Share of its node's CPU, or memory where that is scarcer, that the pod takes with it. */
      readonly reliefRatio: number;
    };

/** What objects say alone (spread, rules, requests, price) does not waver, so little is enough: a replica less among up to four. */
const STEADY_GAIN = 1.25;
/** What measured load has to be worth, and the same when the node is hot. */
const LOAD_GAIN = 15;
const HOT_GAIN = 5;
/** What it is worth that a rule between pods holds again. */
const RULE_GAIN = 10;
/** A pod that takes less than this with it is no relief to a loaded node. */
const MIN_RELIEF = 0.03;

const HOT_CPU_RATIO = 0.85;
const HOT_CELSIUS = 75;

const STAY: Verdict = { do: 'stay' };
const WAIT: Verdict = { do: 'wait' };

/**
 * Judges whether moving is worth it, with the scheduler's own scores. Load counts by the least that the present node did and the
 * most that the other did for `longMs`, so that neither peaks nor dips nor noise move anything. The pod is thought away from
 * both, so that a move which would only swap the roles of the nodes is worth nothing. Pure; never throws.
 */
export function judgeMove(outlook: Outlook, loads: Loads, { longMs, newcomerMs }: RebalanceTimes): Verdict {
  const { pod, from, to } = outlook;
  // Unknown is not idle: nothing moves to a node that does not speak.
  if (to.live === undefined || loads.to === undefined) return STAY;
  const steady = gainsOf(outlook, undefined, undefined);
  const known = from.live !== undefined && loads.from !== undefined;
  const gains = known ? gainsOf(outlook, loads.from.least, loads.to.most) : steady;
  const reliefRatio = reliefOf(pod, from);
  const leave = (why: Merit, gain: number, byLoad: boolean): Verdict => ({
    do: 'leave',
    to: to.name,
    why,
    gain: Math.round(gain * 10) / 10,
    byLoad,
    reliefRatio,
  });
  if (sum(steady) >= STEADY_GAIN && sum(gains) >= 0) return leave(foremost(steady), sum(steady), false);
  if (!known || from.live === undefined) return STAY;
  const now = sum(gainsOf(outlook, from.live, to.live));
  // A peak is in the way that is over already: that it has become old is not told by anything but time.
  if (sum(steady) >= STEADY_GAIN && now >= 0) return WAIT;
  if (reliefRatio < MIN_RELIEF) return STAY;
  const isLong = loads.from.knownMs >= longMs && loads.to.knownMs >= newcomerMs;
  if (isLong && sum(gains) >= bar(loads.from.least)) return leave(foremost(gains), sum(gains), true);
  return now >= bar(from.live) ? WAIT : STAY;
}

/**
 * True unless the pod is clearly worse off on `to` at this moment: what a move that is under way is asked before it ends. A moment is
 * no long time, and starting the replacement alone keeps a small board busy, so it has to be much worse.
 */
export function isStillBetter(outlook: Outlook): boolean {
  const { from, to } = outlook;
  const known = from.live !== undefined && to.live !== undefined;
  return sum(gainsOf(outlook, known ? from.live : undefined, known ? to.live : undefined)) > -HOT_GAIN;
}

type Gains = Readonly<Record<Merit, number>>;

function gainsOf(
  { pod, from, to, beside, unruly }: Outlook,
  fromLive: LiveState | undefined,
  toLive: LiveState | undefined,
): Gains {
  const here = nodeMerits(pod, seenAs(from, fromLive));
  const there = nodeMerits(pod, seenAs(to, toLive));
  const points = (merit: Merit): number => (there[merit] - here[merit]) / TOTAL_WEIGHT;
  return {
    load: points('load'),
    heat: points('heat'),
    price: points('price') + beside.price / TOTAL_WEIGHT,
    rules: points('rules') + beside.rules / TOTAL_WEIGHT + (unruly ? RULE_GAIN : 0),
  };
}

/** Without telemetry the node is what objects say: what was placed lately comes and goes with telemetry. */
function seenAs(node: NodeState, live: LiveState | undefined): NodeState {
  return live === undefined ? { ...node, live, assumed: NO_USE } : { ...node, live };
}

function sum({ load, heat, price, rules }: Gains): number {
  return load + heat + price + rules;
}

function foremost(gains: Gains): Merit {
  const merits: readonly Merit[] = ['load', 'heat', 'price', 'rules'];
  return merits.reduce((best, merit) => (gains[merit] > gains[best] ? merit : best));
}

function bar({ heldCpuRatio, temperatureCelsius = 0, throttled }: LiveState): number {
  const isHot = heldCpuRatio >= HOT_CPU_RATIO || temperatureCelsius >= HOT_CELSIUS || throttled === true;
  return isHot ? HOT_GAIN : LOAD_GAIN;
}

/** Share of what the node is short of, memory or else CPU, that the pod takes. */
function reliefOf({ estimate }: PodToPlace, { cpuCapacityMilli, live }: NodeState): number {
  const { heldCpuRatio = 0, heldMemoryRatio = 0, memoryTotalBytes = 1 } = live ?? {};
  const isMemory = heldMemoryRatio > Math.max(0.5, heldCpuRatio);
  return isMemory
    ? estimate.memoryBytes / Math.max(1, memoryTotalBytes)
    : estimate.cpuMilli / Math.max(1, cpuCapacityMilli);
}
