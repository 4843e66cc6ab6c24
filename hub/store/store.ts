import type { KindMap, KindName } from '../../protocol/kinds/kind-map.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { ClusterClient, ClusterView, DeleteOptions, NewObject } from '../cluster.ts';
import { cloneJson } from './json.ts';
import { ObjectStore } from './object-store.ts';
import type { ObjectInput } from './plan-create.ts';
import { LASTING_NAMESPACES } from './plan-delete.ts';
import type { FieldWriter, ModifyOptions, StoreOptions } from './store-options.ts';

/**
 * What loops change beside status of objects that people manage. Their own objects have no managers, and status has none but
 * those who write it through the API: so the many small writes of a hub pay nothing for this.
 */
const LOOPS: FieldWriter = { manager: 'coxswain-hub' };
const OF_LOOPS = { subresource: 'finalize', canWait: true } as const;

/**
 * The embedded cluster store: what the loops see and write by types, over what the API uses by names. Memory is the truth at run
 * time, the durable map its copy. See ObjectStore for what holds of reads and writes.
 */
export class Store extends ObjectStore implements ClusterView, ClusterClient {
  /** Takes over what was stored and makes the lasting namespaces. Rejects with ApiError when the disk refuses them. */
  static async open(options: StoreOptions): Promise<Store> {
    const store = new Store(options);
    const absent = LASTING_NAMESPACES.filter((name) => store.getObject('Namespace', '', name) === undefined);
    await Promise.all(absent.map((name) => store.createObject('Namespace', { metadata: { name } })));
    return store;
  }

  get<K extends KindName>(kind: K, namespace: string, name: string): KindMap[K] | undefined {
    return this.getObject(kind, namespace, name) as KindMap[K] | undefined;
  }

  byUid<K extends KindName>(kind: K, uid: string): KindMap[K] | undefined {
    return this.objectByUid(kind, uid) as KindMap[K] | undefined;
  }

  list<K extends KindName>(kind: K, namespace?: string): readonly KindMap[K][] {
    return this.listObjects(kind, namespace).items as readonly KindMap[K][];
  }

  ownedBy<K extends KindName>(kind: K, ownerUid: string): readonly KindMap[K][] {
    return this.objectsOwnedBy(kind, ownerUid) as readonly KindMap[K][];
  }

  podsOnNode(nodeName: string): readonly KindMap['Pod'][] {
    return this.objectsOnNode(nodeName) as readonly KindMap['Pod'][];
  }

  podsUsingClaim(namespace: string, claim: string): readonly KindMap['Pod'][] {
    return this.objectsOfClaim('Pod', namespace, claim) as readonly KindMap['Pod'][];
  }

  volumesOnNode(nodeName: string): readonly KindMap['PersistentVolume'][] {
    return this.objectsOnNode(nodeName, 'PersistentVolume') as readonly KindMap['PersistentVolume'][];
  }

  volumesNaming(namespace: string, claim: string): readonly KindMap['PersistentVolume'][] {
    const found = this.objectsOfClaim('PersistentVolume', namespace, claim);
    return found as readonly KindMap['PersistentVolume'][];
  }

  async create<K extends KindName>(kind: K, object: NewObject<KindMap[K]>): Promise<KindMap[K]> {
    return (await this.createObject(kind, object as ObjectInput, { canWait: true })) as KindMap[K];
  }

  async update<K extends KindName>(kind: K, object: KindMap[K]): Promise<KindMap[K]> {
    return (await this.updateObject(kind, object, { ...OF_LOOPS, writer: LOOPS })) as KindMap[K];
  }

  async updateStatus<K extends KindName>(kind: K, object: KindMap[K]): Promise<KindMap[K]> {
    return (await this.updateStatusObject(kind, object, { canWait: true })) as KindMap[K];
  }

  async modify<K extends KindName>(
    kind: K,
    namespace: string,
    name: string,
    change: (draft: KindMap[K]) => boolean | undefined,
    part: 'spec' | 'status' = 'spec',
  ): Promise<KindMap[K] | undefined> {
    if (this.newest(kind, namespace, name) === undefined) return undefined;
    const edit = (current: KubeObject): KubeObject | undefined => {
      const draft = cloneJson(current);
      return change(draft as KindMap[K]) === false ? undefined : draft;
    };
    const writer = part === 'spec' ? { writer: LOOPS } : {};
    const options: ModifyOptions = { ...OF_LOOPS, part, ...writer };
    return (await this.modifyObject(kind, namespace, name, edit, options)) as KindMap[K];
  }

  async delete(kind: KindName, namespace: string, name: string, options: DeleteOptions = {}): Promise<void> {
    await this.deleteObject(kind, namespace, name, { ...options, canWait: true });
  }
}
