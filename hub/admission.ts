/** What the hub adds to objects that are being created, and what it refuses: the admission plugins of Kubernetes that it has. */
import { parseRange } from '../protocol/ipv4.ts';
import type { Namespace } from '../protocol/kinds/core.ts';
import type { KindSpec } from '../protocol/kinds/kind.ts';
import type { KubeObject } from '../protocol/kinds/meta.ts';
import type { Service } from '../protocol/kinds/network.ts';
import type { Pod } from '../protocol/kinds/pod.ts';
import type { LimitRange, PriorityClass, ResourceQuota } from '../protocol/kinds/policy.ts';
import type { PersistentVolumeClaim, StorageClass } from '../protocol/kinds/storage.ts';
import { qosClass } from '../protocol/qos.ts';
import { type AdmitDefaults, admitPod } from './decide/admit-pod.ts';
import { applyLimitRanges, limitErrorsOfClaim, limitErrorsOfPod } from './decide/limit-range.ts';
import type { Amounts } from './decide/pod-facts.ts';
import { refuseSecondDefault, resolvePriority } from './decide/priority.ts';
import { concerns, refuseByQuota, type UsageOf } from './decide/quota.ts';
import { quotaUsage } from './decide/quota-usage.ts';
import { giveServiceAddresses } from './decide/service-addresses.ts';
import { admitStorage } from './decide/volumes/admit-storage.ts';
import type { Admission, AdmissionLook } from './store/store-options.ts';

/**
 * Priority, tolerations, the class and protection of claims and volumes, limit ranges and quotas, in that order. `admit` completes, `approve` has the last word once the object
 * is known to be valid and new, and its addresses are given in between; all see the newest state, writes on their way included, so that no quota is overshot and no address given twice. Throws when `serviceCidr` is no IPv4 range.
 */
export function createAdmission(
  defaults: AdmitDefaults,
  serviceCidr: string,
  nowMs: () => number,
): Admission {
  const serviceRange = parseRange(serviceCidr);
  if (serviceRange === undefined) throw new Error(`serviceCidr: "${serviceCidr}" is not an IPv4 range`);
  const usageOf = rememberedUsage(nowMs);
  return {
    admit: (spec, object, look) => {
      if (isCore(spec, 'Pod')) return completePod(object as Pod, look, defaults);
      admitStorage(object, () => [...look.list('StorageClass', '')] as StorageClass[]);
      if (spec.kind !== 'PriorityClass' || spec.group !== 'scheduling.k8s.io') return undefined;
      return refuseSecondDefault(object as PriorityClass, classes(look));
    },
    assign: (spec, object, look) =>
      isCore(spec, 'Service') ? giveServiceAddresses(object as Service, services(look), serviceRange) : [],
    approve: (spec, object, look, previous) => {
      const namespace = object.metadata.namespace ?? '';
      if (namespace === '') return undefined;
      if (previous !== undefined && !GROWING.some((kind) => isCore(spec, kind))) return undefined;
      const errors = previous === undefined ? outsideLimits(spec, object, look) : [];
      if (errors.length > 0) return errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`;
      for (const quota of look.list('ResourceQuota', namespace) as Iterable<ResourceQuota>) {
        if (!concerns(quota, spec)) continue;
        const present = look.list(spec.id ?? spec.kind, namespace);
        const why = refuseByQuota(quota, spec, object, present, usageOf, previous);
        if (why !== undefined) return why;
      }
      return undefined;
    },
  };
}

/** Objects never change, so what they take is worked out once; but pods that are being deleted stop counting by time. */
function rememberedUsage(nowMs: () => number): UsageOf {
  const known = new WeakMap<KubeObject, Amounts>();
  return (kind, object) => {
    const before = known.get(object);
    if (before !== undefined) return before;
    const usage = quotaUsage(kind, object, nowMs());
    // A draft is not remembered: it may still change.
    if (Object.isFrozen(object) && object.metadata.deletionTimestamp === undefined) known.set(object, usage);
    return usage;
  };
}

/** Kinds whose objects can come to take more of a quota after they were made. */
const GROWING = ['Service', 'PersistentVolumeClaim'];

const isCore = (spec: KindSpec, kind: string): boolean => spec.group === '' && spec.kind === kind;

const classes = (look: AdmissionLook): Iterable<PriorityClass> =>
  look.list('PriorityClass', '') as Iterable<PriorityClass>;

function* services(look: AdmissionLook): Iterable<Service> {
  for (const { metadata } of look.list('Namespace', ''))
    yield* look.list('Service', metadata.name) as Iterable<Service>;
}

function ranges(look: AdmissionLook, { metadata }: KubeObject): LimitRange[] {
  return [...look.list('LimitRange', metadata.namespace ?? '')] as LimitRange[];
}

function completePod(pod: Pod, look: AdmissionLook, defaults: AdmitDefaults): string | undefined {
  const find = (name: string): PriorityClass | undefined =>
    look.get('PriorityClass', '', name) as PriorityClass | undefined;
  const refusal = resolvePriority(pod, find, () => classes(look));
  if (refusal !== undefined) return refusal;
  admitPod(pod, look.get('Namespace', '', pod.metadata.namespace ?? '') as Namespace | undefined, defaults);
  applyLimitRanges(pod, ranges(look, pod));
  // Defaults of a limit range may make a pod of no class one that is guaranteed its resources.
  pod.status = { ...pod.status, qosClass: qosClass(pod.spec) };
  return undefined;
}

function outsideLimits(spec: KindSpec, object: KubeObject, look: AdmissionLook): string[] {
  if (isCore(spec, 'Pod')) return limitErrorsOfPod(object as Pod, ranges(look, object));
  if (isCore(spec, 'PersistentVolumeClaim'))
    return limitErrorsOfClaim(object as PersistentVolumeClaim, ranges(look, object));
  return [];
}
