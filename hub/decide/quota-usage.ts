import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Service } from '../../protocol/kinds/network.ts';
import type { Container, Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import type { PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import { bytesOf, cpuMilli } from '../../protocol/quantity.ts';
import { type Amounts, isTerminal } from './pod-facts.ts';

/** The kind of an object as quotas name it. */
export interface QuotaKind {
  readonly group: string;
  readonly plural: string;
}

/** `pods`, or `jobs.batch`. */
export function resourceOf({ group, plural }: QuotaKind): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** Core kinds that quotas count by their plain name too. */
const COUNTED = [
  'configmaps',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
];

/**
 * What an object takes of its namespace's quotas, by the names in `spec.hard`: cpu in thousandths, all else in base units. A pod
 * that has ended, or whose time to stop is long over, only counts as an object. Pure; never throws.
 */
export function quotaUsage(kind: QuotaKind, object: KubeObject, nowMs: number): Amounts {
  const resource = resourceOf(kind);
  const usage: Record<string, number> = { [`count/${resource}`]: 1 };
  if (COUNTED.includes(resource)) usage[resource] = 1;
  if (resource === 'pods' && isCounted(kind, object as Pod, nowMs))
    Object.assign(usage, podUsage(object as Pod));
  if (resource === 'services') Object.assign(usage, serviceUsage(object as Service));
  if (resource === 'persistentvolumeclaims')
    Object.assign(usage, claimUsage(object as PersistentVolumeClaim));
  return usage;
}

/** The last instant, epoch ms, at which an object counts in full; undefined when time changes nothing. */
export function countedUntilMs(kind: QuotaKind, object: KubeObject): number | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return undefined;
  if (resourceOf(kind) !== 'pods' || isTerminal(object as Pod)) return undefined;
  const untilMs = Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
  return Number.isNaN(untilMs) ? undefined : untilMs;
}

function isCounted(kind: QuotaKind, pod: Pod, nowMs: number): boolean {
  if (isTerminal(pod)) return false;
  return (
    pod.metadata.deletionTimestamp === undefined ||
    nowMs <= (countedUntilMs(kind, pod) ?? Number.NEGATIVE_INFINITY)
  );
}

function podUsage({ spec }: Pod): Amounts {
  const requests = total(spec, (c) => ({ ...c.resources?.limits, ...c.resources?.requests }));
  const limits = total(spec, (c) => c.resources?.limits ?? {});
  const usage: Record<string, number> = { pods: 1 };
  for (const [name, amount] of Object.entries(requests)) {
    usage[`requests.${name}`] = amount;
    if (['cpu', 'memory', 'ephemeral-storage'].includes(name)) usage[name] = amount;
  }
  for (const [name, amount] of Object.entries(limits)) usage[`limits.${name}`] = amount;
  return usage;
}

/** Containers and sidecars added up, or the largest init step where that is more, as the scheduler counts. */
function total(spec: PodSpec, amountsOf: (c: Container) => Readonly<Record<string, string>>): Amounts {
  const sum: Record<string, number> = {};
  const peak: Record<string, number> = {};
  const sidecars: Record<string, number> = {};
  const add = (to: Record<string, number>, name: string, amount: number): void => {
    to[name] = (to[name] ?? 0) + amount;
  };
  const read = (c: Container): [string, number][] =>
    Object.entries(amountsOf(c)).map(([name, q]) => [name, name === 'cpu' ? cpuMilli(q) : bytesOf(q)]);
  for (const init of spec.initContainers ?? [])
    for (const [name, amount] of read(init)) {
      if (init.restartPolicy === 'Always') add(sidecars, name, amount);
      else peak[name] = Math.max(peak[name] ?? 0, amount + (sidecars[name] ?? 0));
    }
  for (const container of spec.containers)
    for (const [name, amount] of read(container)) add(sum, name, amount);
  for (const [name, amount] of Object.entries(sidecars)) add(sum, name, amount);
  for (const [name, amount] of Object.entries(peak)) sum[name] = Math.max(sum[name] ?? 0, amount);
  return sum;
}

function serviceUsage({ spec }: Service): Amounts {
  const ports = spec.ports?.length ?? 0;
  const isBalancer = spec.type === 'LoadBalancer';
  const isOpen = spec.type === 'NodePort' || (isBalancer && spec.allocateLoadBalancerNodePorts !== false);
  return { 'services.nodeports': isOpen ? ports : 0, 'services.loadbalancers': isBalancer ? 1 : 0 };
}

function claimUsage({ spec }: PersistentVolumeClaim): Amounts {
  const storage = bytesOf(spec.resources?.requests?.['storage']);
  const own = spec.storageClassName ? `${spec.storageClassName}.storageclass.storage.k8s.io/` : undefined;
  return {
    'requests.storage': storage,
    ...(own === undefined
      ? {}
      : { [`${own}requests.storage`]: storage, [`${own}persistentvolumeclaims`]: 1 }),
  };
}
