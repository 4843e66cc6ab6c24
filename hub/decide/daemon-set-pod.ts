import type { Node, Toleration } from '../../protocol/kinds/node.ts';
import type { Affinity, Pod } from '../../protocol/kinds/pod.ts';
import type { DaemonSet, PodTemplateSpec } from '../../protocol/kinds/workloads.ts';
import {
  TAINT_DISK_PRESSURE,
  TAINT_MEMORY_PRESSURE,
  TAINT_NOT_READY,
  TAINT_PID_PRESSURE,
  TAINT_UNREACHABLE,
  TAINT_UNSCHEDULABLE,
  untolerated,
} from '../../protocol/taints.ts';
import { CONTROLLER_REVISION_HASH } from './controller-revisions.ts';
import { matchesNode } from './filters/node-match.ts';

const TAINT_NETWORK_UNAVAILABLE = 'node.kubernetes.io/network-unavailable';

/** What a node is to a DaemonSet: it should run the pod, may keep the one it has, or must not have any. */
export type NodeVerdict = 'run' | 'keep' | 'leave';

/**
 * Tolerations of a daemon pod: the template's and those that let it stay on a node in trouble and start on one under pressure
 * or cordoned. https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations
 */
export function daemonTolerations({ tolerations = [], hostNetwork }: PodTemplateSpec['spec']): Toleration[] {
  const added: Toleration[] = [
    [TAINT_NOT_READY, 'NoExecute'] as const,
    [TAINT_UNREACHABLE, 'NoExecute'] as const,
    ...[TAINT_DISK_PRESSURE, TAINT_MEMORY_PRESSURE, TAINT_PID_PRESSURE, TAINT_UNSCHEDULABLE].map(
      (key) => [key, 'NoSchedule'] as const,
    ),
    ...(hostNetwork === true ? [[TAINT_NETWORK_UNAVAILABLE, 'NoSchedule'] as const] : []),
  ].map(([key, effect]) => ({ key, operator: 'Exists', effect }));
  const replaced = (t: Toleration): boolean =>
    added.some((a) => a.key === t.key && a.effect === t.effect && t.operator === 'Exists');
  return [...tolerations.filter((t) => !replaced(t)), ...added];
}

/**
 * The template of the pod for one node. The scheduler binds it there and nowhere else: the required node affinity of the
 * template, which the node has been held to already, is replaced by the node's name.
 */
export function daemonTemplate(set: DaemonSet, node: string, hash: string): PodTemplateSpec {
  const { metadata, spec } = set.spec.template;
  const requiredDuringSchedulingIgnoredDuringExecution = {
    nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [node] }] }],
  };
  const nodeAffinity = { ...spec.affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution };
  return {
    metadata: { ...metadata, labels: { ...metadata?.labels, [CONTROLLER_REVISION_HASH]: hash } },
    spec: {
      ...spec,
      affinity: { ...spec.affinity, nodeAffinity } as Affinity,
      tolerations: daemonTolerations(spec),
    },
  };
}

/** The node a pod is bound to, or made for; undefined for a pod that somebody else made for no node in particular. */
export function targetNode({ spec: { nodeName, affinity } }: Pod): string | undefined {
  if (nodeName !== undefined) return nodeName;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  for (const { matchFields = [] } of required?.nodeSelectorTerms ?? [])
    for (const { key, operator, values = [] } of matchFields)
      if (key === 'metadata.name' && operator === 'In' && values.length === 1) return values[0];
  return undefined;
}

/**
 * How the DaemonSet judges nodes, by name, labels and taints: a taint NoSchedule that it does not tolerate keeps new pods away,
 * NoExecute makes them leave. Room on the node is the scheduler's business. Pure; never throws.
 */
export function nodeJudge(set: DaemonSet): (node: Node) => NodeVerdict {
  const { spec } = set.spec.template;
  const tolerations = daemonTolerations(spec);
  const wanted = { nodeSelector: spec.nodeSelector, nodeAffinity: spec.affinity?.nodeAffinity };
  return ({ metadata: { name, labels = {} }, spec: { taints } }) => {
    if (spec.nodeName !== undefined && spec.nodeName !== '' && spec.nodeName !== name) return 'leave';
    if (!matchesNode(wanted, { name, labels })) return 'leave';
    if (untolerated(taints, tolerations, ['NoExecute']).length > 0) return 'leave';
    return untolerated(taints, tolerations, ['NoSchedule']).length > 0 ? 'keep' : 'run';
  };
}
