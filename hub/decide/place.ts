import type { NodeSelectorTerm } from '../../protocol/kinds/node.ts';
import type { Filter, Refusal } from './filters/filter.ts';
import { hasCpuHeadroom, liveMemory } from './filters/live-headroom.ts';
import { ready, schedulable, taints } from './filters/node-fitness.ts';
import { nodeMatch, termMatches } from './filters/node-match.ts';
import { hostPorts, requests } from './filters/resources.ts';
import type { NodeState, PodToPlace } from './node-state.ts';
import { liveLoad, requestsFree } from './scores/live-load.ts';
import { coolness, imagePresent, preferNoSchedule, preferredAffinity, spread } from './scores/preferences.ts';
import type { Score, ScoreContext } from './scores/score.ts';

/** Why one node was refused. */
export interface NodeRefusal {
  readonly node: string;
  readonly refusals: readonly Refusal[];
}

/** Where a pod goes, or for every node why not. `score` is 0..100. */
export type Placement =
  | {
      readonly ok: true;
      readonly node: string;
      readonly score: number;
      readonly feasible: number;
      /** The node was judged by requests alone. */
      readonly staleTelemetry: boolean;
      /** Every feasible node is out of CPU headroom; the least loaded was taken. */
      readonly cpuSaturated: boolean;
    }
  | { readonly ok: false; readonly reasons: readonly NodeRefusal[] };

const VOLUME_CONFLICT: readonly Refusal[] = [{ reason: 'node(s) had volume node affinity conflict' }];
const FILTERS: readonly Filter[] = [schedulable, ready, taints, nodeMatch, hostPorts, requests, liveMemory];

const SCORES: readonly { readonly weight: number; readonly score: Score }[] = [
  { weight: 60, score: liveLoad },
  { weight: 25, score: preferredAffinity },
  { weight: 25, score: preferNoSchedule },
  { weight: 10, score: spread },
  { weight: 15, score: coolness },
  { weight: 10, score: requestsFree },
  { weight: 5, score: imagePresent },
];
const TOTAL_WEIGHT = SCORES.reduce((sum, s) => sum + s.weight, 0);

/**
 * Chooses the node for `pod`: those that every filter lets pass, of them those with live CPU headroom when there are any, of
 * them the best score; equal scores go by name. The order of `nodes` does not matter. Pure; never throws.
 */
export function place(
  pod: PodToPlace,
  nodes: readonly NodeState[],
  volumes: readonly (readonly NodeSelectorTerm[])[] = [],
): Placement {
  const refused: NodeRefusal[] = [];
  const fit: NodeState[] = [];
  for (const node of nodes) {
    const conflict = volumes.some((terms) => !terms.some((term) => termMatches(term, node)));
    const refusals = conflict ? VOLUME_CONFLICT : refusalsOf(pod, node);
    if (refusals.length === 0) fit.push(node);
    else refused.push({ node: node.name, refusals });
  }
  if (fit.length === 0) return { ok: false, reasons: refused.sort((a, b) => (a.node < b.node ? -1 : 1)) };
  const withHeadroom = fit.filter((node) => hasCpuHeadroom(pod, node));
  const feasible = withHeadroom.length > 0 ? withHeadroom : fit;
  const { node, score } = best(pod, feasible);
  return {
    ok: true,
    node: node.name,
    score: Math.round(score),
    feasible: feasible.length,
    staleTelemetry: node.live === undefined,
    cpuSaturated: withHeadroom.length === 0,
  };
}

function refusalsOf(pod: PodToPlace, node: NodeState): readonly Refusal[] {
  // The first filter that objects speaks for the node: further reasons only blur the one that has to be solved first.
  for (const filter of FILTERS) {
    const refusals = filter(pod, node);
    if (refusals.length > 0) return refusals;
  }
  return [];
}

function best(pod: PodToPlace, feasible: readonly NodeState[]): { node: NodeState; score: number } {
  const context = contextOf(pod, feasible);
  const [first, ...rest] = feasible;
  if (first === undefined) throw new Error('no feasible node to choose from');
  let winner = { node: first, score: scoreOf(pod, first, context) };
  for (const node of rest) {
    const score = scoreOf(pod, node, context);
    if (score > winner.score || (score === winner.score && node.name < winner.node.name))
      winner = { node, score };
  }
  return winner;
}

function contextOf(pod: PodToPlace, nodes: readonly NodeState[]): ScoreContext {
  const { ownerUid } = pod;
  if (ownerUid === undefined) return { maxOwnerPods: 0 };
  return { maxOwnerPods: nodes.reduce((max, node) => Math.max(max, node.owners.get(ownerUid) ?? 0), 0) };
}

function scoreOf(pod: PodToPlace, node: NodeState, context: ScoreContext): number {
  let sum = 0;
  for (const { weight, score } of SCORES) sum += weight * score(pod, node, context);
  return sum / TOTAL_WEIGHT;
}
