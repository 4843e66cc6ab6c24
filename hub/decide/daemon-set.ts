import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { DaemonSet } from '../../protocol/kinds/workloads.ts';
import { CONTROLLER_REVISION_HASH } from './controller-revisions.ts';
import { type NodeVerdict, nodeJudge, targetNode } from './daemon-set-pod.ts';
import { resolveCount } from './int-or-percent.ts';
import { availableAtMs, isAvailable, isReady, isTerminal } from './pod-facts.ts';

/** Everything a DaemonSet's plan follows from. The order of nodes and pods does not matter. */
export interface DaemonWorld {
  readonly set: DaemonSet;
  readonly nodes: readonly Node[];
  /** The pods it owns, those being deleted and those that have ended included. */
  readonly pods: readonly Pod[];
  /** Label of the pods of the present template. */
  readonly hash: string;
  /** The hub's wall clock, epoch ms. */
  readonly nowMs: number;
  /** How long a failed pod of this node must still be left lying, in ms; 0 or less: no longer. */
  readonly holdMs: (node: string) => number;
}

/** Why a pod goes. `misplaced`: its node should not have one, or does not exist. */
export type RemovalReason = 'failed' | 'succeeded' | 'surplus' | 'misplaced' | 'outdated';

/** What a DaemonSet needs done; empty means nothing until something changes, or until `lookAgainMs` have passed. */
export interface DaemonPlan {
  /** Names of the nodes to make a pod for. */
  readonly create: readonly string[];
  readonly remove: readonly { readonly pod: Pod; readonly node: string; readonly why: RemovalReason }[];
  readonly lookAgainMs: number | undefined;
}

/** How far a rolling update may stray from one available pod a node. */
export interface DaemonBounds {
  readonly maxUnavailable: number;
  readonly maxSurge: number;
}

/** One node as the set sees it. `running`: neither ended nor being deleted, the most useful first. */
export interface DaemonNode {
  readonly name: string;
  readonly verdict: NodeVerdict;
  readonly pods: readonly Pod[];
  readonly running: readonly Pod[];
}

/** Bounds for `desired` nodes: percentages round up; when both come to nothing one pod may be unavailable. */
export function daemonBounds(set: DaemonSet, desired: number): DaemonBounds {
  const { maxUnavailable = 1, maxSurge = 0 } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const unavailable = resolveCount(maxUnavailable, desired, 'up');
  const surge = resolveCount(maxSurge, desired, 'up');
  return { maxUnavailable: unavailable === 0 && surge === 0 ? 1 : unavailable, maxSurge: surge };
}

/**
 * The next steps of a DaemonSet. One pod a node, with maxSurge for a time an old and a new one. A rolling update replaces pods that
 * are not available at once and available ones within the bounds, where every missing and unavailable pod counts. Pods
 * of nodes that are away or tainted since stay as they are until the node is back. Pure; never throws.
 */
export function planDaemonSet(world: DaemonWorld): DaemonPlan {
  const { set, hash } = world;
  if (set.metadata.deletionTimestamp !== undefined) return { create: [], remove: [], lookAgainMs: undefined };
  const nodes = daemonNodes(world);
  const bounds = daemonBounds(set, nodes.filter((n) => n.verdict === 'run').length);
  const isRolling = set.spec.updateStrategy?.type !== 'OnDelete';
  const maxSurge = isRolling ? bounds.maxSurge : 0;
  const create: string[] = [];
  const remove: { pod: Pod; node: string; why: RemovalReason }[] = [];
  const settled = new Map<DaemonNode, Pod[]>();
  for (const node of nodes) {
    const go = (pod: Pod, why: RemovalReason): void => void remove.push({ pod, node: node.name, why });
    if (node.verdict === 'leave') {
      for (const pod of node.pods.filter(isLive)) go(pod, 'misplaced');
      continue;
    }
    for (const pod of endedOf(node))
      if (pod.status?.phase === 'Succeeded') go(pod, 'succeeded');
      else if (world.holdMs(node.name) <= 0) go(pod, 'failed');
    const { keep, surplus, outdated } = sortOut(node, hash, maxSurge > 0, world);
    for (const pod of surplus) go(pod, 'surplus');
    for (const pod of outdated) go(pod, 'outdated');
    settled.set(node, keep);
    if (node.verdict === 'run' && isVacant(node, maxSurge > 0)) create.push(node.name);
  }
  for (const stray of strays(world)) remove.push({ ...stray, why: 'misplaced' });
  if (isRolling) {
    const update = maxSurge > 0 ? planSurge : planReplace;
    const step = update(world, settled, maxSurge > 0 ? maxSurge : bounds.maxUnavailable);
    create.push(...step.create);
    remove.push(...step.remove.map(({ pod, node }) => ({ pod, node, why: 'outdated' as const })));
  }
  return { create, remove, lookAgainMs: lookAgain(world, nodes) };
}

/** The nodes of the world by name, each with the pods that are or will be there. */
export function daemonNodes({ set, nodes, pods, nowMs }: DaemonWorld): DaemonNode[] {
  const judge = nodeJudge(set);
  const minReady = set.spec.minReadySeconds ?? 0;
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const name = targetNode(pod);
    // Nothing of an ended pod runs: it is not in the way of the next one.
    if (name === undefined || (isTerminal(pod) && !isLive(pod))) continue;
    const present = byNode.get(name);
    if (present === undefined) byNode.set(name, [pod]);
    else present.push(pod);
  }
  const rank = (p: Pod): number =>
    (isAvailable(p, minReady, nowMs) ? 0 : 4) +
    (isReady(p) ? 0 : 2) +
    (p.spec.nodeName === undefined ? 1 : 0);
  return nodes
    .map((node): DaemonNode => {
      const { name } = node.metadata;
      const own = (byNode.get(name) ?? []).toSorted(
        (a, b) =>
          rank(a) - rank(b) || createdMs(a) - createdMs(b) || (a.metadata.name < b.metadata.name ? -1 : 1),
      );
      return {
        name,
        verdict: judge(node),
        pods: own,
        running: own.filter((p) => isLive(p) && !isTerminal(p)),
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** True for a pod of the present template. */
export function isUpdated(pod: Pod, hash: string): boolean {
  return pod.metadata.labels?.[CONTROLLER_REVISION_HASH] === hash;
}

/** Which of a node's running pods stay: one, or with surge one of the present and one of an earlier template. */
function sortOut(
  { running, verdict }: DaemonNode,
  hash: string,
  surges: boolean,
  { set, nowMs }: DaemonWorld,
): { keep: Pod[]; surplus: Pod[]; outdated: Pod[] } {
  if (!surges) return { keep: running.slice(0, 1), surplus: running.slice(1), outdated: [] };
  const fresh = running.find((pod) => isUpdated(pod, hash));
  const old = running.find((pod) => !isUpdated(pod, hash));
  const surplus = running.filter((pod) => pod !== fresh && pod !== old);
  if (fresh === undefined || old === undefined)
    return { keep: running.filter((p) => !surplus.includes(p)), surplus, outdated: [] };
  // The old one serves until the new one does; when it does not serve, nobody needs it. Of a node that is away nobody knows.
  const done =
    verdict === 'run' && (isAvailable(fresh, set.spec.minReadySeconds ?? 0, nowMs) || !isReady(old));
  return { keep: done ? [fresh] : [fresh, old], surplus, outdated: done ? [old] : [] };
}

/** True when the node needs its first pod. Without surge the pod before must be gone for good: it may hold ports and devices. */
function isVacant({ pods, running }: DaemonNode, surges: boolean): boolean {
  return surges ? running.length === 0 && pods.every((pod) => !isLive(pod)) : pods.length === 0;
}

interface UpdateStep {
  readonly create: readonly string[];
  readonly remove: readonly { readonly pod: Pod; readonly node: string }[];
}

/** Without surge: takes old pods away, and the next plan makes new ones where they are gone. */
function planReplace(
  world: DaemonWorld,
  settled: ReadonlyMap<DaemonNode, readonly Pod[]>,
  most: number,
): UpdateStep {
  const minReady = world.set.spec.minReadySeconds ?? 0;
  const broken: { pod: Pod; node: string }[] = [];
  const candidates: { pod: Pod; node: string }[] = [];
  let unavailable = 0;
  for (const [{ name, verdict }, [pod]] of settled) {
    const serves = pod !== undefined && isAvailable(pod, minReady, world.nowMs);
    const isNew = pod !== undefined && isUpdated(pod, world.hash);
    // On a node that is away only new pods count: the update itself may be what took it away.
    if (!serves && (verdict === 'run' || isNew)) unavailable++;
    if (pod === undefined || isNew || verdict !== 'run') continue;
    (serves ? candidates : broken).push({ pod, node: name });
  }
  const room = Math.max(0, most - unavailable);
  return { create: [], remove: [...broken, ...candidates.slice(0, room)] };
}

/** With surge: makes new pods beside old ones that serve; old ones that do not are replaced in place. */
function planSurge(
  world: DaemonWorld,
  settled: ReadonlyMap<DaemonNode, readonly Pod[]>,
  most: number,
): UpdateStep {
  const broken: { pod: Pod; node: string }[] = [];
  const candidates: string[] = [];
  const minReady = world.set.spec.minReadySeconds ?? 0;
  let surging = 0;
  for (const [{ name, verdict }, keep] of settled) {
    const [pod] = keep;
    // On a node that is away both stay, and only a new one that does not serve counts: the update may be what took it away.
    const serves = pod !== undefined && isAvailable(pod, minReady, world.nowMs);
    if (keep.length > 1 && (verdict === 'run' || !serves)) surging++;
    if (pod === undefined || keep.length > 1 || verdict !== 'run' || isUpdated(pod, world.hash)) continue;
    if (isReady(pod)) candidates.push(name);
    else broken.push({ pod, node: name });
  }
  return { create: candidates.slice(0, Math.max(0, most - surging)), remove: broken };
}

/** Pods made for a node that is gone and never bound: nothing of them runs. Bound ones are the garbage controller's. */
function strays({ nodes, pods }: DaemonWorld): { pod: Pod; node: string }[] {
  const names = new Set(nodes.map((n) => n.metadata.name));
  return pods
    .filter((pod) => isLive(pod) && pod.spec.nodeName === undefined)
    .map((pod) => ({ pod, node: targetNode(pod) ?? '' }))
    .filter(({ node }) => node !== '' && !names.has(node))
    .toSorted((a, b) => (a.pod.metadata.name < b.pod.metadata.name ? -1 : 1));
}

function endedOf({ pods }: DaemonNode): Pod[] {
  return pods.filter((pod) => isLive(pod) && isTerminal(pod));
}

function isLive(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined;
}

function createdMs(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp) || 0;
}

/** Until a pod becomes available by time alone, or a failed one may be replaced. */
function lookAgain({ set, nowMs, holdMs }: DaemonWorld, nodes: readonly DaemonNode[]): number | undefined {
  const minReady = set.spec.minReadySeconds ?? 0;
  const waits = nodes.flatMap((node) => [
    ...node.running.map((pod) => (availableAtMs(pod, minReady) ?? nowMs) - nowMs),
    ...(endedOf(node).some((pod) => pod.status?.phase === 'Failed') ? [holdMs(node.name)] : []),
  ]);
  const next = Math.min(...waits.filter((ms) => ms > 0));
  return Number.isFinite(next) ? next : undefined;
}
