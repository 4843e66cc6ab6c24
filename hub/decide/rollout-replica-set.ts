import type { Deployment, PodTemplateSpec, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { POD_TEMPLATE_HASH, podTemplateHash } from './revisions.ts';

/** The parts of a new ReplicaSet that follow from its deployment alone. */
export interface ReplicaSetDraft {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly spec: ReplicaSet['spec'];
}

/**
 * The ReplicaSet of the deployment's present template with `replicas` pods; its name follows from the template and the count of
 * taken names, so that a pass that was cut short finds what it made.
 */
export function replicaSetDraft(deployment: Deployment, replicas: number): ReplicaSetDraft {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = podTemplateHash(template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template.metadata?.labels, [POD_TEMPLATE_HASH]: hash };
  const stamped: PodTemplateSpec = { ...template, metadata: { ...template.metadata, labels } };
  return {
    name: `${deployment.metadata.name}-${hash}`,
    labels,
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [POD_TEMPLATE_HASH]: hash } },
      template: stamped,
    },
  };
}
