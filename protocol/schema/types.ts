import { type FieldMerge, mergeOf } from './merge-keys.ts';

/** Leaf types, named as in Go where that matters for messages. `RawExtension` and `FieldsV1` hold any JSON. */
export type ScalarName =
  | 'string'
  | 'bool'
  | 'int32'
  | 'int64'
  | 'double'
  | 'bytes'
  | 'Quantity'
  | 'IntOrString'
  | 'Time'
  | 'MicroTime'
  | 'FieldsV1'
  | 'RawExtension';

/** What a field holds. `wrapped` is a list of strings that protobuf puts into a message of its own. */
export type FieldType =
  | { readonly is: 'scalar'; readonly name: ScalarName }
  | { readonly is: 'struct'; readonly name: string }
  | { readonly is: 'list'; readonly of: FieldType }
  | { readonly is: 'map'; readonly of: FieldType }
  | { readonly is: 'wrapped'; readonly of: FieldType };

/** One field of a struct. */
export interface Field {
  /** Protobuf field number. */
  readonly number: number;
  /** JSON name; of an inlined struct, its Go name. */
  readonly name: string;
  readonly type: FieldType;
  /** A pointer in Go: an empty value is a real value. */
  readonly pointer: boolean;
  /** Left out of JSON when empty. */
  readonly omitEmpty: boolean;
  /** The fields of this struct belong to the parent object in JSON. */
  readonly inline: boolean;
  /** How patches and server-side apply merge it; undefined for plain fields. */
  readonly merge: FieldMerge | undefined;
}

/** One struct of the Kubernetes API, such as `core/v1.PodSpec`. */
export interface StructType {
  readonly name: string;
  /** Fields as in JSON, inlined ones expanded. */
  readonly fields: ReadonlyMap<string, Field>;
  /** Fields as in protobuf. */
  readonly numbers: ReadonlyMap<number, Field>;
  /** True when objects of this type carry `apiVersion` and `kind`. */
  readonly hasTypeMeta: boolean;
}

/** Finds a struct by its name; the same object for the same name. */
export type TypeSource = (name: string) => StructType | undefined;

/** A struct together with the source that its fields' types come from. */
export interface Schema {
  readonly types: TypeSource;
  readonly root: StructType;
}

const SCALARS: ReadonlySet<string> = new Set<ScalarName>([
  'string',
  'bool',
  'int32',
  'int64',
  'double',
  'bytes',
  'Quantity',
  'IntOrString',
  'Time',
  'MicroTime',
  'FieldsV1',
  'RawExtension',
]);
const isScalar = (name: string): name is ScalarName => SCALARS.has(name);

/**
 * Reads types out of a table with one line per struct: `NUMBER jsonName kind flags; ...`. A kind is a scalar, a struct
 * (`.Name` = of the same package) or one of these behind `list>`, `map>`, `wrapped>`; flags are those of `Field`:
 * p pointer, o omitEmpty, i inline. Structs are read when first asked for, so that unused ones cost only their line.
 */
export function typeSource(table: Readonly<Record<string, string>>): TypeSource {
  const known = new Map<string, StructType>();
  const find: TypeSource = (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const line = Object.hasOwn(table, name) ? table[name] : undefined;
    if (line === undefined) return undefined;
    const type = readStruct(name, line, find);
    known.set(name, type);
    return type;
  };
  return find;
}

function readStruct(name: string, line: string, find: TypeSource): StructType {
  const fields = new Map<string, Field>();
  const numbers = new Map<number, Field>();
  for (const text of line.split('; ').filter((t) => t !== '')) {
    const field = readField(name, text);
    numbers.set(field.number, field);
    if (field.inline && field.type.is === 'struct')
      for (const inner of find(field.type.name)?.fields.values() ?? []) fields.set(inner.name, inner);
    else fields.set(field.name, field);
  }
  return { name, fields, numbers, hasTypeMeta: isObjectType(name, fields) };
}

function readField(struct: string, text: string): Field {
  const [number = '0', name = '', kind = '', flags = ''] = text.split(' ');
  return {
    number: Number(number),
    name,
    type: readType(struct, kind),
    pointer: flags.includes('p'),
    omitEmpty: flags.includes('o'),
    inline: flags.includes('i'),
    merge: mergeOf(struct, name),
  };
}

function readType(struct: string, kind: string): FieldType {
  const wrapper = /^(list|map|wrapped)>(.*)$/.exec(kind);
  if (wrapper !== null)
    return { is: wrapper[1] as 'list' | 'map' | 'wrapped', of: readType(struct, wrapper[2] ?? '') };
  if (isScalar(kind)) return { is: 'scalar', name: kind };
  return { is: 'struct', name: kind.startsWith('.') ? packageOf(struct) + kind : kind };
}

/** `core/v1` of `core/v1.PodSpec`. */
export const packageOf = (struct: string): string => struct.slice(0, struct.lastIndexOf('.'));

/** `PodSpec` of `core/v1.PodSpec`. */
export const shortNameOf = (struct: string): string => struct.slice(struct.lastIndexOf('.') + 1);

const TEMPLATES = ['PodTemplateSpec', 'JobTemplateSpec', 'PersistentVolumeClaimTemplate'];

/** Structs with metadata are objects or lists, but for the templates that objects are stamped from. */
function isObjectType(name: string, fields: ReadonlyMap<string, Field>): boolean {
  const short = shortNameOf(name);
  if (TEMPLATES.includes(short)) return false;
  const meta = fields.get('metadata')?.type;
  if (meta?.is === 'struct') return meta.name === 'meta/v1.ObjectMeta' || meta.name === 'meta/v1.ListMeta';
  return packageOf(name) === 'meta/v1' && short.endsWith('Options');
}
