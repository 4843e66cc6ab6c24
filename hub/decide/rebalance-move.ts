import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Deployment, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { availableAtMs, isActive } from './pod-facts.ts';
import { isMoving, MOVING } from './replicas.ts';
import { newReplicaSet } from './revisions.ts';
import { rolloutBounds } from './rollout.ts';

/** A pod on the move with everything that decides how it goes on. */
export interface MoveView {
  readonly pod: Pod;
  /** Those that own it; undefined when they are gone or are none of these kinds. */
  readonly deployment: Deployment | undefined;
  readonly replicaSets: readonly ReplicaSet[];
  readonly rs: ReplicaSet | undefined;
  /** All pods of the ReplicaSet. */
  readonly pods: readonly Pod[];
  /** People still want pods of it to be moved. */
  readonly isOn: boolean;
}

/** How a move goes on. */
export type MoveStep =
  /** The pod is on its way out, or none of ours: nothing to do. */
  | { readonly do: 'nothing' }
  | { readonly do: 'wait'; readonly lookAgainMs: number; readonly replacement: Pod | undefined }
  /** Another pod serves in its place. */
  | { readonly do: 'evict'; readonly replacement: Pod; readonly untilMs: number }
  /** `isFailure`: trying again soon would end the same way. */
  | { readonly do: 'undo'; readonly why: string; readonly isFailure: boolean };

/** A replacement that no node takes for so long is given up. */
const PLACING_MS = 60_000;
/** Longest that a replacement may take to become available; the Deployment's own progress deadline when that is shorter. */
const STARTING_MS = 10 * 60_000;
/** How much longer disruption budgets may hold the pod, beyond the time that its replacement has to start. */
const EVICTING_MS = 5 * 60_000;
/** A mark from the future is none: the clock was set back, or somebody else wrote it. */
const SKEW_MS = 60_000;

/** The next step of a move, from what the API holds alone: a hub that was restarted in the middle goes on. Pure; never throws. */
export function nextMoveStep(view: MoveView, nowMs: number): MoveStep {
  const { pod, rs, deployment } = view;
  if (!isMoving(pod) || !isActive(pod)) return { do: 'nothing' };
  const markedAtMs = Date.parse(pod.metadata.annotations?.[MOVING] ?? '');
  const why = reasonToStop(view, markedAtMs, nowMs);
  if (why !== undefined || rs === undefined || deployment === undefined)
    return { do: 'undo', why: why ?? 'its ReplicaSet is gone', isFailure: false };
  const others = view.pods.filter((other) => isActive(other) && !isMoving(other));
  const replacement = others.filter((other) => isFrom(other, markedAtMs)).toSorted(newestFirst)[0];
  if (replacement?.spec.nodeName !== undefined && replacement.spec.nodeName === pod.spec.nodeName)
    return { do: 'undo', why: 'the replacement came to the same node', isFailure: true };
  const minReadySeconds = rs.spec.minReadySeconds ?? 0;
  const allowedMs = Math.min(STARTING_MS, (deployment.spec.progressDeadlineSeconds ?? 600) * 1000);
  const startedByMs = markedAtMs + PLACING_MS + allowedMs + minReadySeconds * 1000;
  const missing =
    (rs.spec.replicas ?? 1) - others.filter((p) => isAvailableAt(p, minReadySeconds, nowMs)).length;
  if (replacement !== undefined && missing <= 0) {
    const untilMs = startedByMs + EVICTING_MS;
    if (nowMs < untilMs) return { do: 'evict', replacement, untilMs };
    return { do: 'undo', why: 'disruption budgets did not let it go', isFailure: true };
  }
  const isPlaced = replacement?.spec.nodeName !== undefined;
  const untilMs = isPlaced ? startedByMs : markedAtMs + PLACING_MS;
  if (nowMs < untilMs)
    return { do: 'wait', lookAgainMs: waitMs(others, minReadySeconds, untilMs, nowMs), replacement };
  const failure = isPlaced ? 'the replacement did not become available' : 'no node took the replacement';
  return { do: 'undo', why: failure, isFailure: true };
}

function reasonToStop(
  { pod, deployment, replicaSets, rs, isOn }: MoveView,
  markedAtMs: number,
  nowMs: number,
): string | undefined {
  if (Number.isNaN(markedAtMs) || markedAtMs > nowMs + SKEW_MS) return `its annotation ${MOVING} is no time`;
  if (rs === undefined || deployment === undefined) return 'it belongs to no Deployment';
  if (deployment.metadata.deletionTimestamp !== undefined) return 'the Deployment is being deleted';
  if (newReplicaSet(deployment, replicaSets) !== rs) return 'a rollout has begun';
  if (deployment.spec.paused === true) return 'the Deployment is paused';
  if (rolloutBounds(deployment).maxSurge <= 0) return 'no pod may be added first any more';
  if (!isOn) return 'rebalancing was switched off';
  return pod.spec.nodeName === undefined ? 'it is on no node' : undefined;
}

/** Times in the API are whole seconds. */
function isFrom(pod: Pod, markedAtMs: number): boolean {
  return Date.parse(pod.metadata.creationTimestamp) >= Math.floor(markedAtMs / 1000) * 1000;
}

function newestFirst(a: Pod, b: Pod): number {
  const difference = Date.parse(b.metadata.creationTimestamp) - Date.parse(a.metadata.creationTimestamp);
  return difference || (a.metadata.name < b.metadata.name ? -1 : 1);
}

function isAvailableAt(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const atMs = availableAtMs(pod, minReadySeconds);
  return atMs !== undefined && atMs <= nowMs;
}

/** Until the time is up, or until a ready pod becomes available by time alone. */
function waitMs(pods: readonly Pod[], minReadySeconds: number, untilMs: number, nowMs: number): number {
  const times = pods
    .map((pod) => availableAtMs(pod, minReadySeconds))
    .filter((atMs) => atMs !== undefined && atMs > nowMs);
  return Math.max(1, Math.min(untilMs, ...times.map((atMs) => atMs ?? untilMs)) - nowMs);
}
