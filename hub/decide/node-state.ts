import type { Node, Taint, Toleration } from '../../protocol/kinds/node.ts';
import type { Affinity, Pod } from '../../protocol/kinds/pod.ts';
import { bytesOf, cpuMilli } from '../../protocol/quantity.ts';
import { type Amounts, controllerUid, isTerminal, podHostPorts, podRequests } from './pod-facts.ts';

/** A pod as placement looks at it, computed once. */
export interface PodToPlace {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly ownerUid: string | undefined;
  readonly requests: Amounts;
  /** What the pod is taken to use while telemetry does not show it: its requests, or a small default. */
  readonly estimate: LiveUse;
  readonly hostPorts: readonly string[];
  readonly tolerations: readonly Toleration[];
  readonly nodeSelector: Readonly<Record<string, string>> | undefined;
  readonly nodeAffinity: Affinity['nodeAffinity'] | undefined;
  readonly images: readonly string[];
}

/** CPU in thousandths of a core and memory in bytes really used, or taken to be. */
export interface LiveUse {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

/** What a fresh telemetry sample says of a node; shares 0..1. */
export interface LiveState {
  readonly heldCpuRatio: number;
  readonly heldMemoryRatio: number;
  readonly cpuRatio: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  readonly temperatureCelsius?: number;
  readonly throttled?: boolean;
}

/** A node as placement looks at it: its object, and the sums over the pods that are or will be on it. */
export interface NodeState {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly unschedulable: boolean;
  readonly ready: boolean;
  readonly allocatable: Amounts;
  readonly cpuCapacityMilli: number;
  readonly requested: Amounts;
  readonly podCount: number;
  readonly hostPorts: ReadonlySet<string>;
  /** Pods of this node by controller uid. */
  readonly owners: ReadonlyMap<string, number>;
  readonly images: ReadonlySet<string>;
  /** Undefined when telemetry is stale or was never there: unknown, not zero. */
  readonly live: LiveState | undefined;
  /** Estimates of the pods placed here that telemetry does not show yet. */
  readonly assumed: LiveUse;
}

/** What a pod without requests is taken to use until telemetry shows it. */
const DEFAULT_ESTIMATE: LiveUse = { cpuMilli: 20, memoryBytes: 16 * 1024 * 1024 };

/** Reads from a pod what placement needs. */
export function podToPlace(pod: Pod): PodToPlace {
  const requests = podRequests(pod.spec);
  return {
    uid: pod.metadata.uid,
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name,
    ownerUid: controllerUid(pod),
    requests,
    estimate: {
      cpuMilli: requests['cpu'] ?? DEFAULT_ESTIMATE.cpuMilli,
      memoryBytes: requests['memory'] ?? DEFAULT_ESTIMATE.memoryBytes,
    },
    hostPorts: podHostPorts(pod.spec),
    tolerations: pod.spec.tolerations ?? [],
    nodeSelector: pod.spec.nodeSelector,
    nodeAffinity: pod.spec.affinity?.nodeAffinity,
    images: pod.spec.containers.map((c) => c.image),
  };
}

/**
 * Sums up a node. Pods that have ended take nothing; pods being deleted still do, until they are gone.
 * `live` is added by the caller with `withLive`, because it ages without any change of an object.
 */
export function nodeState(node: Node, pods: readonly Pod[]): NodeState {
  const empty: NodeState = {
    name: node.metadata.name,
    labels: node.metadata.labels ?? {},
    taints: node.spec.taints ?? [],
    unschedulable: node.spec.unschedulable === true,
    ready: node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false,
    allocatable: amountsOf(node.status?.allocatable ?? node.status?.capacity),
    cpuCapacityMilli: cpuMilli(node.status?.capacity?.['cpu'] ?? node.status?.allocatable?.['cpu']),
    requested: {},
    podCount: 0,
    hostPorts: new Set(),
    owners: new Map(),
    images: new Set((node.status?.images ?? []).flatMap((i) => i.names)),
    live: undefined,
    assumed: { cpuMilli: 0, memoryBytes: 0 },
  };
  return pods
    .filter((pod) => !isTerminal(pod))
    .reduce((state, pod) => withPod(state, podToPlace(pod), false), empty);
}

function amountsOf(quantities: Readonly<Record<string, string>> | undefined): Amounts {
  return Object.fromEntries(
    Object.entries(quantities ?? {}).map(([name, q]) => [name, name === 'cpu' ? cpuMilli(q) : bytesOf(q)]),
  );
}

/** The node with one more pod; `fresh` when telemetry does not show the pod yet, so that its estimate counts as live use. */
export function withPod(state: NodeState, pod: PodToPlace, fresh: boolean): NodeState {
  const requested: Record<string, number> = { ...state.requested };
  for (const [name, n] of Object.entries(pod.requests)) requested[name] = (requested[name] ?? 0) + n;
  const owners =
    pod.ownerUid === undefined
      ? state.owners
      : new Map(state.owners).set(pod.ownerUid, (state.owners.get(pod.ownerUid) ?? 0) + 1);
  return {
    ...state,
    requested,
    podCount: state.podCount + 1,
    hostPorts: pod.hostPorts.length === 0 ? state.hostPorts : new Set([...state.hostPorts, ...pod.hostPorts]),
    owners,
    assumed: fresh ? addUse(state.assumed, pod.estimate) : state.assumed,
  };
}

/** The node with what telemetry says of it, and with the estimates of fresh pods that are counted in it already. */
export function withLive(state: NodeState, live: LiveState | undefined, assumed: LiveUse): NodeState {
  return { ...state, live, assumed: addUse(state.assumed, assumed) };
}

/** Sum of two uses. */
export function addUse(a: LiveUse, b: LiveUse): LiveUse {
  return { cpuMilli: a.cpuMilli + b.cpuMilli, memoryBytes: a.memoryBytes + b.memoryBytes };
}

/** Share of the node's CPU in use, 0..1 or above: damped telemetry plus what was placed since. Unknown without telemetry. */
export function liveCpuRatio(node: NodeState): number | undefined {
  if (node.live === undefined) return undefined;
  return node.live.heldCpuRatio + node.assumed.cpuMilli / Math.max(1, node.cpuCapacityMilli);
}

/** The same for memory. */
export function liveMemoryRatio(node: NodeState): number | undefined {
  if (node.live === undefined) return undefined;
  return node.live.heldMemoryRatio + node.assumed.memoryBytes / Math.max(1, node.live.memoryTotalBytes);
}
