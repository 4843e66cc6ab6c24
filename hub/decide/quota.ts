import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ResourceQuota } from '../../protocol/kinds/policy.ts';
import { qosClass } from '../../protocol/qos.ts';
import { bytesOf, cpuMilli, formatBytes, formatCpu } from '../../protocol/quantity.ts';
import type { Amounts } from './pod-facts.ts';
import { type QuotaKind, quotaUsage, resourceOf } from './quota-usage.ts';

type Hard = Readonly<Record<string, string>>;

/** True when the quota is about objects of this kind: it has a limit for them. */
export function concerns(quota: ResourceQuota, kind: QuotaKind): boolean {
  return limitedNames(quota, kind).length > 0;
}

/** The kind whose objects take of a resource: `pods` for `requests.cpu`, `jobs.batch` for `count/jobs.batch`. */
export function kindOfResource(name: string): string {
  if (name.startsWith('count/')) return name.slice('count/'.length);
  if (name.startsWith('services')) return 'services';
  if (
    name === 'requests.storage' ||
    name === 'persistentvolumeclaims' ||
    name.includes('.storageclass.storage.k8s.io/')
  )
    return 'persistentvolumeclaims';
  return ['configmaps', 'replicationcontrollers', 'resourcequotas', 'secrets'].includes(name) ? name : 'pods';
}

interface ScopeRule {
  readonly scopeName: string;
  readonly operator: string;
  readonly values?: string[];
}

/** True when the object falls under the quota's scopes; scopes pick among pods, other kinds fall under quotas without. */
export function inScope(quota: ResourceQuota, kind: QuotaKind, object: KubeObject): boolean {
  const plain = (quota.spec?.scopes ?? []).map((scopeName): ScopeRule => ({ scopeName, operator: 'Exists' }));
  const rules = [...plain, ...(quota.spec?.scopeSelector?.matchExpressions ?? [])];
  if (rules.length === 0) return true;
  return resourceOf(kind) === 'pods' && rules.every((rule) => scopeMatches(rule, object as Pod));
}

function scopeMatches({ scopeName, operator, values = [] }: ScopeRule, { spec }: Pod): boolean {
  switch (scopeName) {
    case 'Terminating':
      return spec.activeDeadlineSeconds !== undefined;
    case 'NotTerminating':
      return spec.activeDeadlineSeconds === undefined;
    case 'BestEffort':
      return qosClass(spec) === 'BestEffort';
    case 'NotBestEffort':
      return qosClass(spec) !== 'BestEffort';
    case 'PriorityClass':
      return nameMatches(operator, values, spec.priorityClassName ?? '');
    case 'CrossNamespacePodAffinity':
      return usesOtherNamespaces(spec);
    default:
      return false;
  }
}

function nameMatches(operator: string, values: readonly string[], name: string): boolean {
  if (operator === 'In') return values.includes(name);
  if (operator === 'NotIn') return !values.includes(name);
  return (name !== '') === (operator === 'Exists');
}

function usesOtherNamespaces({ affinity }: Pod['spec']): boolean {
  const rules = [affinity?.podAffinity, affinity?.podAntiAffinity];
  return rules.some((rule) =>
    [
      ...(rule?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(rule?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((p) => p.podAffinityTerm),
    ].some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined),
  );
}

/** Names in the quota's limits that objects of this kind take of. */
export function limitedNames(quota: ResourceQuota, kind: QuotaKind): string[] {
  const resource = resourceOf(kind);
  return Object.keys(quota.spec?.hard ?? {}).filter((name) => kindOfResource(name) === resource);
}

/** What objects of a kind take of a quota at an instant, epoch ms; those outside its scopes take nothing. */
export function takenOf(
  quota: ResourceQuota,
  kind: QuotaKind,
  objects: Iterable<KubeObject>,
  nowMs: number,
): Amounts {
  const sum: Record<string, number> = {};
  const names = limitedNames(quota, kind);
  for (const object of objects) {
    if (!inScope(quota, kind, object)) continue;
    const usage = quotaUsage(kind, object, nowMs);
    for (const name of names) sum[name] = (sum[name] ?? 0) + (usage[name] ?? 0);
  }
  return sum;
}

/**
 * Why a quota refuses a new object, or the new state of one that was `previous`, in Kubernetes' words; undefined when it does not.
 * `usedNow` says what all objects of the kind take of it at this instant; asked only when it matters. Pure; never throws.
 */
export function refuseByQuota(
  quota: ResourceQuota,
  kind: QuotaKind,
  created: KubeObject,
  nowMs: number,
  usedNow: () => Amounts,
  previous?: KubeObject,
): string | undefined {
  const { name } = quota.metadata;
  const hard = quota.spec?.hard ?? {};
  if (!concerns(quota, kind) || !inScope(quota, kind, created)) return undefined;
  const unstated = resourceOf(kind) === 'pods' ? unstatedAmounts(quota, created as Pod) : '';
  if (unstated !== '') return `failed quota: ${name}: must specify ${unstated}`;
  const before = previous === undefined ? {} : takenOf(quota, kind, [previous], nowMs);
  const after = Object.entries(takenOf(quota, kind, [created], nowMs));
  const asked = Object.fromEntries(after.map(([resource, n]) => [resource, n - (before[resource] ?? 0)]));
  const wanted = Object.keys(asked).filter((resource) => (asked[resource] ?? 0) > 0);
  if (wanted.length === 0) return undefined;
  const used = usedNow();
  const over = wanted
    .filter((resource) => (used[resource] ?? 0) + (asked[resource] ?? 0) > limitOf(resource, hard))
    .sort();
  if (over.length === 0) return undefined;
  const list = (text: (resource: string) => string): string => over.map((r) => `${r}=${text(r)}`).join(',');
  const requested = list((r) => shownAmount(r, asked[r] ?? 0));
  const inUse = list((r) => shownAmount(r, used[r] ?? 0));
  return `exceeded quota: ${name}, requested: ${requested}, used: ${inUse}, limited: ${list((r) => hard[r] ?? '0')}`;
}

const isCpu = (resource: string): boolean => /(^|\.)cpu$/.test(resource);

function limitOf(resource: string, hard: Hard): number {
  return isCpu(resource) ? cpuMilli(hard[resource]) : bytesOf(hard[resource]);
}

function shownAmount(resource: string, amount: number): string {
  if (isCpu(resource)) return formatCpu(amount);
  return /(^|\.|\/requests\.)(memory|storage|ephemeral-storage)$/.test(resource)
    ? formatBytes(amount)
    : String(amount);
}

const MUST_STATE = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];

/** With a quota on CPU or memory every container must say what it takes, or nobody could add it up. */
function unstatedAmounts(quota: ResourceQuota, { spec }: Pod): string {
  const scopes = [
    ...(quota.spec?.scopes ?? []),
    ...(quota.spec?.scopeSelector?.matchExpressions ?? []).map((rule) => rule.scopeName),
  ];
  if (scopes.includes('BestEffort')) return '';
  const names = MUST_STATE.filter((name) => quota.spec?.hard?.[name] !== undefined).sort();
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  return names
    .flatMap((name) => {
      const resource = name.replace(/^(requests|limits)\./, '');
      const lacking = containers.filter((c) => {
        const { limits = {}, requests = {} } = c.resources ?? {};
        const stated = name.startsWith('limits.')
          ? limits[resource]
          : (requests[resource] ?? limits[resource]);
        return stated === undefined;
      });
      return lacking.length === 0
        ? []
        : [
            `${name} for: ${lacking
              .map((c) => c.name)
              .sort()
              .join(',')}`,
          ];
    })
    .join('; ');
}

/** The status of a quota, from what is used of it. Limits nobody takes of are listed as 0, as in Kubernetes. */
export function quotaStatus(quota: ResourceQuota, used: Amounts): NonNullable<ResourceQuota['status']> {
  const hard = quota.spec?.hard ?? {};
  const shown = Object.keys(hard).map((name) => [name, shownAmount(name, used[name] ?? 0)] as const);
  return { hard: { ...hard }, used: Object.fromEntries(shown) };
}
