import { isNestedWithin, isRecord, own } from '../json.ts';
import type { Field, Schema, StructType, TypeSource } from '../schema/types.ts';
import { type Directives, PatchFault, readDirectives, withoutDirectives } from './directives.ts';
import { inPatchOrder, mergeKeyOf, partition } from './element-order.ts';

/** The patched value, or why the patch cannot be applied (a 400 of the API). */
export type Patched =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly why: string };

type Json = Readonly<Record<string, unknown>>;

/** Deepest nesting of a patch; Kubernetes' deepest own objects have about thirty levels. */
const MAX_LEVELS = 500;

/**
 * Applies a strategic merge patch: as a merge patch, but lists with a merge key in the schema merge item by item, and
 * the directives `$patch`, `$retainKeys`, `$setElementOrder/F` and `$deleteFromPrimitiveList/F` are obeyed.
 * Neither argument is changed. Never throws.
 */
export function applyStrategicMerge(schema: Schema, target: unknown, patch: unknown): Patched {
  if (!isRecord(patch)) return { ok: false, why: 'a strategic merge patch must be an object' };
  if (!isNestedWithin(patch, MAX_LEVELS)) return { ok: false, why: 'the patch is nested too deeply' };
  try {
    const base = isRecord(target) ? target : {};
    return { ok: true, value: mergeObject(schema.types, schema.root, base, patch) };
  } catch (error) {
    if (error instanceof PatchFault) return { ok: false, why: error.message };
    throw error;
  }
}

/** `type` is undefined below fields the schema does not know, where everything merges plainly. */
function mergeObject(
  types: TypeSource,
  type: StructType | undefined,
  target: Json | undefined,
  patch: Json,
): Json {
  const directives = readDirectives(patch);
  if (directives.patch === 'delete') return {};
  if (directives.patch === 'replace') return withoutDirectives(directives.fields) as Json;
  const merged = new Map(Object.entries(retained(target ?? {}, directives)));
  for (const [name, value] of Object.entries(directives.fields)) {
    const before = merged.get(name);
    if (value === null) merged.delete(name);
    else merged.set(name, mergeField(types, type?.fields.get(name), name, before, value, directives));
  }
  applyToLists(type, merged, directives);
  return Object.fromEntries(merged);
}

/** `$retainKeys` drops all other keys of the present object; the patch may not set what it does not retain. */
function retained(target: Json, { retainKeys, fields }: Directives): Json {
  if (retainKeys === undefined) return target;
  const stray = Object.entries(fields).some(([name, value]) => value !== null && !retainKeys.has(name));
  if (stray) throw new PatchFault('the patch sets fields that its $retainKeys does not list');
  return Object.fromEntries(Object.entries(target).filter(([name]) => retainKeys.has(name)));
}

function mergeField(
  types: TypeSource,
  field: Field | undefined,
  name: string,
  before: unknown,
  value: unknown,
  directives: Directives,
): unknown {
  if (isRecord(value) && isRecord(before) && field?.merge?.replace !== true)
    return mergeObject(types, innerType(types, field), before, value);
  if (!Array.isArray(value)) return withoutDirectives(value);
  const merge = field?.merge;
  const isMerged = merge?.patchKey !== undefined || merge?.patchSet === true;
  if (!isMerged) return withoutDirectives(value);
  const present = Array.isArray(before) ? before : [];
  return mergeList(types, field, present, value, directives.order.get(name));
}

/** Type of the objects inside a field: of itself, of its list items or map entries. */
function innerType(types: TypeSource, field: Field | undefined): StructType | undefined {
  let type = field?.type;
  while (type !== undefined && type.is !== 'struct' && type.is !== 'scalar') type = type.of;
  // The keys of a map are data, not fields: below a map of structs the schema would be read one level off.
  if (type?.is !== 'struct' || field?.type.is === 'map') return undefined;
  return types(type.name);
}

function mergeList(
  types: TypeSource,
  field: Field | undefined,
  present: readonly unknown[],
  patch: readonly unknown[],
  order: readonly unknown[] | undefined,
): unknown[] {
  const key = field?.merge?.patchKey;
  if (key === undefined) {
    const united = [...new Set([...present, ...patch])];
    return inPatchOrder(partition(united, order ?? patch, key), present, key);
  }
  const { base, items } = applyItemDirectives(present, patch, key);
  const merged = [...base];
  for (const item of items) {
    const id = mergeKeyOf(item, key);
    if (id === undefined) throw missingKey(item, key);
    const at = merged.findIndex((candidate) => mergeKeyOf(candidate, key) === id);
    const before = at < 0 ? undefined : (merged[at] as Json);
    const next = mergeObject(types, innerType(types, field), before, item);
    if (at < 0) merged.push(next);
    else merged[at] = next;
  }
  return inPatchOrder(partition(merged, order ?? items, key), base, key);
}

function missingKey(item: unknown, key: string): PatchFault {
  return new PatchFault(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
}

/** Takes out the items that only say `$patch: delete` or `$patch: replace`, and does what they say. */
function applyItemDirectives(
  present: readonly unknown[],
  patch: readonly unknown[],
  key: string,
): { base: readonly unknown[]; items: Json[] } {
  let base = present;
  let replaced = false;
  const items: Json[] = [];
  for (const item of patch) {
    if (!isRecord(item)) throw missingKey(item, key);
    const directive = own(item, '$patch');
    if (directive === undefined || directive === 'merge') items.push(item);
    else if (directive === 'replace') replaced = true;
    else if (directive !== 'delete') throw new PatchFault(`unknown patch type [${String(directive)}] in map`);
    else {
      const id = mergeKeyOf(item, key);
      if (id === undefined) throw missingKey(item, key);
      base = base.filter((candidate) => mergeKeyOf(candidate, key) !== id);
    }
  }
  return { base: replaced ? [] : base, items };
}

/** Orders and deletions for lists that the patch does not otherwise touch, and deletions from those it does. */
function applyToLists(
  type: StructType | undefined,
  merged: Map<string, unknown>,
  { order, removed, fields }: Directives,
): void {
  for (const [name, values] of removed) {
    const list = merged.get(name);
    if (Array.isArray(list))
      merged.set(
        name,
        list.filter((v) => !values.includes(v)),
      );
  }
  for (const [name, wanted] of order) {
    const list = merged.get(name);
    if (!Array.isArray(list) || Object.hasOwn(fields, name)) continue;
    const key = type?.fields.get(name)?.merge?.patchKey;
    merged.set(name, inPatchOrder(partition(list, wanted, key), list, key));
  }
}
