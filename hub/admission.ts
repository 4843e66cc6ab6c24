/** What the hub adds to objects that are being created, and what it refuses: the admission plugins of Kubernetes that it has. */
import { parseRange } from '../protocol/ipv4.ts';
import type { Namespace, ServiceAccount } from '../protocol/kinds/core.ts';
import type { KindSpec } from '../protocol/kinds/kind.ts';
import type { KubeObject } from '../protocol/kinds/meta.ts';
import type { Service } from '../protocol/kinds/network.ts';
import type { Pod } from '../protocol/kinds/pod.ts';
import type { LimitRange, PriorityClass, ResourceQuota } from '../protocol/kinds/policy.ts';
import type { ClusterRoleBinding, RoleBinding } from '../protocol/kinds/rbac.ts';
import type { PersistentVolumeClaim, StorageClass } from '../protocol/kinds/storage.ts';
import { qosClass } from '../protocol/qos.ts';
import { securityFault } from '../protocol/validate/pod-security.ts';
import { type AdmitDefaults, admitAccount, admitPod, refuseRuntimeClass } from './decide/admit-pod.ts';
import { admitToken } from './decide/admit-token.ts';
import { DefaultRights } from './decide/default-rights.ts';
import { applyLimitRanges, limitErrorsOfClaim, limitErrorsOfPod } from './decide/limit-range.ts';
import type { Amounts } from './decide/pod-facts.ts';
import { refuseSecondDefault, resolvePriority } from './decide/priority.ts';
import { refuseByQuota } from './decide/quota.ts';
import { QuotaLedgers } from './decide/quota-ledger.ts';
import { giveServiceAddresses } from './decide/service-addresses.ts';
import { admitStorage } from './decide/volumes/admit-storage.ts';
import type { Admission, AdmissionLook } from './store/store-options.ts';

/**
 * Service account and its token, priority, tolerations, the class and protection of claims and volumes, addresses of Services, limit ranges and quotas, in that order.
 * `suffix` makes
 * the random end of names. `admit` completes, `assign` gives addresses and `approve` has the last word once the object is known to be valid and new; all see the
 * newest state, writes on their way included, so that no quota is overshot and no address given twice. Throws when `serviceCidr` is no
 * IPv4 range.
 */
export function createAdmission(
  defaults: AdmitDefaults,
  serviceCidr: string,
  nowMs: () => number,
  suffix: () => string,
): Admission {
  const serviceRange = parseRange(serviceCidr);
  if (serviceRange === undefined) throw new Error(`serviceCidr: "${serviceCidr}" is not an IPv4 range`);
  const ledgers = new QuotaLedgers();
  const rights = new DefaultRights();
  return {
    admit: (spec, object, look) => {
      if (isCore(spec, 'Pod')) return completePod(object as Pod, look, defaults, suffix, rights);
      admitStorage(object, () => [...look.list('StorageClass', '')] as StorageClass[]);
      return undefined;
    },
    assign: (spec, object, look) =>
      isCore(spec, 'Service') ? giveServiceAddresses(object as Service, services(look), serviceRange) : [],
    approve: (spec, object, look, previous) => {
      if (spec.kind === 'PriorityClass' && spec.group === 'scheduling.k8s.io') {
        const was = (previous as PriorityClass | undefined)?.globalDefault;
        return was === true ? undefined : refuseSecondDefault(object as PriorityClass, classes(look));
      }
      const namespace = object.metadata.namespace ?? '';
      if (namespace === '') return undefined;
      const insecure = isCore(spec, 'Pod') ? refuseInsecure(object as Pod, look, previous as Pod) : undefined;
      if (insecure !== undefined) return insecure;
      if (previous !== undefined && !GROWING.some((kind) => isCore(spec, kind))) return undefined;
      const errors = previous === undefined ? outsideLimits(spec, object, look) : [];
      if (errors.length > 0) return errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`;
      for (const quota of look.list('ResourceQuota', namespace) as Iterable<ResourceQuota>) {
        const atMs = nowMs();
        const present = (): Iterable<KubeObject> => look.list(spec.id ?? spec.kind, namespace);
        const used = (): Amounts => ledgers.used(quota, spec, atMs, present);
        const why = refuseByQuota(quota, spec, object, atMs, used, previous);
        if (why !== undefined) return why;
      }
      return undefined;
    },
    planned: (spec, change) => {
      rights.take(spec.kind);
      ledgers.take(spec, change);
    },
    refused: () => {
      rights.forget();
      ledgers.forget();
    },
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

/** Why the namespace does not let a pod in, or a container into a pod that is there. */
function refuseInsecure(pod: Pod, look: AdmissionLook, previous: Pod | undefined): string | undefined {
  const { ephemeralContainers = [] } = pod.spec;
  if (
    previous !== undefined &&
    ephemeralContainers.length === (previous.spec.ephemeralContainers ?? []).length
  )
    return undefined;
  const { labels } = look.get('Namespace', '', pod.metadata.namespace ?? '')?.metadata ?? {};
  const fault = securityFault(labels, 'enforce', pod.spec);
  return fault === undefined ? undefined : `violates PodSecurity ${fault}`;
}

function* bindings(look: AdmissionLook, namespace: string): Iterable<RoleBinding | ClusterRoleBinding> {
  yield* look.list('RoleBinding', namespace) as Iterable<RoleBinding>;
  yield* look.list('ClusterRoleBinding', '') as Iterable<ClusterRoleBinding>;
}

function ranges(look: AdmissionLook, { metadata }: KubeObject): LimitRange[] {
  return [...look.list('LimitRange', metadata.namespace ?? '')] as LimitRange[];
}

function completePod(
  pod: Pod,
  look: AdmissionLook,
  defaults: AdmitDefaults,
  suffix: () => string,
  rights: DefaultRights,
): string | undefined {
  const find = (name: string): PriorityClass | undefined =>
    look.get('PriorityClass', '', name) as PriorityClass | undefined;
  const { namespace = '' } = pod.metadata;
  const account = (name: string): ServiceAccount | undefined =>
    look.get('ServiceAccount', namespace, name) as ServiceAccount | undefined;
  const refusal =
    admitAccount(pod, account) ?? resolvePriority(pod, find, () => classes(look)) ?? refuseRuntimeClass(pod);
  if (refusal !== undefined) return refusal;
  admitToken(pod, account(pod.spec.serviceAccountName ?? ''), suffix, () =>
    rights.has(namespace, () => bindings(look, namespace)),
  );
  admitPod(pod, look.get('Namespace', '', namespace) as Namespace | undefined, defaults);
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
