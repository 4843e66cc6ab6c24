import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { inParallel } from '../../kit/parallel.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KindName } from '../../protocol/kinds/kind-map.ts';
import type { KubeObject, OwnerReference } from '../../protocol/kinds/meta.ts';
import type { Change } from '../cluster.ts';
import { judgeDependent, nextOwnerStep } from '../decide/garbage.ts';
import { type Loop, type LoopDeps, loopQueue, splitKey, tolerant } from '../loop.ts';

/** A record, so that the compiler names the kind that is missing here. */
const KINDS: Readonly<Record<KindName, true>> = {
  Namespace: true,
  Node: true,
  Pod: true,
  ConfigMap: true,
  Secret: true,
  ServiceAccount: true,
  Event: true,
  Lease: true,
  Deployment: true,
  ReplicaSet: true,
  DaemonSet: true,
  StatefulSet: true,
  ControllerRevision: true,
  PodTemplate: true,
  ReplicationController: true,
  Job: true,
  CronJob: true,
  HorizontalPodAutoscaler: true,
  PodDisruptionBudget: true,
  PriorityClass: true,
  ResourceQuota: true,
  LimitRange: true,
  Service: true,
  Endpoints: true,
  EndpointSlice: true,
  Ingress: true,
  IngressClass: true,
  NetworkPolicy: true,
  PersistentVolume: true,
  PersistentVolumeClaim: true,
  StorageClass: true,
  CustomResourceDefinition: true,
  ValidatingWebhookConfiguration: true,
  MutatingWebhookConfiguration: true,
  Role: true,
  RoleBinding: true,
  ClusterRole: true,
  ClusterRoleBinding: true,
  CertificateSigningRequest: true,
};
const KIND_NAMES = Object.keys(KINDS) as KindName[];

const WRITES_IN_FLIGHT = 64;

/**
 * Removes what belongs to nobody, dependents of gone owners, and carries out foreground and orphan deletion. Keeps an index from owner
 * to dependents, fed by the view's changes alone. Pods that nobody needs are the pod garbage controller's.
 */
export class GarbageController implements Loop {
  readonly #deps: LoopDeps;
  /** Kinds of definitions, whose objects own and are owned like all others. */
  readonly #customKinds: () => readonly KindSpec[];
  readonly #queue: KeyedQueue;
  /** Owner uid → queue keys of what names it. */
  readonly #dependents = new Map<string, Set<string>>();
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, customKinds: () => readonly KindSpec[] = () => []) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'controllers', loop: 'garbage' }) };
    this.#customKinds = customKinds;
    this.#queue = loopQueue((key) => this.#work(key), this.#deps, 32);
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#unsubscribe = view.subscribe((change) => this.#onChange(change));
    const custom = this.#customKinds().map((spec) => idOf(spec) as KindName);
    for (const kind of [...KIND_NAMES, ...custom]) {
      for (const object of view.list(kind)) {
        this.#index(kind, object);
        this.#queue.add(queueKey(kind, object));
      }
    }
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  #onChange({ kind, type, object, previous }: Change): void {
    if (!this.#isKind(kind)) return;
    const key = queueKey(kind, object);
    if (previous !== undefined) this.#unindex(kind, previous);
    if (type === 'deleted') {
      this.#unindex(kind, object);
      for (const dependent of this.#dependents.get(object.metadata.uid) ?? []) this.#queue.add(dependent);
      // An owner that waits for its dependents counts them again.
      for (const owner of object.metadata.ownerReferences ?? []) this.#addOwner(owner, object);
    } else {
      this.#index(kind, object);
      if (concernsUs(object)) this.#queue.add(key);
      const left = (previous?.metadata.ownerReferences ?? []).filter(
        (o) => !object.metadata.ownerReferences?.some((now) => now.uid === o.uid),
      );
      for (const owner of left) this.#addOwner(owner, object);
    }
  }

  /** True for kinds the store has; custom ones have no type in the tree, but the typed view reads them too. */
  #isKind(kind: string): kind is KindName {
    return Object.hasOwn(KINDS, kind) || this.#customKinds().some((spec) => idOf(spec) === kind);
  }

  /** What the store calls the kind of an object or reference; undefined for kinds it does not have. */
  #kindOf({ apiVersion, kind }: { apiVersion: string; kind: string }): KindName | undefined {
    const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
    const custom = `${kind}.${group}`;
    if (this.#customKinds().some((spec) => idOf(spec) === custom)) return custom as KindName;
    return Object.hasOwn(KINDS, kind) ? (kind as KindName) : undefined;
  }

  #addOwner(owner: OwnerReference, dependent: KubeObject): void {
    const kind = this.#kindOf(owner);
    const own = this.#kindOf(dependent);
    if (kind === undefined || own === undefined) return;
    const found = this.#deps.view.byUid(kind, owner.uid);
    if (found?.metadata.deletionTimestamp !== undefined) this.#queue.add(queueKey(kind, found));
    else if (found === undefined) this.#queue.add(queueKey(own, dependent));
  }

  #index(kind: KindName, object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const set = this.#dependents.get(uid) ?? new Set();
      set.add(queueKey(kind, object));
      this.#dependents.set(uid, set);
    }
  }

  #unindex(kind: KindName, object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const set = this.#dependents.get(uid);
      set?.delete(queueKey(kind, object));
      if (set?.size === 0) this.#dependents.delete(uid);
    }
  }

  async #work(key: string): Promise<void> {
    const colon = key.indexOf(':');
    const kind = key.slice(0, colon);
    const rest = key.slice(colon + 1);
    if (!this.#isKind(kind)) return;
    const { namespace, name } = splitKey(rest);
    const object: KubeObject | undefined = this.#deps.view.get(kind, namespace, name);
    if (object === undefined) return;
    await this.#judge(kind, object);
    await this.#stepOwner(kind, object);
  }

  async #judge(kind: KindName, object: KubeObject): Promise<void> {
    const verdict = judgeDependent(object, (owner) => this.#exists(owner, object));
    const { namespace = '', name, uid } = object.metadata;
    switch (verdict.do) {
      case 'keep':
        return;
      case 'delete':
        this.#deps.log.debug('owner gone', { kind, namespace, name });
        return tolerant(this.#deps.client.delete(kind, namespace, name, { uid, propagation: 'Background' }));
      case 'forget':
        return this.#dropOwners(kind, object, verdict.uids);
    }
  }

  #exists(owner: OwnerReference, dependent: KubeObject): boolean | undefined {
    const kind = this.#kindOf(owner);
    if (kind === undefined) return undefined;
    const found = this.#deps.view.byUid(kind, owner.uid);
    if (found === undefined) return false;
    const namespace = found.metadata.namespace ?? '';
    return namespace === '' || namespace === (dependent.metadata.namespace ?? '');
  }

  async #stepOwner(kind: KindName, owner: KubeObject): Promise<void> {
    // Only an owner that is being deleted has a next step; a ReplicaSet may have ten thousand dependents.
    if (owner.metadata.deletionTimestamp === undefined) return;
    const { view } = this.#deps;
    const keys = [...(this.#dependents.get(owner.metadata.uid) ?? [])];
    const dependents = keys.flatMap((key) => {
      const colon = key.indexOf(':');
      const dependentKind = key.slice(0, colon) as KindName;
      const { namespace, name } = splitKey(key.slice(colon + 1));
      const object: KubeObject | undefined = view.get(dependentKind, namespace, name);
      return object === undefined ? [] : [{ kind: dependentKind, object }];
    });
    const blocking = dependents.filter(({ object }) =>
      object.metadata.ownerReferences?.some(
        (o) => o.uid === owner.metadata.uid && o.blockOwnerDeletion === true,
      ),
    );
    const step = nextOwnerStep(owner, dependents.length, blocking.length);
    switch (step.do) {
      case 'nothing':
        return;
      case 'orphan-dependents':
        return inParallel(dependents, WRITES_IN_FLIGHT, (d) =>
          this.#dropOwners(d.kind, d.object, [owner.metadata.uid]),
        );
      case 'delete-dependents':
        return inParallel(
          dependents.filter((d) => d.object.metadata.deletionTimestamp === undefined),
          WRITES_IN_FLIGHT,
          ({ kind: k, object: { metadata: m } }) =>
            tolerant(
              this.#deps.client.delete(k, m.namespace ?? '', m.name, {
                uid: m.uid,
                propagation: 'Foreground',
              }),
            ),
        );
      case 'remove-finalizer':
        return this.#removeFinalizer(kind, owner, step.finalizer);
    }
  }

  async #removeFinalizer(kind: KindName, owner: KubeObject, finalizer: string): Promise<void> {
    const { namespace = '', name, uid } = owner.metadata;
    await this.#deps.client.modify(kind, namespace, name, (draft) => {
      if (draft.metadata.uid !== uid) return false;
      draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter((f) => f !== finalizer);
      return true;
    });
  }

  async #dropOwners(kind: KindName, object: KubeObject, uids: readonly string[]): Promise<void> {
    const { namespace = '', name, uid } = object.metadata;
    await this.#deps.client.modify(kind, namespace, name, (draft) => {
      if (draft.metadata.uid !== uid) return false;
      const left = (draft.metadata.ownerReferences ?? []).filter((o) => !uids.includes(o.uid));
      if (left.length > 0) draft.metadata.ownerReferences = left;
      else delete draft.metadata.ownerReferences;
      return true;
    });
  }
}

/** Objects that are nobody's dependents and are not being deleted need no look. */
function concernsUs({ metadata }: KubeObject): boolean {
  return metadata.ownerReferences !== undefined || metadata.deletionTimestamp !== undefined;
}

function queueKey(kind: KindName, { metadata }: KubeObject): string {
  return `${kind}:${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}
