import { toTime } from '../../kit/clock.ts';
import { apiVersionOf, idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { ObjectMeta } from '../../protocol/kinds/meta.ts';
import { ApiError, alreadyExists, invalid } from '../../protocol/status.ts';
import { ephemeralErrors } from './ephemeral.ts';
import { trackFields } from './field-tracking.ts';
import { generatedName } from './ids.ts';
import { cloneJson } from './json.ts';
import {
  type AnyObject,
  forbidden,
  type PlanContext,
  requireOpenNamespace,
  type Step,
  type Writer,
} from './plan.ts';

/** An object as a caller hands it in: what the server sets may be missing. */
export interface ObjectInput {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Partial<ObjectMeta>;
}

const NAME_TRIES = 8;

/**
 * Plans a creation. Throws ApiError: NotFound or Forbidden for its namespace, Forbidden by admission, Invalid, AlreadyExists, BadRequest when it carries
 * a resourceVersion. Whatever only the server may set is set anew.
 */
export function planCreate(context: PlanContext, spec: KindSpec, input: ObjectInput, writer?: Writer): Step {
  if (input.metadata.resourceVersion)
    throw new ApiError('BadRequest', 'resourceVersion should not be set on objects to be created');
  const object = prepared(context, spec, input);
  const { name, namespace = '' } = object.metadata;
  if (spec.namespaced && namespace !== '') requireOpenNamespace(context, spec, namespace, name);
  spec.prepareCreate?.(object);
  spec.setDefaults(object);
  // Before admission, as in Kubernetes: what the hub adds is nobody's, or an apply by the same manager would take it away again.
  trackFields(context, spec, undefined, object, writer);
  spec.completeCreate?.(object);
  // As in Kubernetes, where names are made after this step. Those who try again and again say the same each time.
  refuseFor(spec, input.metadata.name || input.metadata.generateName || name, context.admit(spec, object));
  const errors = [
    ...spec.validate(object),
    ...(spec.validateCreate?.(object) ?? []),
    ...ephemeralErrors(spec, object, undefined, writer),
  ];
  if (errors.length > 0) throw invalid(spec, name, errors);
  if (context.newest(idOf(spec), namespace, name) !== undefined) throw alreadyExists(spec, name);
  const unassigned = context.assign(spec, object);
  if (unassigned.length > 0) throw invalid(spec, name, unassigned);
  refuseFor(spec, name, context.approve(spec, object));
  return { type: 'added', spec, object };
}

function refuseFor(spec: KindSpec, name: string, why: string | undefined): void {
  if (why !== undefined) throw forbidden(spec, name, why);
}

function prepared(context: PlanContext, spec: KindSpec, input: ObjectInput): AnyObject {
  const draft = cloneJson(input);
  const given = draft.metadata;
  delete given.deletionTimestamp;
  delete given.deletionGracePeriodSeconds;
  delete given.resourceVersion;
  if (!spec.namespaced) delete given.namespace;
  const metadata: ObjectMeta = {
    ...given,
    name: given.name || freeName(context, spec, given),
    uid: context.ids.uid(),
    resourceVersion: '',
    creationTimestamp: toTime(context.nowMs()),
    ...(spec.hasGeneration ? { generation: 1 } : {}),
  };
  return { ...draft, apiVersion: apiVersionOf(spec), kind: spec.kind, metadata };
}

/** Empty without a generateName: validation then says that a name is required. */
function freeName(context: PlanContext, spec: KindSpec, given: Partial<ObjectMeta>): string {
  const base = given.generateName;
  if (!base) return '';
  let name = '';
  for (let tries = 0; tries < NAME_TRIES; tries += 1) {
    name = generatedName(base, context.ids);
    if (context.newest(idOf(spec), given.namespace ?? '', name) === undefined) break;
  }
  return name;
}
