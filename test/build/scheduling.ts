import type { Refusal } from '../../hub/decide/filters/filter.ts';
import type { Placement } from '../../hub/decide/place.ts';
import { refusalSummary } from '../../hub/decide/placement-text.ts';
import { podToPlace } from '../../hub/decide/pod-to-place.ts';
import { ClusterState, type LiveTelemetry } from '../../hub/scheduler/cluster-state.ts';
import { Placer } from '../../hub/scheduler/placer.ts';
import type { Namespace } from '../../protocol/kinds/core.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../../protocol/kinds/pod.ts';

const CREATED = '2026-01-01T00:00:00Z';

/** What may be said of a node in a test; everything has a default. */
export interface NodeParts {
  readonly labels?: Record<string, string>;
  readonly allocatable?: Record<string, string>;
  readonly spec?: Node['spec'];
  readonly images?: { names: string[]; sizeBytes?: number }[];
}

/** A ready node of 2 cores and 1 GiB with its host name as label. */
export function nodeObject(name: string, { labels, allocatable, spec, images }: NodeParts = {}): Node {
  const amounts = { cpu: '2', memory: '1Gi', pods: '110', 'ephemeral-storage': '16Gi', ...allocatable };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: '1',
      creationTimestamp: CREATED,
      labels: { 'kubernetes.io/hostname': name, ...labels },
    },
    spec: spec ?? {},
    status: {
      capacity: amounts,
      allocatable: amounts,
      conditions: [{ type: 'Ready', status: 'True' }],
      ...(images !== undefined && { images }),
    },
  };
}

/** What may be said of a pod in a test. `on` is the node it is bound to. */
export interface PodParts {
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly on?: string;
  readonly spec?: Partial<Pod['spec']>;
  readonly requests?: Record<string, string>;
  readonly deleting?: boolean;
  readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
}

/** A pod of one small container; its uid is its name. */
export function podObject(name: string, parts: PodParts = {}): Pod {
  const { namespace = 'default', labels = {}, on, spec, requests, deleting, phase } = parts;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: name,
      resourceVersion: '1',
      creationTimestamp: CREATED,
      labels,
      ...(deleting === true && { deletionTimestamp: CREATED }),
    },
    spec: {
      containers: [{ name: 'c', image: 'busybox', ...(requests && { resources: { requests } }) }],
      ...(on !== undefined && { nodeName: on }),
      ...spec,
    },
    status: { phase: phase ?? (on === undefined ? 'Pending' : 'Running') },
  };
}

/** A cluster in the state that the given objects make, with nothing but placement around it. */
export class PlacementWorld {
  readonly state: ClusterState;
  readonly placer: Placer;

  constructor(
    nodes: readonly Node[],
    pods: readonly Pod[] = [],
    live: (node: string) => LiveTelemetry | undefined = () => undefined,
    namespaces: Readonly<Record<string, Record<string, string>>> = {},
  ) {
    const namespace = (name: string): Namespace => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        uid: name,
        resourceVersion: '1',
        creationTimestamp: CREATED,
        labels: { ...namespaces[name] },
      },
    });
    this.state = new ClusterState({ get: (_kind, _namespace, name) => namespace(name) as never }, live);
    this.placer = new Placer(this.state);
    for (const node of nodes) this.state.setNode(node);
    for (const pod of pods) this.state.observe(pod, 0);
  }

  /** Where the pod would go. */
  place(pod: Pod): Placement {
    return this.placer.place(podToPlace(pod));
  }

  /** The node, or the summary of why there is none. */
  where(pod: Pod): string {
    const placement = this.place(pod);
    return placement.ok ? placement.node : refusalSummary(placement.reasons);
  }

  /** The nodes that would take the pod, one by one, in order. */
  feasible(pod: Pod): string[] {
    const wanted = podToPlace(pod);
    return [...this.state.nodes.names()].filter((name) => this.placer.fits(wanted, name)).sort();
  }

  /** Places pods one after the other, each assumed before the next; gives how many each node got. */
  placeAll(pods: readonly Pod[]): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const pod of pods) {
      const wanted = podToPlace(pod);
      const placement = this.placer.place(wanted);
      const where = placement.ok ? placement.node : 'nowhere';
      if (placement.ok) this.state.assume(wanted, placement.node);
      counts[where] = (counts[where] ?? 0) + 1;
    }
    return counts;
  }
}

/** A required rule that keeps the pod `near` to or `away` from others. */
export function ruled(how: 'near' | 'away', ...terms: PodAffinityTerm[]): Partial<Pod['spec']> {
  const rules = { requiredDuringSchedulingIgnoredDuringExecution: terms };
  return { affinity: how === 'near' ? { podAffinity: rules } : { podAntiAffinity: rules } };
}

/** A term about pods with this `app` label. */
export function aboutApp(
  app: string,
  topologyKey: string,
  more: Partial<PodAffinityTerm> = {},
): PodAffinityTerm {
  return { topologyKey, labelSelector: { matchLabels: { app } }, ...more };
}

/** A spread constraint over pods with this `app` label, DoNotSchedule with a skew of 1. */
export function evenly(
  app: string,
  topologyKey: string,
  more: Partial<TopologySpreadConstraint> = {},
): TopologySpreadConstraint {
  return {
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app } },
    ...more,
  };
}

/** The texts of refusals as people read them. */
export function textsOf(refusals: readonly Refusal[]): string[] {
  return refusals.map((r) => (r.detail === undefined ? r.reason : `${r.reason} (${r.detail()})`));
}
