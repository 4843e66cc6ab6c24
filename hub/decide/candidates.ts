import type { Filter, Refusal } from './filters/filter.ts';
import { NO_REFUSAL } from './filters/filter.ts';
import { imageArchitecture } from './filters/image-architecture.ts';
import { hasCpuHeadroom, liveMemory } from './filters/live-headroom.ts';
import { ready, schedulable, taints } from './filters/node-fitness.ts';
import { matchesNode, nodeMatch, volumeNodes } from './filters/node-match.ts';
import { hostPorts, requests } from './filters/resources.ts';
import type { NodeEligibility } from './filters/topology-spread.ts';
import type { NodeState } from './node-state.ts';
import type { PodToPlace } from './pod-to-place.ts';
import { liveLoad, requestsFree } from './scores/live-load.ts';
import { coolness, imagePresent, preferNoSchedule, preferredAffinity } from './scores/preferences.ts';
import type { Score } from './scores/score.ts';

/** In this order: the first that objects speaks for the node. */
const FILTERS: readonly Filter[] = [
  schedulable,
  ready,
  taints,
  nodeMatch,
  imageArchitecture,
  volumeNodes,
  hostPorts,
  requests,
  liveMemory,
];

/** What speaks for one node and against another, as people are told of it. */
export type Merit = 'load' | 'heat' | 'price' | 'rules';

const SCORES: readonly { readonly weight: number; readonly score: Score; readonly merit: Merit }[] = [
  { weight: 60, score: liveLoad, merit: 'load' },
  { weight: 25, score: preferredAffinity, merit: 'rules' },
  { weight: 25, score: preferNoSchedule, merit: 'rules' },
  { weight: 15, score: coolness, merit: 'heat' },
  { weight: 10, score: requestsFree, merit: 'load' },
  { weight: 5, score: imagePresent, merit: 'rules' },
];

/** Weight of all scores of single nodes together. */
export const NODE_WEIGHT = SCORES.reduce((sum, s) => sum + s.weight, 0);

const FITS = 1;
const HEADROOM = 2;
const AFFINE = 4;
const TOLERATED = 8;
const PRESENT = 16;

/** What the nodes are by themselves for one class of pods, by slot. Whoever owns it judges slots anew when their node changes. */
export interface Candidates {
  size: number;
  flags: Uint8Array;
  /** Weighted sum of the scores of single nodes. */
  scores: Float64Array;
  /** Pods of the same owner. */
  ownerPods: Int32Array;
  /** Why the nodes by themselves cannot take the pod. */
  refusals: (readonly Refusal[])[];
  /** NaN without a price. */
  prices: Float64Array;
  /** Room for a decision to note slots in. */
  scratch: Int32Array;
  /** Room for what nodes are worth in relation to one another. */
  points: Float64Array;
}

/** Room for `size` nodes, none of them judged yet. */
export function newCandidates(size: number): Candidates {
  return {
    size,
    flags: new Uint8Array(size),
    scores: new Float64Array(size),
    ownerPods: new Int32Array(size),
    refusals: new Array<readonly Refusal[]>(size).fill(NO_REFUSAL),
    prices: new Float64Array(size),
    scratch: new Int32Array(size),
    points: new Float64Array(size),
  };
}

/** Notes what `node` by itself is for the pod; undefined when the slot is empty. */
export function judge(to: Candidates, slot: number, pod: PodToPlace, node: NodeState | undefined): void {
  if (node === undefined) {
    to.flags[slot] = 0;
    to.refusals[slot] = NO_REFUSAL;
    to.ownerPods[slot] = 0;
    return;
  }
  to.ownerPods[slot] = pod.ownerUid === undefined ? 0 : (node.owners.get(pod.ownerUid) ?? 0);
  to.prices[slot] = node.price ?? Number.NaN;
  let flags = PRESENT;
  if (pod.spread.length > 0) {
    if (matchesNode(pod, node)) flags |= AFFINE;
    if (taints(pod, node).length === 0) flags |= TOLERATED;
  }
  const refusals = nodeRefusals(pod, node);
  to.refusals[slot] = refusals;
  if (refusals.length === 0) {
    flags |= FITS;
    if (hasCpuHeadroom(pod, node)) flags |= HEADROOM;
    let sum = 0;
    for (const { weight, score } of SCORES) sum += weight * score(pod, node);
    to.scores[slot] = sum;
  }
  to.flags[slot] = flags;
}

/** The weighted scores of one node by itself, by what they are about. */
export function nodeMerits(pod: PodToPlace, node: NodeState): Record<Merit, number> {
  const merits: Record<Merit, number> = { load: 0, heat: 0, price: 0, rules: 0 };
  for (const { weight, score, merit } of SCORES) merits[merit] += weight * score(pod, node);
  return merits;
}

/** Why the node by itself cannot take the pod; only the first filter that objects, since further reasons blur what to solve first. */
export function nodeRefusals(pod: PodToPlace, node: NodeState): readonly Refusal[] {
  for (const filter of FILTERS) {
    const refusals = filter(pod, node);
    if (refusals.length > 0) return refusals;
  }
  return NO_REFUSAL;
}

/** True when flags of a slot say that the node by itself can take the pod. */
export function fits(flags: number): boolean {
  return (flags & FITS) !== 0;
}

/** True when it has live CPU headroom for it too. */
export function hasHeadroom(flags: number): boolean {
  return (flags & HEADROOM) !== 0;
}

/** What spread constraints need to know of the candidates. */
export function eligibility(of: Candidates): NodeEligibility {
  const has = (flag: number) => (slot: number) => ((of.flags[slot] ?? 0) & flag) !== 0;
  return { isAffine: has(AFFINE), isTolerated: has(TOLERATED), isNode: has(PRESENT) };
}
