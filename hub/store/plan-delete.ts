import { isDeepStrictEqual } from 'node:util';
import { toTime } from '../../kit/clock.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { conflict } from '../../protocol/status.ts';
import type { DeleteOptions } from '../cluster.ts';
import { SYSTEM_CLASSES } from '../decide/priority.ts';
import { type AnyObject, forbidden, isFinished, type PlanContext, require, type Step } from './plan.ts';

/** Namespaces that are there from the first start and for ever. */
export const LASTING_NAMESPACES: readonly string[] = [
  'default',
  'kube-system',
  'kube-public',
  'kube-node-lease',
];

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';
const DEFAULT_GRACE_SECONDS = 30;

/**
 * Plans a deletion: gone at once, or marked and kept for a pod's grace, for finalizers, or for the content of a namespace.
 * A second deletion may only shorten the grace. Throws ApiError: NotFound, Conflict (precondition), Forbidden.
 */
export function planDelete(
  context: PlanContext,
  spec: KindSpec,
  namespace: string,
  name: string,
  options: DeleteOptions,
): Step {
  const current = require(context, spec, namespace, name);
  requirePreconditions(spec, current, options);
  if (idOf(spec) === 'Namespace' && LASTING_NAMESPACES.includes(name))
    throw forbidden(spec, name, 'this namespace may not be deleted');
  if (idOf(spec) === 'PriorityClass' && SYSTEM_CLASSES.some((c) => c.name === name))
    throw forbidden(spec, name, 'this is a system priority class and cannot be deleted');
  // What stays is the present object's own, and shared with it.
  const next: AnyObject = { ...current, metadata: { ...current.metadata } };
  applyPropagation(next, options.propagation);
  mark(next, graceSeconds(spec, next, options), context.nowMs());
  if (idOf(spec) === 'Namespace') next.status = { ...next.status, phase: 'Terminating' };
  if (isFinished(spec, next)) return { type: 'deleted', spec, object: next, previous: current };
  const changed = !isDeepStrictEqual(next, current);
  return changed
    ? { type: 'modified', spec, object: next, previous: current }
    : { type: 'none', spec, object: current };
}

function requirePreconditions(spec: KindSpec, current: KubeObject, options: DeleteOptions): void {
  const { name, uid, resourceVersion } = current.metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    const why = `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`;
    throw conflict(spec, name, why);
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`;
    throw conflict(spec, name, why);
  }
}

/** Foreground and orphan are finalizers that the garbage controller acts on; without a wish, what is there stays. */
function applyPropagation(object: KubeObject, propagation: DeleteOptions['propagation']): void {
  if (propagation === undefined) return;
  const kept = (object.metadata.finalizers ?? []).filter((f) => f !== FOREGROUND && f !== ORPHAN);
  if (propagation === 'Foreground') kept.push(FOREGROUND);
  if (propagation === 'Orphan') kept.push(ORPHAN);
  if (kept.length > 0) object.metadata.finalizers = kept;
  else delete object.metadata.finalizers;
}

/** Seconds that a device gets to stop a pod; 0 for all else, for a pod that no device holds and for one that has ended. */
function graceSeconds(spec: KindSpec, object: AnyObject, options: DeleteOptions): number {
  if (idOf(spec) !== 'Pod') return 0;
  if (object.metadata.deletionTimestamp !== undefined)
    return options.gracePeriodSeconds ?? object.metadata.deletionGracePeriodSeconds ?? 0;
  const phase = object.status?.['phase'];
  if (!object.spec?.['nodeName'] || phase === 'Succeeded' || phase === 'Failed') return 0;
  const own = object.spec?.['terminationGracePeriodSeconds'];
  const seconds = options.gracePeriodSeconds ?? (typeof own === 'number' ? own : DEFAULT_GRACE_SECONDS);
  // As in Kubernetes: a negative grace means the shortest there is.
  return seconds < 0 ? 1 : seconds;
}

function mark(object: KubeObject, grace: number, nowMs: number): void {
  const meta = object.metadata;
  const before = meta.deletionGracePeriodSeconds ?? 0;
  if (meta.deletionTimestamp === undefined) {
    meta.deletionTimestamp = toTime(nowMs + grace * 1000);
    meta.deletionGracePeriodSeconds = grace;
    if ((meta.generation ?? 0) > 0) meta.generation = (meta.generation ?? 0) + 1;
  } else if (grace < before) {
    const shortened = Math.max(0, grace);
    meta.deletionTimestamp = toTime(Date.parse(meta.deletionTimestamp) - (before - shortened) * 1000);
    meta.deletionGracePeriodSeconds = shortened;
  }
}
