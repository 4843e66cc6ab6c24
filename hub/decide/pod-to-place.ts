import type { NodeSelectorTerm, Toleration } from '../../protocol/kinds/node.ts';
import type { Affinity, Pod } from '../../protocol/kinds/pod.ts';
import { type Labelled, type PodAffinity, podAffinity } from './affinity.ts';
import { imageKey } from './image-name.ts';
import type { ImageVariants } from './image-variants.ts';
import { type Amounts, controllerUid, podHostPorts, podRequests } from './pod-facts.ts';
import { type SpreadConstraint, spreadConstraints } from './topology.ts';

/** CPU in thousandths of a core and memory in bytes really used, or taken to be. */
export interface LiveUse {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

/** An image as the pod names it, with what is known of its variants. */
export interface ImagePlatforms {
  readonly image: string;
  readonly variants: ImageVariants;
}

/** A pod as placement looks at it, computed once. */
export interface PodToPlace extends Labelled {
  readonly uid: string;
  readonly name: string;
  readonly priority: number;
  /** False when others must not be driven out for it. */
  readonly preempts: boolean;
  readonly ownerUid: string | undefined;
  readonly requests: Amounts;
  /** What the pod is taken to use while telemetry does not show it: its requests, or a small default. */
  readonly estimate: LiveUse;
  readonly hostPorts: readonly string[];
  readonly tolerations: readonly Toleration[];
  readonly nodeSelector: Readonly<Record<string, string>> | undefined;
  readonly nodeAffinity: Affinity['nodeAffinity'] | undefined;
  /** Full names, see imageKey. */
  readonly images: readonly string[];
  readonly platforms: readonly ImagePlatforms[];
  /** For each volume that belongs to nodes: terms of which one must hold. */
  readonly volumeNodes: readonly (readonly NodeSelectorTerm[])[];
  readonly affinity: PodAffinity;
  readonly spread: readonly SpreadConstraint[];
  /** Being deleted: it still takes its room, but spread constraints do not count it any more. */
  readonly terminating: boolean;
}

/** What is known of a pod beside its object. */
export interface PodKnowledge {
  readonly volumeNodes?: readonly (readonly NodeSelectorTerm[])[];
  /** Variants of an image; undefined when none is known to be missing. */
  readonly variants?: (image: string) => ImageVariants | undefined;
}

/** What a pod without requests is taken to use until telemetry shows it. */
const DEFAULT_ESTIMATE: LiveUse = { cpuMilli: 20, memoryBytes: 16 * 1024 * 1024 };
const NONE: readonly never[] = [];

/** Reads from a pod what placement needs. */
export function podToPlace(pod: Pod, { volumeNodes, variants }: PodKnowledge = {}): PodToPlace {
  const { metadata, spec } = pod;
  const requests = podRequests(spec);
  return {
    uid: metadata.uid,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    labels: metadata.labels ?? {},
    priority: spec.priority ?? 0,
    preempts: spec.preemptionPolicy !== 'Never',
    ownerUid: controllerUid(pod),
    requests,
    estimate: {
      cpuMilli: requests['cpu'] ?? DEFAULT_ESTIMATE.cpuMilli,
      memoryBytes: requests['memory'] ?? DEFAULT_ESTIMATE.memoryBytes,
    },
    hostPorts: podHostPorts(spec),
    tolerations: spec.tolerations ?? NONE,
    nodeSelector: spec.nodeSelector,
    nodeAffinity: spec.affinity?.nodeAffinity,
    images: spec.containers.map((c) => imageKey(c.image)),
    platforms: variants === undefined ? NONE : platformsOf(pod, variants),
    volumeNodes: volumeNodes ?? NONE,
    affinity: podAffinity(pod),
    spread: spreadConstraints(pod),
    terminating: metadata.deletionTimestamp !== undefined,
  };
}

function platformsOf(pod: Pod, known: (image: string) => ImageVariants | undefined): ImagePlatforms[] {
  const { containers, initContainers = [] } = pod.spec;
  return [...initContainers, ...containers].flatMap(({ image }) => {
    const variants = known(image);
    return variants === undefined ? [] : [{ image, variants }];
  });
}

/** Equal for pods that every filter and score of single nodes treats alike; rules about other pods are not in it. */
export function nodeClassOf(pod: PodToPlace): string {
  return JSON.stringify([
    pod.ownerUid ?? 0,
    pod.requests,
    pod.estimate.cpuMilli,
    pod.estimate.memoryBytes,
    pod.hostPorts,
    pod.tolerations,
    pod.nodeSelector ?? 0,
    pod.nodeAffinity ?? 0,
    pod.images,
    pod.platforms,
    pod.volumeNodes,
    pod.spread.length > 0,
  ]);
}

/** Equal for pods that cannot be told apart by placement at all, save by name. */
export function podClassOf(pod: PodToPlace): string {
  const { required, requiredAnti, preferred } = pod.affinity;
  const rules =
    pod.spread.length + required.length + requiredAnti.length + preferred.length === 0
      ? 0
      : [pod.affinity, pod.spread];
  return JSON.stringify([nodeClassOf(pod), pod.priority, pod.preempts, pod.namespace, pod.labels, rules]);
}
