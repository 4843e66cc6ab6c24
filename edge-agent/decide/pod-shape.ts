import type { Container, PodSpec, PodStatus } from '../../protocol/kinds/pod.ts';
import { bytesOf, cpuMilli } from '../../protocol/quantity.ts';

/** A container of the spec with the part it plays. A sidecar is an init container that stays. */
export interface PlannedContainer {
  readonly spec: Container;
  readonly role: 'app' | 'init' | 'ephemeral';
  readonly sidecar: boolean;
  /** Of an ephemeral container: whose processes it sees. */
  readonly debugs?: string;
}

export type RestartRule = 'Always' | 'OnFailure' | 'Never';

/** Init containers in their order, then the others in theirs, then the ephemeral ones. */
export function plannedContainers(spec: PodSpec): PlannedContainer[] {
  return [
    ...(spec.initContainers ?? []).map((c) => ({
      spec: c,
      role: 'init' as const,
      sidecar: c.restartPolicy === 'Always',
    })),
    ...spec.containers.map((c) => ({ spec: c, role: 'app' as const, sidecar: false })),
    ...(spec.ephemeralContainers ?? []).map((c) => ({
      spec: c,
      role: 'ephemeral' as const,
      sidecar: false,
      ...(c.targetContainerName ? { debugs: c.targetContainerName } : {}),
    })),
  ];
}

/**
 * True when several containers run at the same time: then a container of its own owns the namespaces. A pod with one
 * running container (init containers run before it) needs none, which saves the engine a whole container.
 */
export function needsSandbox(spec: PodSpec): boolean {
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').length;
  return spec.containers.length + sidecars > 1;
}

/** When a container that ended is started again; init containers of an `Always` pod must only succeed once. */
export function restartRule(spec: PodSpec, planned: PlannedContainer): RestartRule {
  if (planned.role === 'ephemeral') return 'Never';
  if (planned.sidecar) return 'Always';
  const policy = spec.restartPolicy ?? 'Always';
  return planned.role === 'init' && policy === 'Always' ? 'OnFailure' : policy;
}

/** Whether the rule starts a container again that ended with this code. */
export function restartsAfter(rule: RestartRule, exitCode: number): boolean {
  return rule === 'Always' || (rule === 'OnFailure' && exitCode !== 0);
}

type Amounts = Readonly<Record<string, string>>;
const COMPUTE = ['cpu', 'memory'] as const;
const amount = (list: Amounts | undefined, name: 'cpu' | 'memory'): number =>
  name === 'cpu' ? cpuMilli(list?.[name]) : bytesOf(list?.[name]);

/** Kubernetes' class of service: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ */
export function qosClass(spec: PodSpec): NonNullable<PodStatus['qosClass']> {
  const counted = plannedContainers(spec).filter((p) => p.role !== 'ephemeral');
  const all = counted.map((p) => p.spec.resources);
  const any = all.some((r) => COMPUTE.some((n) => amount(r?.requests, n) > 0 || amount(r?.limits, n) > 0));
  if (!any) return 'BestEffort';
  const guaranteed = all.every((r) =>
    COMPUTE.every((n) => {
      const limit = amount(r?.limits, n);
      return limit > 0 && (r?.requests?.[n] === undefined || amount(r.requests, n) === limit);
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** Pull policy in force: Kubernetes' default is Always for `latest` or no tag, IfNotPresent otherwise. */
export function pullPolicy(container: Container): 'Always' | 'IfNotPresent' | 'Never' {
  if (container.imagePullPolicy !== undefined) return container.imagePullPolicy;
  const { image } = container;
  if (image.includes('@')) return 'IfNotPresent';
  const tag = image.slice(image.lastIndexOf('/') + 1).split(':')[1];
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}
