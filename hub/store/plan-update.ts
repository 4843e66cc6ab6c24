import { toTime } from '../../kit/clock.ts';
import { apiVersionOf, type FieldError, idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { Condition, KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError, conflict, invalid } from '../../protocol/status.ts';
import { ephemeralErrors } from './ephemeral.ts';
import { trackFields } from './field-tracking.ts';
import { cloneJson } from './json.ts';
import {
  type AnyObject,
  forbidden,
  type PlanContext,
  require,
  requireCurrent,
  type Step,
  settle,
  type Writer,
} from './plan.ts';
import { type ObjectInput, planCreate } from './plan-create.ts';

/**
 * Plans the replacement of everything but status. An empty resourceVersion or uid means any. Throws ApiError: NotFound,
 * Conflict, Invalid, Forbidden by admission. `finalize` lets `spec.finalizers` of a namespace change, which otherwise stay.
 */
export function planUpdate(
  context: PlanContext,
  spec: KindSpec,
  input: ObjectInput,
  finalize = false,
  writer?: Writer,
): Step {
  const { name = '', namespace = '' } = input.metadata;
  const known = context.newest(idOf(spec), spec.namespaced ? namespace : '', name);
  if (known === undefined && spec.createOnUpdate === true && !input.metadata.resourceVersion)
    return planCreate(context, spec, input, writer);
  const current: AnyObject = require(context, spec, namespace, name);
  requireCurrent(spec, current, input.metadata);
  const next = replaced(spec, input, current);
  if (idOf(spec) === 'Namespace' && !finalize) keep(next, 'spec', current.spec);
  if (spec.hasStatus) keep(next, 'status', current.status);
  spec.prepareUpdate?.(next, current);
  spec.setDefaults(next);
  refuse(spec, name, [
    ...spec.validate(next),
    ...spec.validateUpdate(next, current),
    ...ephemeralErrors(spec, next, current, writer),
  ]);
  refuse(spec, name, context.assign(spec, next));
  const why = context.approve(spec, next, current);
  if (why !== undefined) throw forbidden(spec, name, why);
  trackFields(context, spec, current, next, writer);
  return settle(spec, next, current);
}

function replaced(spec: KindSpec, input: ObjectInput, current: KubeObject): AnyObject {
  const draft = cloneJson(input);
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = current.metadata;
  const metadata = {
    ...draft.metadata,
    name: current.metadata.name,
    uid: current.metadata.uid,
    resourceVersion: current.metadata.resourceVersion,
    creationTimestamp: current.metadata.creationTimestamp,
  };
  if (!spec.namespaced) delete metadata.namespace;
  keep(metadata, 'deletionTimestamp', deletionTimestamp);
  keep(metadata, 'deletionGracePeriodSeconds', deletionGracePeriodSeconds);
  keep(metadata, 'generation', generation);
  return { ...draft, apiVersion: apiVersionOf(spec), kind: spec.kind, metadata };
}

/** Sets a member to the former value, or takes it away when there was none. */
function keep<K extends string, V>(target: { [P in K]?: V }, key: K, value: V | undefined): void {
  if (value === undefined) delete target[key];
  else target[key] = value;
}

function refuse(spec: KindSpec, name: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(spec, name, errors);
}

/** Plans the replacement of status alone. Throws ApiError: NotFound, Conflict, Invalid. */
export function planStatusUpdate(
  context: PlanContext,
  spec: KindSpec,
  input: ObjectInput,
  writer?: Writer,
): Step {
  if (!spec.hasStatus) throw new ApiError('NotFound', 'the server could not find the requested resource');
  const { name = '', namespace = '' } = input.metadata;
  const current: AnyObject = require(context, spec, namespace, name);
  requireCurrent(spec, current, input.metadata);
  // Everything but status is the present object's own, and shared with it.
  const next: AnyObject = { ...current, metadata: { ...current.metadata } };
  const { status } = input as { status?: Record<string, unknown> };
  keep(next, 'status', status === undefined ? undefined : cloneJson(status));
  refuse(spec, name, spec.validateStatusUpdate?.(next, current) ?? []);
  if (writer === 'given') keep(next.metadata, 'managedFields', input.metadata.managedFields);
  trackFields(context, spec, current, next, writer);
  return settle(spec, next, current);
}

/** Plans the binding of a pod: once, and only of this incarnation. Throws ApiError: NotFound, Conflict. */
export function planBind(
  context: PlanContext,
  spec: KindSpec,
  pod: { namespace: string; name: string; uid: string },
  nodeName: string,
): Step {
  const current: AnyObject = require(context, spec, pod.namespace, pod.name);
  requireCurrent(spec, current, { uid: pod.uid });
  if (current.metadata.deletionTimestamp !== undefined)
    throw conflict(spec, pod.name, `pod ${pod.name} is being deleted, cannot be assigned to a host`);
  const bound = current.spec?.['nodeName'];
  if (typeof bound === 'string' && bound !== '')
    throw conflict(spec, pod.name, `pod ${pod.name} is already assigned to node "${bound}"`);
  const next: AnyObject = { ...current, metadata: { ...current.metadata } };
  next.spec = { ...current.spec, nodeName };
  next.status = { ...current.status, conditions: scheduled(current, toTime(context.nowMs())) };
  return settle(spec, next, current);
}

function scheduled(pod: AnyObject, now: string): Condition[] {
  const before: unknown = pod.status?.['conditions'];
  const others = (Array.isArray(before) ? (before as Condition[]) : []).filter(
    (c) => c.type !== 'PodScheduled',
  );
  return [...others, { type: 'PodScheduled', status: 'True', lastTransitionTime: now }];
}
