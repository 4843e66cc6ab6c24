import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Namespace } from '../../protocol/kinds/core.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError, notFound } from '../../protocol/status.ts';
import type { ApiContext, Target } from './context.ts';
import { readObject } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import { writeQuery } from './query.ts';
import { shown } from './read.ts';

/** How often an unconditional write is tried again when others write the same object. */
export const WRITE_TRIES = 8;

/** Which part of an object a write replaces. */
export type Part = 'main' | 'status';

/** Answers a POST to a collection. */
export async function create(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const options = writeQuery(exchange.query, 'CreateOptions');
  const { spec, namespace } = target;
  const object = await readObject(context, exchange, spec, namespace, options.fieldValidation);
  const created = await createObject(context, target, object, options.dryRun);
  return { object: shown(context, exchange, target, created), code: 201 };
}

function createObject(
  context: ApiContext,
  target: Target,
  object: KubeObject,
  dryRun: boolean,
): Promise<KubeObject> {
  if (object.metadata.resourceVersion !== undefined && object.metadata.resourceVersion !== '')
    throw new ApiError('BadRequest', 'resourceVersion should not be set on objects to be created');
  const admitted = admit(context, target, object);
  return context.store.createObject(target.spec.kind, admitted, { dryRun });
}

function admit(context: ApiContext, target: Target, object: KubeObject): KubeObject {
  if (target.spec.kind !== 'Pod' || context.admitPod === undefined) return object;
  // A pod without a proper spec is the validation's to refuse.
  const pod = object as Pod;
  if (typeof pod.spec !== 'object' || pod.spec === null) return object;
  const namespace = context.store.getObject('Namespace', '', target.namespace);
  return context.admitPod(pod, namespace as Namespace | undefined);
}

/** Answers a PUT of an object or of its status. */
export async function update(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  part: Part,
): Promise<Answer> {
  const options = writeQuery(exchange.query, 'UpdateOptions');
  const { spec, namespace, name } = target;
  const object = await readObject(context, exchange, spec, namespace, options.fieldValidation);
  const own = object.metadata.name;
  if (own === undefined || own === '') throw new ApiError('BadRequest', 'name must be provided');
  if (own !== name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${own}) does not match the name on the URL (${name})`,
    );
  const absent = context.store.getObject(spec.kind, namespace, name) === undefined;
  if (absent && spec.createOnUpdate === true && part === 'main') {
    const created = await createObject(context, target, object, options.dryRun);
    return { object: shown(context, exchange, target, created), code: 201 };
  }
  const updated = await replace(context, target, part, options.dryRun, () => object);
  return { object: shown(context, exchange, target, updated) };
}

/**
 * Writes what `next` makes of the newest state. When `next` leaves the resourceVersion out or as it was, a write that
 * lost a race is tried again on the newer state; one that names its own version fails with Conflict.
 */
export async function replace(
  context: ApiContext,
  target: Target,
  part: Part,
  dryRun: boolean,
  next: (current: KubeObject) => KubeObject,
): Promise<KubeObject> {
  const { spec, namespace, name } = target;
  const { store } = context;
  for (let tries = 1; ; tries++) {
    const current = store.getObject(spec.kind, namespace, name);
    if (current === undefined) throw notFound(spec, name);
    const draft = next(current);
    const asked = draft.metadata.resourceVersion;
    const unconditional =
      asked === undefined || asked === '' || asked === current.metadata.resourceVersion;
    const { resourceVersion } = unconditional ? current.metadata : draft.metadata;
    const object = { ...draft, metadata: { ...draft.metadata, resourceVersion } };
    try {
      return part === 'status'
        ? await store.updateStatusObject(spec.kind, object, { dryRun })
        : await store.updateObject(spec.kind, object, { dryRun });
    } catch (error) {
      const lost = error instanceof ApiError && error.reason === 'Conflict';
      if (!lost || !unconditional || tries >= WRITE_TRIES) throw error;
    }
  }
}
