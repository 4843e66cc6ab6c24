import type { KubeObject } from '../../protocol/kinds/meta.ts';
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
  }

  #unlink(key: string, object: KubeObject): void {
    this.#byUid.delete(object.metadata.uid);
    this.#byOwner.remove(key, object);
    this.#byNode.remove(key, object);
  }

  #forgetLists(object: KubeObject): void {
    this.#lists.delete('');
    this.#lists.delete(object.metadata.namespace ?? '');
  }
}

/** Objects by a value found in them. */
class Index {
  readonly #valueOf: (object: AnyObject) => string | undefined;
  readonly #groups = new Map<string, { objects: Map<string, KubeObject>; list?: readonly KubeObject[] }>();

  constructor(value: (object: AnyObject) => string | undefined) {
    this.#valueOf = value;
  }

  list(value: string): readonly KubeObject[] {
    const group = this.#groups.get(value);
    if (group === undefined) return [];
    group.list ??= [...group.objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
    return group.list;
  }

  add(key: string, object: KubeObject): void {
    const value = this.#valueOf(object);
    if (value === undefined) return;
    const objects = this.#groups.get(value)?.objects ?? new Map<string, KubeObject>();
    this.#groups.set(value, { objects: objects.set(key, object) });
  }

  remove(key: string, object: KubeObject): void {
    const value = this.#valueOf(object);
    const objects = value === undefined ? undefined : this.#groups.get(value)?.objects;
    if (value === undefined || objects === undefined) return;
    objects.delete(key);
    if (objects.size === 0) this.#groups.delete(value);
    else this.#groups.set(value, { objects });
  }
}

function controllerUid(object: KubeObject): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;
}

function nodeName(object: AnyObject): string | undefined {
  if (object.kind !== 'Pod' || object.apiVersion !== 'v1') return undefined;
  const name = object.spec?.['nodeName'];
  return typeof name === 'string' && name !== '' ? name : undefined;
}
