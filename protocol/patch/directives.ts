import { isRecord } from '../json.ts';

/** Why a strategic merge patch cannot be applied; caught where the patch is started, never further up. */
export class PatchFault extends Error {
  override readonly name = 'PatchFault';
}

/** A patch object taken apart: what it says about merging, and its plain fields. */
export interface Directives {
  readonly patch: 'merge' | 'replace' | 'delete';
  readonly retainKeys: ReadonlySet<string> | undefined;
  /** Field name to the order of its items, or of its scalars. */
  readonly order: ReadonlyMap<string, readonly unknown[]>;
  /** Field name to the scalars to take out of its list. */
  readonly removed: ReadonlyMap<string, readonly unknown[]>;
  readonly fields: Readonly<Record<string, unknown>>;
}

const ORDER = '$setElementOrder/';
const REMOVED = '$deleteFromPrimitiveList/';
const MODES = ['merge', 'replace', 'delete'] as const;

/** Splits directives from fields; throws PatchFault on one that cannot be read. */
export function readDirectives(patch: Readonly<Record<string, unknown>>): Directives {
  const order = new Map<string, readonly unknown[]>();
  const removed = new Map<string, readonly unknown[]>();
  const fields: [string, unknown][] = [];
  let mode: Directives['patch'] = 'merge';
  let retainKeys: ReadonlySet<string> | undefined;
  for (const [name, value] of Object.entries(patch)) {
    if (name === '$patch') mode = modeOf(value);
    else if (name === '$retainKeys') retainKeys = new Set(listOf(name, value).map(String));
    else if (name.startsWith(ORDER)) order.set(name.slice(ORDER.length), listOf(name, value));
    else if (name.startsWith(REMOVED)) removed.set(name.slice(REMOVED.length), listOf(name, value));
    else fields.push([name, value]);
  }
  return { patch: mode, retainKeys, order, removed, fields: Object.fromEntries(fields) };
}

function modeOf(value: unknown): Directives['patch'] {
  const mode = MODES.find((m) => m === value);
  if (mode === undefined) throw new PatchFault(`unknown patch type [${String(value)}] in map`);
  return mode;
}

function listOf(name: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new PatchFault(`${name} must be a list`);
  return value;
}

/** A new value as it is stored: without directives, without nulls in objects, without items that only delete. */
export function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value))
    return value.filter((item) => !(isRecord(item) && isBareDirective(item))).map(withoutDirectives);
  if (!isRecord(value)) return value;
  const { fields, patch } = readDirectives(value);
  if (patch === 'delete') return {};
  const kept = Object.entries(fields).flatMap(([name, entry]): [string, unknown][] =>
    entry === null ? [] : [[name, withoutDirectives(entry)]],
  );
  return Object.fromEntries(kept);
}

function isBareDirective(item: Readonly<Record<string, unknown>>): boolean {
  const mode = Object.hasOwn(item, '$patch') ? item['$patch'] : undefined;
  return mode === 'delete' || (mode === 'replace' && Object.keys(item).length === 1);
}
