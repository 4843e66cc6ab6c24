import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PersistentVolume } from '../../protocol/kinds/storage.ts';
import { claimsOf } from '../decide/volumes/pod-volumes.ts';
import { nodeOfVolume } from '../decide/volumes/words.ts';
import type { AnyObject } from './plan.ts';

/** `namespace/name`, the order of lists; cluster-wide objects have an empty namespace. Pure. */
export function objectKey(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

/** First index in items sorted by `keyAt` that is not before `key`. Pure. */
export function lowerBound<T>(items: readonly T[], key: string, keyAt: (item: T) => string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && keyAt(item) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The owner of what has no controller. */
const NOBODY = '';

const itself = (key: string): string => key;

/** Objects of one kind: by key, in order, and by what loops ask for. Lists handed out never change. */
export class Collection {
  readonly #keys: string[] = [];
  readonly #objects: KubeObject[] = [];
  readonly #byUid = new Map<string, KubeObject>();
  readonly #byOwner = new Index((object) => controllerUid(object) ?? NOBODY);
  readonly #byNode = new Index(nodeName);
  readonly #byClaim = new Index(claimKeys);
  readonly #lists = new Map<string, readonly KubeObject[]>();

  /** Fills an empty collection. */
  load(objects: readonly KubeObject[]): void {
    const pairs = objects.map((object) => [objectKey(object), object] as const);
    pairs.sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, object] of pairs) {
      this.#keys.push(key);
      this.#objects.push(object);
      this.#link(key, object);
    }
  }

  get(key: string): KubeObject | undefined {
    const at = lowerBound(this.#keys, key, itself);
    return this.#keys[at] === key ? this.#objects[at] : undefined;
  }

  byUid(uid: string): KubeObject | undefined {
    return this.#byUid.get(uid);
  }

  ownedBy(uid: string): readonly KubeObject[] {
    return this.#byOwner.list(uid);
  }

  onNode(name: string): readonly KubeObject[] {
    return this.#byNode.list(name);
  }

  /** Pods that use a claim, volumes that name it, by `namespace/name`; volumes that name none when it is empty. */
  ofClaim(key: string): readonly KubeObject[] {
    return this.#byClaim.list(key);
  }

  /** All, or those of one namespace, in order; the same array until something in it changes. */
  list(namespace = ''): readonly KubeObject[] {
    const cached = this.#lists.get(namespace);
    if (cached !== undefined) return cached;
    const list = namespace === '' ? this.#objects.slice() : this.#range(namespace);
    this.#lists.set(namespace, list);
    return list;
  }

  put(object: KubeObject): void {
    const key = objectKey(object);
    const at = lowerBound(this.#keys, key, itself);
    const previous = this.#keys[at] === key ? this.#objects[at] : undefined;
    if (previous === undefined) {
      this.#keys.splice(at, 0, key);
      this.#objects.splice(at, 0, object);
    } else {
      this.#objects[at] = object;
      this.#unlink(key, previous);
    }
    this.#link(key, object);
    this.#forgetLists(object);
  }

  remove(object: KubeObject): void {
    const key = objectKey(object);
    const at = lowerBound(this.#keys, key, itself);
    const previous = this.#objects[at];
    if (this.#keys[at] !== key || previous === undefined) return;
    this.#keys.splice(at, 1);
    this.#objects.splice(at, 1);
    this.#unlink(key, previous);
    this.#forgetLists(object);
  }

  #range(namespace: string): readonly KubeObject[] {
    // '0' is the character after '/': everything that starts with `namespace/` lies between.
    const from = lowerBound(this.#keys, `${namespace}/`, itself);
    return this.#objects.slice(from, lowerBound(this.#keys, `${namespace}0`, itself));
  }

  #link(key: string, object: KubeObject): void {
    this.#byUid.set(object.metadata.uid, object);
    this.#byOwner.add(key, object);
    this.#byNode.add(key, object);
    this.#byClaim.add(key, object);
  }

  #unlink(key: string, object: KubeObject): void {
    this.#byUid.delete(object.metadata.uid);
    this.#byOwner.remove(key, object);
    this.#byNode.remove(key, object);
    this.#byClaim.remove(key, object);
  }

  #forgetLists(object: KubeObject): void {
    this.#lists.delete('');
    this.#lists.delete(object.metadata.namespace ?? '');
  }
}

/** Objects by a value found in them, or by several. */
class Index {
  readonly #valuesOf: (object: AnyObject) => string | readonly string[] | undefined;
  readonly #groups = new Map<string, { objects: Map<string, KubeObject>; list?: readonly KubeObject[] }>();

  constructor(values: (object: AnyObject) => string | readonly string[] | undefined) {
    this.#valuesOf = values;
  }

  list(value: string): readonly KubeObject[] {
    const group = this.#groups.get(value);
    if (group === undefined) return [];
    group.list ??= [...group.objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
    return group.list;
  }

  add(key: string, object: KubeObject): void {
    const values = this.#valuesOf(object);
    if (typeof values === 'string') this.#add(values, key, object);
    else for (const value of values ?? []) this.#add(value, key, object);
  }

  remove(key: string, object: KubeObject): void {
    const values = this.#valuesOf(object);
    if (typeof values === 'string') this.#remove(values, key);
    else for (const value of values ?? []) this.#remove(value, key);
  }

  #add(value: string, key: string, object: KubeObject): void {
    const objects = this.#groups.get(value)?.objects ?? new Map<string, KubeObject>();
    this.#groups.set(value, { objects: objects.set(key, object) });
  }

  #remove(value: string, key: string): void {
    const objects = this.#groups.get(value)?.objects;
    if (objects === undefined) return;
    objects.delete(key);
    if (objects.size === 0) this.#groups.delete(value);
    else this.#groups.set(value, { objects });
  }
}

function controllerUid(object: KubeObject): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;
}

const isCore = ({ apiVersion, kind }: KubeObject, name: string): boolean =>
  kind === name && apiVersion === 'v1';

/** The node a pod is bound to, or the only one that has a volume. */
function nodeName(object: AnyObject): string | undefined {
  if (object.spec === undefined) return undefined;
  if (isCore(object, 'PersistentVolume')) return nodeOfVolume(object as KubeObject as PersistentVolume);
  if (!isCore(object, 'Pod')) return undefined;
  const name = object.spec['nodeName'];
  return typeof name === 'string' && name !== '' ? name : undefined;
}

function claimKeys(object: AnyObject): string | readonly string[] | undefined {
  if (object.spec === undefined) return undefined;
  if (isCore(object, 'PersistentVolume')) {
    const { namespace = '', name = '' } = (object as KubeObject as PersistentVolume).spec.claimRef ?? {};
    return name === '' ? '' : `${namespace}/${name}`;
  }
  if (!isCore(object, 'Pod')) return undefined;
  const uses = claimsOf((object as KubeObject as Pod).spec);
  return uses.length === 0
    ? undefined
    : uses.map(({ claim }) => `${object.metadata.namespace ?? ''}/${claim}`);
}
