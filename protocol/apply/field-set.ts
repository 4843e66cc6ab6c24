import { isRecord } from '../json.ts';

/**
 * A set of fields as a tree: `here` says that the path itself belongs to it, `inner` holds what lies below by path element.
 * Elements are written as in fieldsV1: `f:name` a field, `k:{"name":"c"}` an item of a keyed list, `v:"x"` one of a set.
 */
export interface FieldSet {
  readonly here: boolean;
  readonly inner: ReadonlyMap<string, FieldSet>;
}

/** No fields at all. */
export const NO_FIELDS: FieldSet = { here: false, inner: new Map() };

/** True when no path belongs to the set. */
export function isEmptySet(set: FieldSet): boolean {
  if (set.here) return false;
  for (const inner of set.inner.values()) if (!isEmptySet(inner)) return false;
  return true;
}

/** Membership of one path of two sets, combined; parts without members are left out. */
function combine(a: FieldSet, b: FieldSet, keep: (inA: boolean, inB: boolean) => boolean): FieldSet {
  const inner = new Map<string, FieldSet>();
  for (const element of new Set([...a.inner.keys(), ...b.inner.keys()])) {
    const both = combine(a.inner.get(element) ?? NO_FIELDS, b.inner.get(element) ?? NO_FIELDS, keep);
    if (both.here || both.inner.size > 0) inner.set(element, both);
  }
  return { here: keep(a.here, b.here), inner };
}

/** Paths of either set. */
export const union = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA || inB);

/** Paths of `a` that are not in `b`; a path of `b` takes nothing below it. */
export const difference = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA && !inB);

/** Paths of both sets. */
export const intersection = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA && inB);

/** True when both hold the same paths. */
export function sameFields(a: FieldSet, b: FieldSet): boolean {
  return isEmptySet(combine(a, b, (inA, inB) => inA !== inB));
}

/** Collects paths; `set` is what has been added so far. */
export class FieldSetBuilder {
  readonly #root: Growing = { here: false, inner: new Map() };

  add(path: readonly string[]): void {
    let node = this.#root;
    for (const element of path) {
      let next = node.inner.get(element);
      if (next === undefined) {
        next = { here: false, inner: new Map() };
        node.inner.set(element, next);
      }
      node = next;
    }
    node.here = true;
  }

  get set(): FieldSet {
    return this.#root;
  }
}

interface Growing {
  here: boolean;
  readonly inner: Map<string, Growing>;
}

/** The set of a `fieldsV1` value; undefined when it is malformed. Never throws. */
export function readFieldsV1(value: unknown): FieldSet | undefined {
  if (!isRecord(value)) return undefined;
  const inner = new Map<string, FieldSet>();
  let here = false;
  for (const [key, below] of Object.entries(value)) {
    if (key === '.') {
      here = true;
      continue;
    }
    const element = canonical(key);
    const set = readFieldsV1(below);
    if (element === undefined || set === undefined) return undefined;
    inner.set(element, set.inner.size === 0 ? { ...set, here: true } : set);
  }
  return { here, inner };
}

/** The element with sorted keys, as this hub writes it; undefined when it is none. */
function canonical(element: string): string | undefined {
  const prefix = element.slice(0, 2);
  if (prefix === 'f:') return element;
  if (prefix === 'i:') return /^i:\d+$/.test(element) ? element : undefined;
  if (prefix !== 'k:' && prefix !== 'v:') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(element.slice(2));
  } catch {
    return undefined; // the sender's text; the caller says so
  }
  if (prefix === 'v:') return `v:${JSON.stringify(value)}`;
  return isRecord(value) ? keyElement(Object.entries(value)) : undefined;
}

/** `k:{"a":1,"b":"x"}`, keys sorted. */
export function keyElement(keys: readonly (readonly [string, unknown])[]): string {
  const sorted = keys.length < 2 ? keys : keys.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `k:${JSON.stringify(Object.fromEntries(sorted))}`;
}

/** The `fieldsV1` value of a set, keys sorted as Kubernetes sorts them. */
export function writeFieldsV1(set: FieldSet): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const element of [...set.inner.keys()].sort()) {
    const inner = set.inner.get(element) ?? NO_FIELDS;
    if (isEmptySet(inner)) continue;
    const below = writeFieldsV1(inner);
    entries.push([element, inner.here && Object.keys(below).length > 0 ? { '.': {}, ...below } : below]);
  }
  return Object.fromEntries(entries);
}

/** All paths, as people read them: `.spec.containers[name="web"].image`; in order. */
export function pathTexts(set: FieldSet, prefix = ''): string[] {
  const texts = set.here && prefix !== '' ? [prefix] : [];
  for (const element of [...set.inner.keys()].sort())
    texts.push(...pathTexts(set.inner.get(element) ?? NO_FIELDS, prefix + elementText(element)));
  return texts;
}

/** One path element as people read it: `.image`, `[name="web"]`, `[="x"]`, `[0]`. */
export function elementText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith('f:')) return `.${rest}`;
  if (element.startsWith('v:')) return `[=${rest}]`;
  if (element.startsWith('i:')) return `[${rest}]`;
  const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}
