import type { KindMap, KindName } from '../protocol/kinds/kind-map.ts';
import type { KubeObject } from '../protocol/kinds/meta.ts';

/** One visible change, in revision order. `object` of a deletion is the last state with the deletion's resourceVersion. */
export interface Change<T extends KubeObject = KubeObject> {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly kind: string;
  readonly revision: number;
  readonly object: T;
  /** The state before; absent when added. */
  readonly previous?: T;
}

/**
 * The frozen in-memory state that loops read: synchronous, one consistent instant as long as the caller does not await.
 * The embedded hub's store is one; a mirror of a real Kubernetes API server can be another.
 */
export interface ClusterView {
  /** Revision of the newest visible change; rises for ever, also across restarts. */
  readonly revision: number;
  get<K extends KindName>(kind: K, namespace: string, name: string): KindMap[K] | undefined;
  byUid<K extends KindName>(kind: K, uid: string): KindMap[K] | undefined;
  /** All objects of a kind, of one namespace when given; ordered by namespace and name. */
  list<K extends KindName>(kind: K, namespace?: string): readonly KindMap[K][];
  /** Objects whose controller owner reference has this uid; those without controller, of all namespaces, when it is empty. */
  ownedBy<K extends KindName>(kind: K, ownerUid: string): readonly KindMap[K][];
  podsOnNode(nodeName: string): readonly KindMap['Pod'][];
  /** Pods one of whose volumes is this claim. */
  podsUsingClaim(namespace: string, claim: string): readonly KindMap['Pod'][];
  /** Volumes that only this node has. */
  volumesOnNode(nodeName: string): readonly KindMap['PersistentVolume'][];
  /** Volumes that name this claim, of whatever uid; those that name none when `claim` is empty. */
  volumesNaming(namespace: string, claim: string): readonly KindMap['PersistentVolume'][];
  /** Calls `listener` for each change once it is durable and visible, in order. Returns the way to stop. */
  subscribe(listener: (change: Change) => void): () => void;
}

/** What a caller hands in to create an object: metadata without what the server sets. */
export type NewObject<T extends KubeObject> = Omit<T, 'metadata' | 'apiVersion' | 'kind'> & {
  metadata: Partial<T['metadata']> & ({ name: string } | { generateName: string });
};

export interface DeleteOptions {
  /** Refuse unless the object still has this uid. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** 0 removes a pod at once; absent uses the object's own grace. */
  readonly gracePeriodSeconds?: number;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan';
}

/**
 * Writes of the loops. Every promise settles after the change is durable and visible. All reject with ApiError:
 * `NotFound`, `AlreadyExists`, `Conflict` (stale resourceVersion or uid), `Invalid`, `Forbidden`, `InsufficientStorage`.
 */
export interface ClusterClient {
  create<K extends KindName>(kind: K, object: NewObject<KindMap[K]>): Promise<KindMap[K]>;
  /** Replaces everything but status; compare-and-swap on metadata.resourceVersion. */
  update<K extends KindName>(kind: K, object: KindMap[K]): Promise<KindMap[K]>;
  /** Replaces status only; compare-and-swap on metadata.resourceVersion. */
  updateStatus<K extends KindName>(kind: K, object: KindMap[K]): Promise<KindMap[K]>;
  /**
   * Reads the newest state, hands a mutable copy to `change` and writes the result, again on conflict.
   * `change` returns false to leave the object alone. Resolves to undefined when the object is absent.
   */
  modify<K extends KindName>(
    kind: K,
    namespace: string,
    name: string,
    change: (draft: KindMap[K]) => boolean | undefined,
    part?: 'spec' | 'status',
  ): Promise<KindMap[K] | undefined>;
  /** Sets spec.nodeName of a pod once; Conflict when it is bound already or its uid differs. */
  bind(namespace: string, podName: string, podUid: string, nodeName: string): Promise<void>;
  /** Resolves also when the object stays for its grace period or finalizers; NotFound when absent. */
  delete(kind: KindName, namespace: string, name: string, options?: DeleteOptions): Promise<void>;
}
