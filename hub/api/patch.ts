import { isRecord } from '../../protocol/json.ts';
import { apiVersionOf, idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { applyMergePatch } from '../../protocol/patch/merge-patch.ts';
import { applyStrategicMerge } from '../../protocol/patch/strategic-merge.ts';
import { schemaOf } from '../../protocol/schema/builtin.ts';
import { ApiError, conflict, invalid } from '../../protocol/status.ts';
import { APPLY_TYPE } from './apply.ts';
import { mediaTypeOf, parseText, readBody } from './body.ts';
import { type ApiContext, existing, type Target } from './context.ts';
import { checkFields } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { CodecPort } from './ports.ts';
import { patchQuery } from './query.ts';
import { shown } from './read.ts';
import { warnOfChange } from './warnings.ts';
import type { Part } from './write.ts';
import { writerOf } from './writer.ts';

/** What makes the next state out of the newest one; throws ApiError when it does not fit. */
export type Patch = (current: unknown) => unknown;

const TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

/** Reads a patch body of any supported type. Throws UnsupportedMediaType or BadRequest. */
export async function readPatch(
  exchange: Exchange,
  spec: KindSpec | undefined,
  codec: CodecPort,
): Promise<Patch> {
  const type = mediaTypeOf(exchange.request);
  if (!TYPES.includes(type)) throw unsupported([...TYPES, APPLY_TYPE]);
  const value = parseText((await readBody(exchange.request)).toString('utf8'), 'json');
  if (type === TYPES[0]) return (current) => jsonPatched(codec, current, value);
  if (!isRecord(value)) throw new ApiError('BadRequest', 'a merge patch is an object');
  const types = spec === undefined ? undefined : schemaOf(apiVersionOf(spec), spec.kind);
  if (type === TYPES[1]) return (current) => applyMergePatch(current, value);
  if (types === undefined) {
    if (spec !== undefined) throw unsupported([...TYPES.slice(0, 2), APPLY_TYPE]);
    // Without lists in the object, a strategic merge is a plain merge.
    return (current) => applyMergePatch(current, value);
  }
  return (current) => {
    const patched = applyStrategicMerge(types, current, value);
    if (patched.ok) return patched.value;
    throw new ApiError('BadRequest', patched.why);
  };
}

function jsonPatched(codec: CodecPort, current: unknown, patch: unknown): unknown {
  const patched = codec.applyJsonPatch(current, patch);
  if (patched.ok) return patched.value;
  if (patched.reason === 'malformed') throw new ApiError('BadRequest', patched.why);
  // Kubernetes' own words for a patch that does not fit, a failed `test` above all.
  throw new ApiError('Invalid', 'the server rejected our request due to an error in our request', {});
}

function unsupported(types: readonly string[]): ApiError {
  return new ApiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`,
  );
}

/** A patch of a subresource that is a part of the spec. */
export interface NarrowPatch {
  readonly subresource: string;
  /** The state that counts of what the patch made of the present one. */
  readonly narrow: (patched: KubeObject, current: KubeObject) => KubeObject;
}

/** Answers a PATCH of an object, of its status, or of another part of it. */
export async function patch(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  part: Part,
  only?: NarrowPatch,
): Promise<Answer> {
  const options = patchQuery(exchange.query);
  const before = existing(context, target);
  const apply = await readPatch(exchange, target.spec, context.codec);
  const next = (current: KubeObject): KubeObject => {
    const patched = apply(current);
    if (!isRecord(patched) || !isRecord(patched['metadata']))
      throw unusable('the patched object has no metadata');
    exchange.warnings.length = 0; // a retry would say everything twice
    const body = { value: patched, duplicates: [] };
    const fields = checkFields(exchange, target.spec, body, options.fieldValidation);
    if (!fields.ok) throw unusable(fields.why);
    const next = checked(target, current, fields.value as unknown as KubeObject);
    return only === undefined ? next : only.narrow(next, current);
  };
  const { spec, namespace, name } = target;
  const subresource = only?.subresource ?? (part === 'status' ? part : '');
  const writer = writerOf(exchange, options.fieldManager, subresource);
  const { dryRun } = options;
  const updated = await context.store.modifyObject(idOf(spec), namespace, name, next, {
    part,
    dryRun,
    writer,
  });
  warnOfChange(context, exchange, spec, before, updated);
  return { object: shown(context, exchange, target, updated) };
}

function unusable(why: string): ApiError {
  return invalid({ kind: '', group: '', plural: '' }, '', [
    { reason: 'FieldValueInvalid', field: 'patch', message: `Invalid value: ${why}` },
  ]);
}

/** A patch may not turn an object into another one. */
function checked(target: Target, current: KubeObject, patched: KubeObject): KubeObject {
  const { spec, name } = target;
  const before = current.metadata;
  const after = patched.metadata;
  if (patched.kind !== current.kind || patched.apiVersion !== current.apiVersion)
    throw new ApiError('BadRequest', 'a patch cannot change kind or apiVersion');
  if (after.name !== before.name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${after.name}) does not match the name on the URL (${name})`,
    );
  if ((after.namespace ?? '') !== (before.namespace ?? ''))
    throw new ApiError(
      'BadRequest',
      'the namespace of the object does not match the namespace on the request',
    );
  if (after.uid !== before.uid)
    throw conflict(
      spec,
      name,
      `Precondition failed: UID in precondition: ${after.uid}, UID in object meta: ${before.uid}`,
    );
  if (after.resourceVersion !== undefined && after.resourceVersion !== before.resourceVersion)
    throw conflict(spec, name);
  return patched;
}
