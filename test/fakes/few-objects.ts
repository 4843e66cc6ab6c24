import { randomUUID } from 'node:crypto';
import type { ClusterClient, ClusterView, DeleteOptions, NewObject } from '../../hub/cluster.ts';
import type { KindMap, KindName } from '../../protocol/kinds/kind-map.ts';
import { ApiError } from '../../protocol/status.ts';

/** A handful of objects in memory with compare-and-swap deletion: what tests of narrow readers and writers need. */
export class FewObjects
  implements Pick<ClusterView, 'get' | 'list'>, Pick<ClusterClient, 'create' | 'delete'>
{
  readonly #objects = new Map<string, unknown>();
  #revision = 0;

  get<K extends KindName>(kind: K, namespace: string, name: string): KindMap[K] | undefined {
    return this.#objects.get(`${kind}/${namespace}/${name}`) as KindMap[K] | undefined;
  }

  list<K extends KindName>(kind: K, namespace = ''): readonly KindMap[K][] {
    const prefix = namespace === '' ? `${kind}/` : `${kind}/${namespace}/`;
    return [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, o]) => o as KindMap[K]);
  }

  async create<K extends KindName>(kind: K, object: NewObject<KindMap[K]>): Promise<KindMap[K]> {
    await Promise.resolve();
    const given = object.metadata as { name?: string; generateName?: string; namespace?: string };
    const name = given.name ?? `${given.generateName ?? ''}${randomUUID().slice(0, 5)}`;
    const key = `${kind}/${given.namespace ?? ''}/${name}`;
    if (this.#objects.has(key)) throw new ApiError('AlreadyExists', key);
    const metadata = { ...given, name, uid: randomUUID(), resourceVersion: String(++this.#revision) };
    const stored = { kind, ...object, metadata } as unknown as KindMap[K];
    this.#objects.set(key, stored);
    return stored;
  }

  async delete(kind: KindName, namespace: string, name: string, options: DeleteOptions = {}): Promise<void> {
    // As in the store, the deletion is visible only after the disk has answered.
    await new Promise((resolve) => setImmediate(resolve));
    const held = this.get(kind, namespace, name);
    if (held === undefined) throw new ApiError('NotFound', name);
    if (options.uid !== undefined && options.uid !== held.metadata.uid) throw new ApiError('Conflict', name);
    this.#objects.delete(`${kind}/${namespace}/${name}`);
  }
}
