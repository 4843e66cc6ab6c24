import { nodeRefusals } from '../../hub/decide/candidates.ts';
import { matchesNode } from '../../hub/decide/filters/node-match.ts';
import { addPod, emptyNode, type NodeState, nodeTraits } from '../../hub/decide/node-state.ts';
import { podToPlace } from '../../hub/decide/pod-to-place.ts';
import type { LabelSelector } from '../../protocol/kinds/meta.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../../protocol/kinds/pod.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import { untolerated } from '../../protocol/taints.ts';

/** The objects of a cluster; namespaces with their labels. */
export interface Objects {
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly namespaces: Readonly<Record<string, Record<string, string>>>;
}

/** Names of the nodes that the documented rules allow, worked out pod by pod from the objects: slow, and short enough to be believed. */
export function allowedNodes(pod: Pod, objects: Objects): string[] {
  const here = objects.pods.filter((p) => p.status?.phase !== 'Succeeded' && p.status?.phase !== 'Failed');
  const cluster = { ...objects, pods: here };
  return objects.nodes
    .filter(
      (node) =>
        nodeRefusals(podToPlace(pod), stateOf(node, here)).length === 0 &&
        affinityHolds(pod, node, cluster) &&
        antiAffinityHolds(pod, node, cluster) &&
        spreadHolds(pod, node, cluster),
    )
    .map((node) => node.metadata.name)
    .sort();
}

function stateOf(node: Node, pods: readonly Pod[]): NodeState {
  const state = emptyNode(nodeTraits(node));
  for (const pod of pods) if (pod.spec.nodeName === node.metadata.name) addPod(state, podToPlace(pod));
  return state;
}

function labelOf(node: Node | undefined, key: string): string | undefined {
  return node?.metadata.labels?.[key];
}

/** Pods on nodes that share the value of the key with `node`. */
function neighbours(node: Node, key: string, { nodes, pods }: Objects): Pod[] {
  const value = labelOf(node, key);
  if (value === undefined) return [];
  const names = nodes.filter((n) => labelOf(n, key) === value).map((n) => n.metadata.name);
  return pods.filter((p) => p.spec.nodeName !== undefined && names.includes(p.spec.nodeName));
}

function means(owner: Pod, term: PodAffinityTerm, other: Pod, { namespaces }: Objects): boolean {
  const { namespace = '' } = other.metadata;
  const named = term.namespaces ?? [];
  const isOwn = named.length === 0 && term.namespaceSelector === undefined;
  const inScope =
    (isOwn && namespace === owner.metadata.namespace) ||
    named.includes(namespace) ||
    selectorMatches(term.namespaceSelector, namespaces[namespace] ?? {});
  return inScope && labelsMatch(owner, term.labelSelector, term.matchLabelKeys ?? [], other);
}

function labelsMatch(
  owner: Pod,
  selector: LabelSelector | undefined,
  keys: readonly string[],
  other: Pod,
): boolean {
  const own = owner.metadata.labels ?? {};
  const labels = other.metadata.labels ?? {};
  return selectorMatches(selector, labels) && keys.every((k) => own[k] === undefined || own[k] === labels[k]);
}

function affinityHolds(pod: Pod, node: Node, cluster: Objects): boolean {
  const terms = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  if (terms.some((t) => labelOf(node, t.topologyKey) === undefined)) return false;
  const meansAll = (other: Pod): boolean => terms.every((t) => means(pod, t, other, cluster));
  if (terms.every((t) => neighbours(node, t.topologyKey, cluster).some(meansAll))) return true;
  const anywhere = cluster.nodes.some((n) =>
    terms.some((t) => neighbours(n, t.topologyKey, cluster).some(meansAll)),
  );
  return !anywhere && meansAll(pod);
}

function antiAffinityHolds(pod: Pod, node: Node, cluster: Objects): boolean {
  const terms = (of: Pod): PodAffinityTerm[] =>
    of.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const own = terms(pod).some((t) =>
    neighbours(node, t.topologyKey, cluster).some((other) => means(pod, t, other, cluster)),
  );
  const theirs = cluster.pods.some((other) =>
    terms(other).some(
      (t) => neighbours(node, t.topologyKey, cluster).includes(other) && means(other, t, pod, cluster),
    ),
  );
  return !own && !theirs;
}

function spreadHolds(pod: Pod, node: Node, cluster: Objects): boolean {
  const hard = (pod.spec.topologySpreadConstraints ?? []).filter(
    (c) => c.whenUnsatisfiable === 'DoNotSchedule',
  );
  return hard.every((constraint) => {
    const value = labelOf(node, constraint.topologyKey);
    if (value === undefined) return false;
    const counted = cluster.nodes.filter((n) => isCounted(pod, constraint, hard, n));
    const countIn = (domain: string | undefined): number =>
      cluster.pods.filter(
        (other) =>
          other.metadata.deletionTimestamp === undefined &&
          other.metadata.namespace === pod.metadata.namespace &&
          labelsMatch(pod, constraint.labelSelector, constraint.matchLabelKeys ?? [], other) &&
          counted.some(
            (n) => n.metadata.name === other.spec.nodeName && labelOf(n, constraint.topologyKey) === domain,
          ),
      ).length;
    const domains = [...new Set(counted.map((n) => labelOf(n, constraint.topologyKey)))];
    const few = domains.length < (constraint.minDomains ?? 1);
    const fewest = few ? 0 : Math.min(...domains.map(countIn));
    const self = labelsMatch(pod, constraint.labelSelector, constraint.matchLabelKeys ?? [], pod) ? 1 : 0;
    return countIn(value) + self - fewest <= constraint.maxSkew;
  });
}

function isCounted(
  pod: Pod,
  constraint: TopologySpreadConstraint,
  hard: readonly TopologySpreadConstraint[],
  node: Node,
): boolean {
  const traits = nodeTraits(node);
  const affine = matchesNode(podToPlace(pod), traits);
  const tolerated =
    untolerated(traits.taints, pod.spec.tolerations, ['NoSchedule', 'NoExecute']).length === 0;
  return (
    hard.every((c) => labelOf(node, c.topologyKey) !== undefined) &&
    (constraint.nodeAffinityPolicy === 'Ignore' || affine) &&
    (constraint.nodeTaintsPolicy !== 'Honor' || tolerated)
  );
}
