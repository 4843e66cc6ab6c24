import type { ReplicaOwner, ReplicationController } from '../../protocol/kinds/workloads.ts';

/**
 * A ReplicationController as the ReplicaSet it would be; name, kind and status stay its own. Undefined when it lacks a template or a
 * selector, which the API refuses. Pure.
 */
export function asReplicaOwner(rc: ReplicationController): ReplicaOwner | undefined {
  const { selector, template, replicas, minReadySeconds } = rc.spec;
  if (template === undefined || Object.keys(selector ?? {}).length === 0) return undefined;
  return {
    ...rc,
    spec: {
      selector: { matchLabels: selector ?? {} },
      template,
      ...(replicas === undefined ? {} : { replicas }),
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
    },
  };
}
