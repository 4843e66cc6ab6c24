import type { Loose } from '../kinds/loose.ts';
import type { Deployment, PodTemplateSpec, ReplicaSet } from '../kinds/workloads.ts';
import { defaultPodSpec } from './pod-spec.ts';

/** Defaults of a pod template: its spec, not what only live pods get. Changes its argument; never throws. */
export function defaultTemplate(template: Loose<PodTemplateSpec>): void {
  template.spec ??= {};
  defaultPodSpec(template.spec);
}

/** Defaults of apps/v1 Deployment. Changes its argument; never throws. */
export function defaultDeployment(deployment: Loose<Deployment>): void {
  deployment.spec ??= {};
  const spec = deployment.spec;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ??= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  spec.template ??= {};
  defaultTemplate(spec.template);
}

/** Defaults of apps/v1 ReplicaSet. Changes its argument; never throws. */
export function defaultReplicaSet(replicaSet: Loose<ReplicaSet>): void {
  replicaSet.spec ??= {};
  replicaSet.spec.replicas ??= 1;
  replicaSet.spec.template ??= {};
  defaultTemplate(replicaSet.spec.template);
}
