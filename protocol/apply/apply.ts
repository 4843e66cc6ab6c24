import type { KubeObject } from '../kinds/meta.ts';
import type { Conflict } from './conflicts.ts';
import {
  difference,
  type FieldSet,
  intersection,
  isEmptySet,
  NO_FIELDS,
  sameFields,
  union,
} from './field-set.ts';
import { stillAsLastApplied, withLastApplied } from './last-applied.ts';
import { identityOf, type Manager, readManagers, writeManagers } from './managers.ts';
import { mergeFields } from './merge.ts';
import { ownable, type WrittenPart } from './ownable.ts';
import type { Shape } from './shape.ts';
import { afterChanges, unmanaged } from './update.ts';
import { compareFields, fieldsOf, withoutFields, withStructs } from './walks.ts';

/** An apply patch. */
export interface ApplyRequest extends WrittenPart {
  readonly shape: Shape;
  /** The present object; undefined when the apply creates it. */
  readonly live: KubeObject | undefined;
  /** What the manager wants, without what this part of the object cannot hold. */
  readonly config: KubeObject;
  readonly manager: string;
  readonly apiVersion: string;
  /** Take over what others own. */
  readonly force: boolean;
  /** The hub's wall time, as `metadata.creationTimestamp` is written. */
  readonly now: string;
}

/** The next state with its `managedFields`, before defaulting; or who stands against it. */
export type Applied =
  | { readonly ok: true; readonly object: KubeObject }
  | { readonly ok: false; readonly conflicts: readonly Conflict[] };

/** The manager that gets everything of an object that nobody managed before it was applied. */
const BEFORE = 'before-first-apply';
const KUBECTL = 'kubectl';

/**
 * Applies a configuration as Kubernetes' server-side apply does: merges it by schema, removes what this manager applied before
 * and no longer does unless somebody else owns it, and gives the manager exactly the fields it sent. Neither state is changed; an
 * apply that changes nothing gives an equal object. Pure; never throws.
 */
export function applyConfig(request: ApplyRequest): Applied {
  const { shape, live, config, force } = request;
  const present = live === undefined ? undefined : unmanaged(live);
  const managers = managersBefore(request);
  const identity = identityOf({ ...request, operation: 'Apply' });
  const before = managers.find((m) => identityOf(m) === identity);
  const others = managers.filter((m) => m !== before);
  const sent = fieldsOf(shape, config);
  const merged = mergeFields(shape, present, config);
  const left = pruned(shape, merged, before?.fields ?? NO_FIELDS, [sent, ...others.map((m) => m.fields)]);
  // Once more, for containers that were sent empty and have lost their last entry.
  const next = left === merged ? merged : mergeFields(shape, left, config);
  const changes = compareFields(shape, present ?? {}, next);
  const set = union(changes.added, changes.modified);
  const conflicts = others
    .map((m) => ({ ...m, fields: intersection(m.fields, set) }))
    .filter((m) => !isEmptySet(m.fields));
  const standing = force ? [] : unforgiven(request, conflicts);
  if (standing.length > 0) return { ok: false, conflicts: standing };
  const isSame = [changes.added, changes.modified, changes.removed].every(isEmptySet);
  const me = applier(request, before, ownable(sent, request), isSame);
  const object = (next ?? {}) as KubeObject;
  const managedFields = writeManagers([...afterChanges(others, changes), me]);
  const managed = { ...object, metadata: { ...object.metadata, managedFields } };
  return { ok: true, object: request.manager === KUBECTL ? withLastApplied(managed, config) : managed };
}

function applier(
  request: ApplyRequest,
  before: Manager | undefined,
  fields: FieldSet,
  isSame: boolean,
): Manager {
  const { manager, apiVersion, subresource, now } = request;
  if (before !== undefined && isSame && sameFields(before.fields, fields) && before.apiVersion === apiVersion)
    return before;
  return { manager, operation: 'Apply', apiVersion, subresource, time: now, fields };
}

/** The live managers. An object that nobody manages is taken to be managed, as a whole, by its past. */
function managersBefore(request: ApplyRequest): readonly Manager[] {
  const { shape, live, apiVersion, now } = request;
  if (live === undefined) return [];
  const managers = readManagers(live.metadata.managedFields) ?? [];
  if (managers.length > 0) return managers;
  const all = compareFields(shape, {}, unmanaged(live)).added;
  const fields = ownable(all, { subresource: '', hasStatus: request.hasStatus });
  return [{ manager: BEFORE, operation: 'Update', apiVersion, subresource: '', time: now, fields }];
}

/** Conflicts that stand: kubectl is forgiven those about fields it applied from the client's side before. */
function unforgiven({ shape, live, manager }: ApplyRequest, conflicts: readonly Conflict[]): Conflict[] {
  if (manager !== KUBECTL || live === undefined || conflicts.length === 0) return [...conflicts];
  const forgiven = stillAsLastApplied(shape, live);
  return conflicts
    .map((c) => ({ ...c, fields: difference(c.fields, forgiven) }))
    .filter((c) => !isEmptySet(c.fields));
}

/**
 * Takes out what `last` names and nobody in `owners` does. An item goes with everything in it, unless somebody owns the item;
 * what nobody ever owned goes only together with what it is part of.
 */
function pruned(shape: Shape, merged: unknown, last: FieldSet, owners: readonly FieldSet[]): unknown {
  if (isEmptySet(last)) return merged;
  const lastAll = withStructs(shape, last);
  const owned = withStructs(shape, owners.reduce(union, NO_FIELDS));
  const all = withStructs(shape, fieldsOf(shape, merged));
  const without = (set: FieldSet): unknown => withoutFields(shape, merged, set);
  const present = (value: unknown): FieldSet => withStructs(shape, fieldsOf(shape, value ?? {}));
  const gone = difference(all, union(present(without(lastAll)), owned));
  return without(intersection(difference(all, present(without(gone))), lastAll));
}
