import type { Job, PodFailureRule } from '../../protocol/kinds/batch.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';

/** What the first matching rule of `spec.podFailurePolicy` says of a failed pod. */
export interface FailureVerdict {
  readonly action: PodFailureRule['action'];
  /** Why, in Kubernetes' words. */
  readonly message: string;
}

/**
 * Judges a failed pod by the job's podFailurePolicy; undefined when no rule matches, which means that it counts. Pods that are
 * being deleted and have not ended yet match no rule about exit codes. Pure; never throws.
 */
export function judgeFailure(job: Job, pod: Pod): FailureVerdict | undefined {
  const rules = job.spec.podFailurePolicy?.rules ?? [];
  for (const [i, rule] of rules.entries()) {
    const found = matchExitCodes(rule, pod) ?? matchConditions(rule, pod);
    if (found !== undefined)
      return { action: rule.action, message: `${found} matching ${rule.action} rule at index ${i}` };
  }
  return undefined;
}

function podName({ metadata }: Pod): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

function matchExitCodes({ onExitCodes: rule }: PodFailureRule, pod: Pod): string | undefined {
  if (rule === undefined) return undefined;
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const { name, state } of statuses) {
    const code = state?.terminated?.exitCode;
    if (code === undefined || code === 0) continue;
    if (rule.containerName !== undefined && rule.containerName !== name) continue;
    if (rule.values.includes(code) === (rule.operator === 'In'))
      return `Container ${name} for pod ${podName(pod)} failed with exit code ${code}`;
  }
  return undefined;
}

function matchConditions({ onPodConditions: rules }: PodFailureRule, pod: Pod): string | undefined {
  const found = (rules ?? []).find((rule) =>
    pod.status?.conditions?.some((c) => c.type === rule.type && c.status === (rule.status || 'True')),
  );
  return found === undefined ? undefined : `Pod ${podName(pod)} has condition ${found.type}`;
}
