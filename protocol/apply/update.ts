import type { KubeObject, ManagedFieldsEntry } from '../kinds/meta.ts';
import { createdFieldsV1 } from './created.ts';
import { difference, isEmptySet, union } from './field-set.ts';
import { identityOf, isReset, type Manager, readManagers, withFields, writeManagers } from './managers.ts';
import { ownable, type WrittenPart } from './ownable.ts';
import type { Shape } from './shape.ts';
import { type Comparison, compareFields } from './walks.ts';

/** A write that is no apply: create, update, any of the other patches. */
export interface TrackedWrite extends WrittenPart {
  readonly shape: Shape;
  /** The state before; undefined when the write creates. */
  readonly live: KubeObject | undefined;
  /** The state after, defaults included. */
  readonly next: KubeObject;
  readonly manager: string;
  readonly apiVersion: string;
  /** The hub's wall time, as `metadata.creationTimestamp` is written. */
  readonly now: string;
}

/**
 * `managedFields` after a write: the writer owns what it changed or added, others lose that and what is gone. A list in `next`
 * replaces the live one; `[{}]` and an object that nobody manages stay unmanaged: undefined. A write that changes nothing
 * changes no entry. Pure; never throws.
 */
export function trackUpdate(write: TrackedWrite): ManagedFieldsEntry[] | undefined {
  const { shape, live, next } = write;
  const managers = managersBefore(write);
  if (managers.length === 0 && live !== undefined) return undefined;
  if (managers.length === 0) return created(write);
  const changes = compareFields(shape, live === undefined ? {} : unmanaged(live), unmanaged(next));
  const me = {
    manager: write.manager,
    operation: 'Update' as const,
    apiVersion: write.apiVersion,
    subresource: write.subresource,
  };
  const mine = ownable(union(changes.added, changes.modified), write);
  const others = afterChanges(managers, changes);
  if (isEmptySet(mine)) return listed(writeManagers(others));
  const before = others.find((m) => identityOf(m) === identityOf(me));
  const fields = before === undefined ? mine : union(before.fields, mine);
  const after: Manager = { ...me, time: write.now, fields };
  return listed(writeManagers([...others.filter((m) => m !== before), after]));
}

function created(write: TrackedWrite): ManagedFieldsEntry[] | undefined {
  const { manager, apiVersion, now, subresource } = write;
  const fieldsV1 = createdFieldsV1(write.shape, unmanaged(write.next), write);
  if (Object.keys(fieldsV1).length === 0) return undefined;
  const base = {
    manager,
    operation: 'Update',
    apiVersion,
    time: now,
    fieldsType: 'FieldsV1',
    fieldsV1,
  } as const;
  return [subresource === '' ? base : { ...base, subresource }];
}

/** The managers that count: those the request brings, else those of the live object. */
function managersBefore({ live, next, subresource }: TrackedWrite): readonly Manager[] {
  const given = next.metadata.managedFields;
  const own = readManagers(live?.metadata.managedFields) ?? [];
  if (given === undefined || given === live?.metadata.managedFields || subresource !== '') return own;
  if (isReset(given)) return [];
  const replaced = readManagers(given);
  // Clients that do not understand the field must not be able to lose it.
  return replaced === undefined || replaced.length === 0 ? own : replaced;
}

/** Managers without what a change took from them: what was set anew and what is gone. */
export function afterChanges(
  managers: readonly Manager[],
  { added, modified, removed }: Comparison,
): Manager[] {
  const lost = union(union(added, modified), removed);
  return managers.map((m) => withFields(m, difference(m.fields, lost)));
}

/** The object without its managers, which are no field of anybody. */
export function unmanaged(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _managedFields, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function listed(entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] | undefined {
  return entries.length === 0 ? undefined : entries;
}
