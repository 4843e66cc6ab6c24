import { schemaOf } from '../../protocol/schema/builtin.ts';
import type { Field, FieldType, ScalarName, StructType, TypeSource } from '../../protocol/schema/types.ts';
import { bytesOf, intOf, ProtobufError, readFields, textOf, type WireField } from './reader.ts';

/** A request body as it would have come in JSON. */
export interface DecodedBody {
  readonly apiVersion: string;
  readonly kind: string;
  /** With `apiVersion` and `kind`. */
  readonly object: Record<string, unknown>;
}

/** "k8s" and a zero byte stand before every message. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const MAX_DEPTH = 64;
/** Kubernetes' own limit of a request body. */
const MAX_BYTES = 3 * 1024 * 1024;

/**
 * Decodes a body of type application/vnd.kubernetes.protobuf to the object its JSON form would give. Unknown field
 * numbers are skipped. Throws only ProtobufError, for any bytes.
 */
export function decodeProtobuf(bytes: Uint8Array): DecodedBody {
  if (bytes.length > MAX_BYTES)
    throw new ProtobufError('too-large', `the body has ${bytes.length} bytes, more than ${MAX_BYTES}`);
  if (!MAGIC.every((byte, i) => bytes[i] === byte))
    throw new ProtobufError('malformed', 'the body does not begin with the Kubernetes protobuf prefix');
  const { apiVersion, kind, raw } = readEnvelope(bytes.subarray(MAGIC.length));
  // The table tells JSON schemas by their JSON form, which differs from their messages.
  const schema = apiVersion.startsWith('apiextensions.k8s.io/') ? undefined : schemaOf(apiVersion, kind);
  if (schema === undefined)
    throw new ProtobufError('unknown-kind', `no kind "${kind}" is registered for version "${apiVersion}"`);
  const object = readStruct(schema.types, schema.root, raw, 0);
  return { apiVersion, kind, object: { apiVersion, kind, ...object } };
}

interface Envelope {
  apiVersion: string;
  kind: string;
  raw: Uint8Array;
}

function readEnvelope(bytes: Uint8Array): Envelope {
  const envelope: Envelope = { apiVersion: '', kind: '', raw: new Uint8Array() };
  for (const field of readFields(bytes)) {
    if (field.number === 1)
      for (const inner of readFields(bytesOf(field))) {
        if (inner.number === 1) envelope.apiVersion = textOf(inner);
        if (inner.number === 2) envelope.kind = textOf(inner);
      }
    if (field.number === 2) envelope.raw = bytesOf(field);
    if (field.number === 3 && bytesOf(field).length > 0)
      throw new ProtobufError('malformed', `content encoding ${textOf(field)} is not supported`);
  }
  return envelope;
}

type Out = Record<string, unknown>;

function readStruct(types: TypeSource, type: StructType, bytes: Uint8Array, depth: number): Out {
  if (depth > MAX_DEPTH) throw new ProtobufError('too-deep', 'the message is nested too deeply');
  const out: Out = {};
  const maps = new Map<string, [string, unknown][]>();
  for (const wire of readFields(bytes)) {
    const field = type.numbers.get(wire.number);
    if (field === undefined) continue;
    if (field.inline) Object.assign(out, readType(types, field.type, wire, depth));
    else if (field.type.is === 'map') {
      const entries = maps.get(field.name) ?? [];
      entries.push(readEntry(types, field.type.of, bytesOf(wire), depth));
      maps.set(field.name, entries);
    } else readInto(types, out, field, wire, depth);
  }
  // fromEntries makes a key such as __proto__ a plain key.
  for (const [name, entries] of maps) out[name] = Object.fromEntries(entries);
  return out;
}

function readInto(types: TypeSource, out: Out, field: Field, wire: WireField, depth: number): void {
  const { type, name } = field;
  if (type.is === 'list') {
    out[name] ??= [];
    const list = out[name] as unknown[];
    for (const item of unpacked(type.of, wire)) list.push(readType(types, type.of, item, depth) ?? {});
    return;
  }
  const value = readType(types, type, wire, depth);
  if (isUnset(field, value)) delete out[name];
  else out[name] = value;
}

/** Numbers may come several in one field, as newer encoders write them. */
function* unpacked(type: FieldType, wire: WireField): Generator<WireField> {
  const isNumber = type.is === 'scalar' && (type.name === 'int32' || type.name === 'int64');
  if (!isNumber || typeof wire.value === 'bigint') return yield wire;
  let rest = wire.value;
  while (rest.length > 0) {
    const end = rest.findIndex((byte) => byte < 0x80) + 1;
    if (end === 0 || end > 10) throw new ProtobufError('malformed', 'the message ends within a number');
    // A tag of field 1, varint, makes the number a message that the field reader understands.
    yield* readFields(Uint8Array.of(0x08, ...rest.subarray(0, end)));
    rest = rest.subarray(end);
  }
}

/** Go's encoder writes empty values too: without a pointer they mean that the field was not given. */
function isUnset(field: Field, value: unknown): boolean {
  if (value === undefined) return true;
  if (field.pointer) return false;
  return field.omitEmpty && (value === '' || value === 0 || value === false);
}

function readEntry(types: TypeSource, type: FieldType, bytes: Uint8Array, depth: number): [string, unknown] {
  let key = '';
  let value: unknown;
  for (const wire of readFields(bytes)) {
    if (wire.number === 1) key = textOf(wire);
    if (wire.number === 2) value = readType(types, type, wire, depth);
  }
  return [key, value ?? emptyEntry(type)];
}

const emptyEntry = (type: FieldType): unknown =>
  type.is === 'scalar' ? (type.name === 'Quantity' ? '0' : '') : type.is === 'struct' ? {} : [];

function readType(types: TypeSource, type: FieldType, wire: WireField, depth: number): unknown {
  switch (type.is) {
    case 'scalar':
      return SCALARS[type.name](wire);
    case 'struct': {
      const struct = types(type.name);
      return struct === undefined ? {} : readStruct(types, struct, bytesOf(wire), depth + 1);
    }
    case 'wrapped':
      return [...readFields(bytesOf(wire))].flatMap((item) =>
        item.number === 1 ? [readType(types, type.of, item, depth)] : [],
      );
    default:
      throw new ProtobufError('malformed', `field ${wire.number} has a shape that protobuf cannot hold`);
  }
}

const SCALARS: Readonly<Record<ScalarName, (wire: WireField) => unknown>> = {
  string: textOf,
  bool: (wire) => intOf(wire, 64) !== 0,
  int32: (wire) => intOf(wire, 32),
  int64: (wire) => intOf(wire, 64),
  double: readDouble,
  bytes: (wire) => Buffer.from(bytesOf(wire)).toString('base64'),
  Quantity: (wire) => innerText(wire) || '0',
  IntOrString: readIntOrString,
  Time: (wire) => readTime(wire, false),
  MicroTime: (wire) => readTime(wire, true),
  FieldsV1: readRawJson,
  RawExtension: readRawJson,
};

/** The message's field 1 as a text. */
function innerText(wire: WireField): string {
  let text = '';
  for (const inner of readFields(bytesOf(wire))) if (inner.number === 1) text = textOf(inner);
  return text;
}

function readDouble({ wire, value, number }: WireField): number {
  if (wire !== 1 || typeof value !== 'bigint')
    throw new ProtobufError('malformed', `field ${number} is not a floating-point number`);
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, value);
  return view.getFloat64(0);
}

function readIntOrString(wire: WireField): number | string {
  let isText = false;
  let int = 0;
  let text = '';
  for (const inner of readFields(bytesOf(wire))) {
    if (inner.number === 1) isText = intOf(inner, 64) === 1;
    if (inner.number === 2) int = intOf(inner, 32);
    if (inner.number === 3) text = textOf(inner);
  }
  return isText ? text : int;
}

/** RFC 3339 in seconds, or with six decimals; undefined for Go's zero time, which is an empty message. */
function readTime(wire: WireField, micro: boolean): string | undefined {
  let seconds: number | undefined;
  let nanos = 0;
  for (const inner of readFields(bytesOf(wire))) {
    if (inner.number === 1) seconds = intOf(inner, 64);
    if (inner.number === 2) nanos = intOf(inner, 32);
  }
  if (seconds === undefined) return undefined;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw new ProtobufError('malformed', `${seconds} is no time`);
  const text = date.toISOString().replace(/\.\d+Z$/, '');
  const micros = Math.min(999_999, Math.max(0, Math.floor(nanos / 1000)));
  return micro ? `${text}.${String(micros).padStart(6, '0')}Z` : `${text}Z`;
}

function readRawJson(wire: WireField): unknown {
  const text = innerText(wire);
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ProtobufError('malformed', `field ${wire.number} holds no JSON: ${String(cause)}`);
  }
}
