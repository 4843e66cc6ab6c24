import { isRecord } from '../json.ts';
import { parseQuantity, QUANTITY_ERROR } from '../quantity.ts';
import {
  type FieldType,
  packageOf,
  type ScalarName,
  type Schema,
  type StructType,
  shortNameOf,
  type TypeSource,
} from './types.ts';

/** What strict decoding found, in the order of the object. */
export interface FieldFindings {
  /** `unknown field "spec.replicaz"`, one per field. */
  readonly unknown: string[];
  /** Go's decoding errors; an object with any cannot be used in any mode. */
  readonly typeErrors: string[];
}

/** Most findings of each sort that are collected; a hostile object must not make a huge answer. */
const MAX_FINDINGS = 50;

interface Walk extends FieldFindings {
  readonly types: TypeSource;
}

/** Where the walk is: the path people read, and what Go names in its errors. */
interface Place {
  /** `spec.containers[0].image`. */
  readonly path: string;
  /** The struct that holds the field, without its package. */
  readonly struct: string;
  /** Field names from the root, without indices and map keys. */
  readonly stack: string;
}

/** Compares a decoded JSON object with its schema. Pure; never throws; null counts as absent. */
export function checkFields(schema: Schema, object: unknown): FieldFindings {
  const walk: Walk = { unknown: [], typeErrors: [], types: schema.types };
  checkStruct(walk, schema.root, object, { path: '', struct: '', stack: '' });
  return {
    unknown: walk.unknown.slice(0, MAX_FINDINGS),
    typeErrors: walk.typeErrors.slice(0, MAX_FINDINGS),
  };
}

function checkStruct(walk: Walk, type: StructType, value: unknown, place: Place): void {
  if (!isRecord(value)) {
    mismatch(walk, value, goStruct(type.name), place);
    return;
  }
  const struct = shortNameOf(type.name);
  for (const [name, entry] of Object.entries(value)) {
    const field = type.fields.get(name);
    const inner: Place = { path: join(place.path, name), struct, stack: join(place.stack, name) };
    if (field !== undefined) checkValue(walk, field.type, entry, inner);
    else if (type.hasTypeMeta && (name === 'apiVersion' || name === 'kind'))
      checkValue(walk, { is: 'scalar', name: 'string' }, entry, inner);
    else if (walk.unknown.length < MAX_FINDINGS) walk.unknown.push(`unknown field "${inner.path}"`);
  }
}

function checkValue(walk: Walk, type: FieldType, value: unknown, place: Place): void {
  if (value === null || value === undefined || walk.typeErrors.length >= MAX_FINDINGS) return;
  if (type.is === 'scalar') checkScalar(walk, type.name, value, place);
  else if (type.is === 'struct') {
    const struct = walk.types(type.name);
    if (struct !== undefined) checkStruct(walk, struct, value, place);
  } else if (type.is === 'map') checkMap(walk, type, value, place);
  else if (!Array.isArray(value)) mismatch(walk, value, goType(type), place);
  else
    value.forEach((entry, i) => {
      checkValue(walk, type.of, entry, { ...place, path: `${place.path}[${i}]` });
    });
}

function checkMap(walk: Walk, type: FieldType & { is: 'map' }, value: unknown, place: Place): void {
  if (isRecord(value)) {
    for (const [key, entry] of Object.entries(value))
      checkValue(walk, type.of, entry, { ...place, path: join(place.path, key) });
  } else mismatch(walk, value, goType(type), place);
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function mismatch(walk: Walk, value: unknown, goTypeName: string, place: Place): void {
  const where = place.struct === '' ? 'Go value' : `Go struct field ${place.struct}.${place.stack}`;
  walk.typeErrors.push(
    `json: cannot unmarshal ${jsonKind(value, goTypeName)} into ${where} of type ${goTypeName}`,
  );
}

function jsonKind(value: unknown, goTypeName: string): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return goTypeName.startsWith('int') ? `number ${value}` : 'number';
  return typeof value;
}

const goStruct = (name: string): string => `${packageOf(name).split('/')[1] ?? 'v1'}.${shortNameOf(name)}`;

const GO_SCALARS: Readonly<Record<ScalarName, string>> = {
  string: 'string',
  bool: 'bool',
  int32: 'int32',
  int64: 'int64',
  double: 'float64',
  bytes: '[]uint8',
  Quantity: 'resource.Quantity',
  IntOrString: 'intstr.IntOrString',
  Time: 'v1.Time',
  MicroTime: 'v1.MicroTime',
  FieldsV1: 'v1.FieldsV1',
  RawExtension: 'runtime.RawExtension',
};

/** A type as Go writes it: `[]v1.Container`, `map[string]string`. */
function goType(type: FieldType): string {
  if (type.is === 'scalar') return GO_SCALARS[type.name];
  if (type.is === 'struct') return goStruct(type.name);
  return type.is === 'map' ? `map[string]${goType(type.of)}` : `[]${goType(type.of)}`;
}

const MAX_INT32 = 2_147_483_647;
const isInt32 = (value: unknown): boolean =>
  Number.isInteger(value) && Math.abs(value as number) <= MAX_INT32 + 1 && value !== MAX_INT32 + 1;

/** Types with a decoder of their own in Go report errors without the field. */
const SCALAR_ERRORS: Readonly<Record<ScalarName, (value: unknown) => string | true | undefined>> = {
  string: (value) => (typeof value === 'string' ? undefined : true),
  bool: (value) => (typeof value === 'boolean' ? undefined : true),
  int32: (value) => (isInt32(value) ? undefined : true),
  int64: (value) => (Number.isInteger(value) ? undefined : true),
  double: (value) => (typeof value === 'number' ? undefined : true),
  bytes: (value) => {
    if (typeof value !== 'string') return true;
    return isBase64(value) ? undefined : 'illegal base64 data at input byte 0';
  },
  Quantity: (value) => {
    const isText = typeof value === 'string' || typeof value === 'number';
    return isText && parseQuantity(value) !== undefined ? undefined : QUANTITY_ERROR;
  },
  IntOrString: (value) => {
    if (typeof value === 'string' || isInt32(value)) return undefined;
    return `json: cannot unmarshal ${jsonKind(value, 'int32')} into Go value of type int32`;
  },
  Time: timeError,
  MicroTime: timeError,
  FieldsV1: () => undefined,
  RawExtension: () => undefined,
};

function checkScalar(walk: Walk, name: ScalarName, value: unknown, place: Place): void {
  const error = SCALAR_ERRORS[name](value);
  if (error === true) mismatch(walk, value, GO_SCALARS[name], place);
  else if (error !== undefined) walk.typeErrors.push(error);
}

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

function timeError(value: unknown): string | undefined {
  if (typeof value !== 'string')
    return `json: cannot unmarshal ${jsonKind(value, 'string')} into Go value of type string`;
  if (RFC3339.test(value) && !Number.isNaN(Date.parse(value))) return undefined;
  return `parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(value)} as "2006"`;
}

function isBase64(text: string): boolean {
  const clean = text.replace(/[\r\n]/g, '');
  return clean.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(clean);
}
