import type { Namespace } from '../../protocol/kinds/core.ts';
import type { Pod, Volume } from '../../protocol/kinds/pod.ts';
import type { Deployment, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { isActive, isReady } from './pod-facts.ts';
import type { RebalanceTimes } from './rebalance-times.ts';
import { isMoving } from './replicas.ts';
import { rolloutBounds } from './rollout.ts';

/** Says whether pods may be moved, on a Deployment or for all of a Namespace: `true`, `false`, or `preview` to be told what would be. */
export const REBALANCE = 'coxswain.dev/rebalance';
/** How many moves may begin in any hour, on the object that opts in. */
export const MAX_MOVES = 'coxswain.dev/rebalance-max-moves-per-hour';
/** Known from the cluster autoscaler: `false` on a pod keeps it where it is. */
const SAFE_TO_EVICT = 'cluster-autoscaler.kubernetes.io/safe-to-evict';

const CHOICES: readonly string[] = ['true', 'false', 'preview'];
const DEFAULT_MAX_MOVES = 6;

/** An annotation that cannot be read. */
export interface BadAnnotation {
  readonly on: 'Deployment' | 'Namespace';
  readonly annotation: string;
  readonly value: string;
}

/** What people allow for a Deployment. */
export interface RebalanceTerms {
  readonly isOn: boolean;
  /** Nothing is moved, and people are told what would be. */
  readonly isPreview: boolean;
  readonly maxMovesPerHour: number;
  /** The object that opted in, whose budget counts: `namespace` or `namespace/deployment`. */
  readonly scope: string;
  readonly bad: readonly BadAnnotation[];
}

/** Reads the terms: the Deployment's own annotation goes before that of its Namespace; what cannot be read is off, or the default. Pure. */
export function rebalanceTerms(deployment: Deployment, namespace: Namespace | undefined): RebalanceTerms {
  const { annotations = {}, namespace: space = '', name } = deployment.metadata;
  const isOwn = annotations[REBALANCE] !== undefined;
  const on = isOwn ? 'Deployment' : 'Namespace';
  const { [REBALANCE]: asked = 'false', [MAX_MOVES]: max = String(DEFAULT_MAX_MOVES) } = isOwn
    ? annotations
    : (namespace?.metadata.annotations ?? {});
  const bad: BadAnnotation[] = [];
  if (!CHOICES.includes(asked)) bad.push({ on, annotation: REBALANCE, value: asked });
  const isNumber = /^\d{1,4}$/.test(max);
  if (!isNumber) bad.push({ on, annotation: MAX_MOVES, value: max });
  return {
    isOn: asked === 'true',
    isPreview: asked === 'preview',
    maxMovesPerHour: isNumber ? Number(max) : DEFAULT_MAX_MOVES,
    scope: isOwn ? `${space}/${name}` : space,
    bad,
  };
}

/**
 * True when nothing else is going on with the Deployment: its last change is rolled out, all replicas are there and available. One
 * that may never have a pod more than its replicas (Recreate, `maxSurge: 0`) is not moved: the new pod could not come first.
 */
export function isSettled(deployment: Deployment, rs: ReplicaSet): boolean {
  const { metadata, spec, status = {} } = deployment;
  const { replicas, maxSurge } = rolloutBounds(deployment);
  const isObserved = (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  const counts = [status.replicas, status.updatedReplicas, status.availableReplicas, rs.spec.replicas];
  return (
    metadata.deletionTimestamp === undefined &&
    spec.paused !== true &&
    maxSurge > 0 &&
    replicas > 0 &&
    isObserved &&
    counts.every((count) => count === replicas) &&
    rs.spec.template.spec.nodeName === undefined
  );
}

/** True when nothing ties the pod to its node and it is there long enough, by the hub's clock. */
export function isMovable(pod: Pod, nowMs: number, { minAgeMs }: RebalanceTimes): boolean {
  const { metadata, spec } = pod;
  const { schedulerName = 'default-scheduler', volumes = [] } = spec;
  return (
    spec.nodeName !== undefined &&
    isActive(pod) &&
    isReady(pod) &&
    !isMoving(pod) &&
    metadata.annotations?.[SAFE_TO_EVICT] !== 'false' &&
    (schedulerName === '' || schedulerName === 'default-scheduler') &&
    nowMs - Date.parse(metadata.creationTimestamp) >= minAgeMs &&
    volumes.every(isEverywhere)
  );
}

/** True when only its age keeps the pod where it is: nothing but time will tell that it may move. Pure. */
export function isTooYoung(pod: Pod, nowMs: number, times: RebalanceTimes): boolean {
  return !isMovable(pod, nowMs, times) && isMovable(pod, nowMs + times.minAgeMs, times);
}

/** Sources that every node has. Others hold what a pod elsewhere would not find. */
const EVERYWHERE: readonly string[] = ['name', 'emptyDir', 'configMap', 'secret', 'downwardAPI', 'projected'];

function isEverywhere(volume: Volume): boolean {
  return Object.keys(volume).every((source) => EVERYWHERE.includes(source));
}
