import type { Node, NodeStatus, Taint } from '../../protocol/kinds/node.ts';
import { bytesOf, cpuMilli } from '../../protocol/quantity.ts';
import { imageKey } from './image-name.ts';
import { foreignImages } from './image-variants.ts';
import { IMAGE_PLATFORMS } from './node-object.ts';
import type { Amounts } from './pod-facts.ts';
import type { LiveUse, PodToPlace } from './pod-to-place.ts';
import { priceOf } from './scores/price.ts';

/** What a fresh telemetry sample says of a node; shares 0..1. */
export interface LiveState {
  readonly heldCpuRatio: number;
  readonly heldMemoryRatio: number;
  readonly cpuRatio: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  readonly temperatureCelsius?: number;
  /** The firmware slows the board down, for heat or for want of voltage. */
  readonly throttled?: boolean;
}

/** What the node's own object says. */
export interface NodeTraits {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly unschedulable: boolean;
  readonly ready: boolean;
  readonly allocatable: Amounts;
  readonly cpuCapacityMilli: number;
  /** Bytes of the images the node has, by full name; 0 when it does not say how large. */
  readonly images: ReadonlyMap<string, number>;
  /** Those of them that are for another architecture, by full name. */
  readonly foreignImages: ReadonlyMap<string, string>;
  /** What its label says that it costs; undefined without a price that can be read. */
  readonly price?: number | undefined;
}

/** A node as placement looks at it: what its object says, and the sums over the pods that are or will be on it. */
export interface NodeState extends NodeTraits {
  readonly requested: Amounts;
  readonly podCount: number;
  /** How many pods take a host port; see podHostPorts for the form. */
  readonly hostPorts: ReadonlyMap<string, number>;
  /** Pods of this node by controller uid. */
  readonly owners: ReadonlyMap<string, number>;
  /** Undefined when telemetry is stale or was never there: unknown, not zero. */
  readonly live: LiveState | undefined;
  /** Estimates of the pods placed here that telemetry does not show yet; below zero when pods are thought away. */
  readonly assumed: LiveUse;
  /** Another node, or this one, has yet to tell its load for the first time: below half load all count alike. */
  readonly levelled: boolean;
}

/** A node state that its owner keeps up to date in place. */
export interface OwnNodeState extends NodeState {
  requested: Record<string, number>;
  podCount: number;
  hostPorts: Map<string, number>;
  owners: Map<string, number>;
  live: LiveState | undefined;
  assumed: LiveUse;
  levelled: boolean;
}

/** Nothing at all. */
export const NO_USE: LiveUse = { cpuMilli: 0, memoryBytes: 0 };

/** Reads the node's own object. */
export function nodeTraits({ metadata, spec, status }: Node): NodeTraits {
  return {
    name: metadata.name,
    labels: metadata.labels ?? {},
    taints: spec.taints ?? [],
    unschedulable: spec.unschedulable === true,
    ready: status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false,
    allocatable: amountsOf(status?.allocatable ?? status?.capacity),
    cpuCapacityMilli: cpuMilli(status?.capacity?.['cpu'] ?? status?.allocatable?.['cpu']),
    images: imageSizes(status?.images),
    foreignImages: foreignImages(metadata.annotations?.[IMAGE_PLATFORMS]),
    price: priceOf(metadata.labels ?? {}),
  };
}

/** The node without any pod and without telemetry. */
export function emptyNode(traits: NodeTraits): OwnNodeState {
  return {
    ...traits,
    requested: {},
    podCount: 0,
    hostPorts: new Map(),
    owners: new Map(),
    live: undefined,
    assumed: NO_USE,
    levelled: false,
  };
}

function imageSizes(images: NodeStatus['images']): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { names, sizeBytes = 0 } of images ?? []) {
    for (const name of names) sizes.set(imageKey(name), sizeBytes);
  }
  return sizes;
}

function amountsOf(quantities: Readonly<Record<string, string>> | undefined): Amounts {
  return Object.fromEntries(
    Object.entries(quantities ?? {}).map(([name, q]) => [name, name === 'cpu' ? cpuMilli(q) : bytesOf(q)]),
  );
}

/** Puts a pod on the node, in place. Its estimate is not added to `assumed`. */
export function addPod(node: OwnNodeState, pod: PodToPlace): void {
  count(node, pod, 1);
}

/** Takes a pod off that was put on before, in place. */
export function removePod(node: OwnNodeState, pod: PodToPlace): void {
  count(node, pod, -1);
}

function count(node: OwnNodeState, pod: PodToPlace, sign: 1 | -1): void {
  node.podCount += sign;
  for (const name in pod.requests) {
    const sum = (node.requested[name] ?? 0) + sign * (pod.requests[name] ?? 0);
    if (sum === 0) delete node.requested[name];
    else node.requested[name] = sum;
  }
  for (const port of pod.hostPorts) bump(node.hostPorts, port, sign);
  if (pod.ownerUid !== undefined) bump(node.owners, pod.ownerUid, sign);
}

function bump(counts: Map<string, number>, key: string, by: number): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum === 0) counts.delete(key);
  else counts.set(key, sum);
}

/** A copy with one more pod whose use telemetry does not show yet. */
export function withFreshPod(node: NodeState, pod: PodToPlace): NodeState {
  const copy = copyOf(node);
  addPod(copy, pod);
  copy.assumed = addUse(copy.assumed, pod.estimate);
  return copy;
}

function copyOf(node: NodeState): OwnNodeState {
  return {
    ...node,
    requested: { ...node.requested },
    hostPorts: new Map(node.hostPorts),
    owners: new Map(node.owners),
  };
}

/** Sum of two uses, or the difference with `sign` -1. */
export function addUse(a: LiveUse, b: LiveUse, sign: 1 | -1 = 1): LiveUse {
  return { cpuMilli: a.cpuMilli + sign * b.cpuMilli, memoryBytes: a.memoryBytes + sign * b.memoryBytes };
}

/** True when two samples say the same to placement. */
export function sameLive(a: LiveState | undefined, b: LiveState | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.heldCpuRatio === b.heldCpuRatio &&
    a.heldMemoryRatio === b.heldMemoryRatio &&
    a.memoryUsedBytes === b.memoryUsedBytes &&
    a.memoryTotalBytes === b.memoryTotalBytes &&
    a.temperatureCelsius === b.temperatureCelsius &&
    a.throttled === b.throttled
  );
}

/** Share of the node's CPU in use, 0..1 or above: damped telemetry plus what was placed since. Unknown without telemetry. */
export function liveCpuRatio(node: NodeState): number | undefined {
  if (node.live === undefined) return undefined;
  return node.live.heldCpuRatio + node.assumed.cpuMilli / Math.max(1, node.cpuCapacityMilli);
}
