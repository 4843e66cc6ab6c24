import { isDeepStrictEqual } from 'node:util';
import { type FieldError, idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError, conflict, notFound, type ResourceName } from '../../protocol/status.ts';
import type { SharedFields } from './field-tracking.ts';
import type { IdSource } from './ids.ts';
import type { FieldWriter } from './store-options.ts';

/** What planning a write may look at: the newest state, writes on their way to the disk included. */
export interface PlanContext {
  readonly ids: IdSource;
  readonly fields: SharedFields;
  nowMs(): number;
  newest(kind: string, namespace: string, name: string): KubeObject | undefined;
  /** Completes an object that is being created, after defaulting and before validation; says why not. */
  admit(spec: KindSpec, object: KubeObject): string | undefined;
  /** Gives a valid object what only one can have; see Admission. */
  assign(spec: KindSpec, object: KubeObject): readonly FieldError[];
  /** The last word on a valid new object, or new state of one: why not, or undefined. */
  approve(spec: KindSpec, object: KubeObject, previous?: KubeObject): string | undefined;
}

/** Whose fields a write makes them; see WriteOptions. */
export type Writer = FieldWriter | 'given' | undefined;

/** An object seen generically: its parts beside metadata. */
export type AnyObject = KubeObject & {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
};

/**
 * What a write comes to. `object` is a fresh, still mutable state that lacks its resourceVersion; of a deletion the last state;
 * of `none` the present object, untouched.
 */
export interface Step {
  readonly type: 'added' | 'modified' | 'deleted' | 'none';
  readonly spec: KindSpec;
  readonly object: KubeObject;
  readonly previous?: KubeObject;
}

const NAMESPACES: ResourceName = { plural: 'namespaces', group: '', kind: 'Namespace' };

/** Refuses with NotFound or Forbidden when nothing may be created in the namespace. */
export function requireOpenNamespace(
  context: PlanContext,
  spec: KindSpec,
  namespace: string,
  name: string,
): void {
  const found: AnyObject | undefined = context.newest('Namespace', '', namespace);
  if (found === undefined) throw notFound(NAMESPACES, namespace);
  if (found.metadata.deletionTimestamp === undefined && found.status?.['phase'] !== 'Terminating') return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  throw forbidden(spec, name, why, [cause]);
}

/** 403 as admission words it: `pods "x" is forbidden: why`. */
export function forbidden(
  resource: ResourceName,
  name: string,
  why: string,
  causes?: { reason: string; message: string; field?: string }[],
): ApiError {
  const { plural, group } = resource;
  const full = group === '' ? plural : `${plural}.${group}`;
  const details = {
    name,
    ...(group === '' ? {} : { group }),
    kind: plural,
    ...(causes === undefined ? {} : { causes }),
  };
  return new ApiError('Forbidden', `${full} "${name}" is forbidden: ${why}`, details);
}

/** The present object; refuses with NotFound. */
export function require(context: PlanContext, spec: KindSpec, namespace: string, name: string): KubeObject {
  const found = context.newest(idOf(spec), spec.namespaced ? namespace : '', name);
  if (found === undefined) throw notFound(spec, name);
  return found;
}

/** Refuses with Conflict when the caller acts on another incarnation or an older version; empty means any. */
export function requireCurrent(
  spec: KindSpec,
  current: KubeObject,
  wanted: { uid?: string | undefined; resourceVersion?: string | undefined },
): void {
  const { name, uid, resourceVersion } = current.metadata;
  if (wanted.uid && wanted.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`;
    throw conflict(spec, name, why);
  }
  if (wanted.resourceVersion && wanted.resourceVersion !== resourceVersion) throw conflict(spec, name);
}

/**
 * Turns a wanted state into a step: nothing when it equals the present one, a deletion when that was waiting only for what
 * the new state no longer has. Counts `generation` up when anything outside metadata and status differs.
 */
export function settle(spec: KindSpec, next: KubeObject, current: KubeObject): Step {
  if (isDeepStrictEqual(atItsTimes(next, current), current)) return { type: 'none', spec, object: current };
  if (spec.hasGeneration && !isDeepStrictEqual(content(next), content(current)))
    next.metadata.generation = (current.metadata.generation ?? 0) + 1;
  return { type: isFinished(spec, next) ? 'deleted' : 'modified', spec, object: next, previous: current };
}

/** The wanted state as if its managers had written when those of the present one did, if they are otherwise the same: a time alone is no change. */
function atItsTimes(next: KubeObject, current: KubeObject): KubeObject {
  const [after, before] = [next.metadata.managedFields, current.metadata.managedFields];
  if (after === before || after === undefined || after.length !== before?.length) return next;
  const isSame = after.every((entry, i) => isDeepStrictEqual({ ...entry, time: before[i]?.time }, before[i]));
  return isSame ? { ...next, metadata: { ...next.metadata, managedFields: before } } : next;
}

function content(object: KubeObject): Record<string, unknown> {
  return { ...object, metadata: undefined, status: undefined };
}

/** True when an object that is being deleted has nothing left to wait for. */
export function isFinished(spec: KindSpec, object: AnyObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds > 0 || finalizers.length > 0)
    return false;
  return idOf(spec) !== 'Namespace' || namespaceFinalizers(object).length === 0;
}

/** `spec.finalizers` of a namespace. */
export function namespaceFinalizers(namespace: AnyObject): readonly unknown[] {
  const list = namespace.spec?.['finalizers'];
  return Array.isArray(list) ? list : [];
}
