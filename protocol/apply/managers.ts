import { isRecord } from '../json.ts';
import type { ManagedFieldsEntry } from '../kinds/meta.ts';
import { type FieldSet, isEmptySet, readFieldsV1, sameFields, union, writeFieldsV1 } from './field-set.ts';

/** One manager of an object's fields, as an entry of `metadata.managedFields` says it. */
export interface Manager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldSet;
  /** The entry this was read from; it is written again as it is while nothing has changed. */
  readonly source?: ManagedFieldsEntry;
}

/** Updates beyond this many are gathered under one name, oldest first, as in Kubernetes. */
const MAX_UPDATERS = 10;
const ANCIENT = 'ancient-changes';

/** What tells managers apart: an applier is the same in every version, an updater is one for each. */
export function identityOf(m: Pick<Manager, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string {
  return JSON.stringify([m.manager, m.operation, m.operation === 'Apply' ? '' : m.apiVersion, m.subresource]);
}

/** Reads `metadata.managedFields`; undefined when it is malformed. Never throws. */
export function readManagers(entries: unknown): Manager[] | undefined {
  if (!Array.isArray(entries)) return undefined;
  const found = new Map<string, Manager>();
  for (const entry of entries) {
    const manager = readManager(entry);
    if (manager === undefined) return undefined;
    const before = found.get(identityOf(manager));
    const { source: _source, ...rest } = manager;
    const both = before === undefined ? manager : { ...rest, fields: union(before.fields, manager.fields) };
    found.set(identityOf(manager), both);
  }
  return [...found.values()];
}

function readManager(entry: unknown): Manager | undefined {
  if (!isRecord(entry)) return undefined;
  const { manager = '', operation, apiVersion, subresource = '', time, fieldsType } = entry;
  if (operation !== 'Apply' && operation !== 'Update') return undefined;
  if (typeof manager !== 'string' || typeof subresource !== 'string' || fieldsType !== 'FieldsV1')
    return undefined;
  if (typeof apiVersion !== 'string' || apiVersion === '') return undefined;
  const fields = readFieldsV1(entry['fieldsV1'] ?? {});
  if (fields === undefined) return undefined;
  const at = typeof time === 'string' ? time : undefined;
  return { manager, operation, apiVersion, subresource, time: at, fields, source: entry };
}

/** True for `[{}]`, with which a client takes all managers away. */
export function isReset(entries: unknown): boolean {
  return (
    Array.isArray(entries) &&
    entries.length === 1 &&
    isRecord(entries[0]) &&
    Object.keys(entries[0]).length === 0
  );
}

/**
 * The entries of managers that own anything, in Kubernetes' order: appliers first, then by time and name. When nobody does, an
 * applier stays without fields: the object is then known to be managed, and applying the same again changes nothing.
 */
export function writeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] {
  const owning = managers.filter((m) => !isEmptySet(m.fields));
  const kept = owning.length > 0 ? owning : managers.filter((m) => m.operation === 'Apply').slice(-1);
  return capped(kept).toSorted(byRank).map(writeManager);
}

function byRank(a: Manager, b: Manager): number {
  const rank = (m: Manager): string[] => [m.operation, m.time ?? '', m.manager, m.apiVersion, m.subresource];
  const [left, right] = [rank(a), rank(b)];
  const at = left.findIndex((text, i) => text !== right[i]);
  return at < 0 ? 0 : (left[at] ?? '') < (right[at] ?? '') ? -1 : 1;
}

function writeManager(m: Manager): ManagedFieldsEntry {
  if (m.source !== undefined) return m.source;
  return {
    manager: m.manager,
    operation: m.operation,
    apiVersion: m.apiVersion,
    ...(m.time === undefined ? {} : { time: m.time }),
    fieldsType: 'FieldsV1',
    fieldsV1: writeFieldsV1(m.fields),
    ...(m.subresource === '' ? {} : { subresource: m.subresource }),
  };
}

/** The manager with other fields; the same one when they are the same. */
export function withFields(manager: Manager, fields: FieldSet): Manager {
  if (sameFields(manager.fields, fields)) return manager;
  const { source: _source, ...rest } = manager;
  return { ...rest, fields };
}

function capped(managers: readonly Manager[]): readonly Manager[] {
  const updaters = managers.filter((m) => m.operation === 'Update');
  if (updaters.length <= MAX_UPDATERS) return managers;
  const oldest = updaters.toSorted(byRank).slice(0, updaters.length - MAX_UPDATERS + 1);
  const buckets = new Map<string, Manager>();
  for (const { source: _source, ...rest } of oldest) {
    const { apiVersion, fields } = rest;
    const before = buckets.get(apiVersion);
    const all = before === undefined ? fields : union(before.fields, fields);
    buckets.set(apiVersion, { ...rest, manager: ANCIENT, subresource: '', fields: all });
  }
  return [...managers.filter((m) => !oldest.includes(m)), ...buckets.values()];
}
