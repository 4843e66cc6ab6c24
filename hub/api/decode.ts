import { isRecord } from '../../protocol/json.ts';
import { apiVersionOf, type DecodedFields, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { schemaOf } from '../../protocol/schema/builtin.ts';
import { checkFields as findFieldErrors } from '../../protocol/schema/check.ts';
import { duplicateFields } from '../../protocol/schema/duplicates.ts';
import { pruneFields } from '../../protocol/schema/prune.ts';
import { ApiError } from '../../protocol/status.ts';
import { mediaTypeOf, parseText, readBody } from './body.ts';
import type { ApiContext } from './context.ts';
import type { Exchange } from './exchange.ts';
import type { CodecPort } from './ports.ts';
import type { WriteQuery } from './query.ts';

/** A body as JSON values, whatever it came as. */
export interface DecodedBody {
  readonly value: Record<string, unknown>;
  /** Keys given twice; protobuf has none. */
  readonly duplicates: readonly string[];
}

const FORMATS = new Map<string, 'json' | 'yaml' | 'protobuf'>([
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/vnd.kubernetes.protobuf', 'protobuf'],
]);

/** Formats of kinds that have no protobuf messages. */
const TEXT_FORMATS = new Map([...FORMATS].filter(([, format]) => format !== 'protobuf'));

/** Reads and decodes a body; undefined when it is empty. Throws UnsupportedMediaType or BadRequest. */
export async function readValue(
  exchange: Exchange,
  codec: CodecPort,
  formats: typeof FORMATS = FORMATS,
): Promise<DecodedBody | undefined> {
  const type = mediaTypeOf(exchange.request);
  const format = formats.get(type);
  if (format === undefined) {
    const known = [...formats.keys()].join(', ');
    throw new ApiError(
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${known}`,
    );
  }
  const bytes = await readBody(exchange.request);
  if (bytes.length === 0) return undefined;
  if (format === 'protobuf') return { value: protobufObject(codec, bytes), duplicates: [] };
  const text = bytes.toString('utf8');
  const value = parseText(text, format);
  if (!isRecord(value)) throw new ApiError('BadRequest', 'the request body is not an object');
  return { value, duplicates: format === 'json' ? duplicateFields(text) : [] };
}

function protobufObject(codec: CodecPort, bytes: Buffer): Record<string, unknown> {
  try {
    return codec.decodeProtobuf(bytes).object;
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new ApiError('BadRequest', cause.message, undefined, { cause });
  }
}

/**
 * Reads the object of a create or update: the right kind, known fields only, in the path's namespace. What the
 * validation mode lets pass becomes a warning. Throws BadRequest.
 */
export async function readObject(
  context: ApiContext,
  exchange: Exchange,
  spec: KindSpec,
  namespace: string,
  mode: WriteQuery['fieldValidation'],
): Promise<KubeObject> {
  const body = await readValue(exchange, context.codec, isOnlyText(spec) ? TEXT_FORMATS : FORMATS);
  if (body === undefined) throw new ApiError('BadRequest', 'the request body is empty');
  checkKind(spec, body.value);
  const fields = checkFields(exchange, spec, body, mode);
  if (fields.ok) return inNamespace(spec, fields.value, namespace);
  throw new ApiError(
    'BadRequest',
    `${spec.kind} in version "${spec.version}" cannot be handled as a ${spec.kind}: ${fields.why}`,
  );
}

/**
 * Custom resources have no protobuf form anywhere. Definitions have one in Kubernetes, which no client uses unless told to: kubectl, Helm
 * and Go's clients send them as JSON, and a 415 says more than a schema that was read wrongly.
 */
function isOnlyText(spec: KindSpec): boolean {
  return spec.openApi !== undefined || spec.group === 'apiextensions.k8s.io';
}

function checkKind(spec: KindSpec, value: Record<string, unknown>): void {
  const { kind, apiVersion } = value;
  const expected = apiVersionOf(spec);
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== expected)
    throw new ApiError(
      'BadRequest',
      `the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected})`,
    );
  if (kind !== undefined && kind !== '' && kind !== spec.kind)
    throw new ApiError(
      'BadRequest',
      `${String(kind)} in version "${spec.version}" cannot be handled as a ${spec.kind}`,
    );
  value['kind'] = spec.kind;
  value['apiVersion'] = expected;
}

/** The value with known fields only, or why it is refused. */
export type CheckedFields =
  | { readonly ok: true; readonly value: Record<string, unknown> }
  | { readonly ok: false; readonly why: string };

/** Compares a body with its kind's schema; what `mode` lets pass becomes warnings and is dropped. */
export function checkFields(
  exchange: Exchange,
  spec: KindSpec,
  body: DecodedBody,
  mode: WriteQuery['fieldValidation'],
): CheckedFields {
  const found = spec.decode?.(body.value) ?? decodeBuiltin(spec, body.value);
  const { unknown, typeErrors, value } = found;
  if (typeErrors.length > 0) return { ok: false, why: typeErrors.join(', ') };
  const strict = [...unknown, ...body.duplicates];
  if (strict.length > 0 && mode === 'Strict')
    return { ok: false, why: `strict decoding error: ${strict.join(', ')}` };
  if (mode === 'Warn') exchange.warnings.push(...strict);
  return { ok: true, value };
}

function decodeBuiltin(spec: KindSpec, value: Record<string, unknown>): DecodedFields {
  const schema = schemaOf(apiVersionOf(spec), spec.kind);
  if (schema === undefined) return { unknown: [], typeErrors: [], value };
  const pruned = pruneFields(schema, value);
  return { ...findFieldErrors(schema, value), value: isRecord(pruned) ? pruned : {} };
}

function inNamespace(spec: KindSpec, value: Record<string, unknown>, namespace: string): KubeObject {
  const metadata = isRecord(value['metadata']) ? { ...value['metadata'] } : {};
  const own = metadata['namespace'];
  if (!spec.namespaced) delete metadata['namespace'];
  else if (own === undefined || own === '') metadata['namespace'] = namespace;
  else if (own !== namespace)
    throw new ApiError(
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  // The store fills in and validates what the type promises beyond this.
  return { ...value, metadata } as unknown as KubeObject;
}
