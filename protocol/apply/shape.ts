import type { JsonSchema } from '../crd/types.ts';
import { isRecord } from '../json.ts';
import { apiVersionOf, type KindSpec } from '../kinds/kind.ts';
import { builtinTypes, schemaOf } from '../schema/builtin.ts';
import { isAtomicStruct } from '../schema/merge-keys.ts';
import type { Field, FieldType, TypeSource } from '../schema/types.ts';

/**
 * How a value is owned and merged: `leaf` as one; `struct` by the fields of its type; `map` by its keys; `items` by the keys of
 * each item; `set` by the values; `any`, where no schema says anything, by its form: objects by key, all else as one.
 */
export type Shape =
  | { readonly is: 'leaf' }
  | { readonly is: 'any' }
  | { readonly is: 'struct'; readonly field: (name: string) => FieldShape | undefined }
  | { readonly is: 'map'; readonly of: Shape }
  | {
      readonly is: 'items';
      readonly keys: readonly string[];
      /** What stands for a key that an item leaves out. */
      readonly defaults: Readonly<Record<string, unknown>>;
      readonly of: Shape;
    }
  | { readonly is: 'set' };

/** A field of a struct. `always`: a plain struct in Go, for which `{}` and absence are one. */
export interface FieldShape {
  readonly shape: Shape;
  readonly always: boolean;
}

/** The only default of a key that the built-in kinds have: ports of containers and services. */
const KEY_DEFAULTS: Readonly<Record<string, unknown>> = { protocol: 'TCP' };
const LEAF: Shape = { is: 'leaf' };
const ANY: Shape = { is: 'any' };
const UNKNOWN: FieldShape = { shape: ANY, always: false };

/** The shape of a struct such as `core/v1.PodSpec`; `any` when there is none. */
export function shapeOfStruct(types: TypeSource, name: string): Shape {
  const struct = types(name);
  if (struct === undefined) return ANY;
  // Made when first asked for: structs may contain themselves.
  const known = new Map<string, FieldShape>();
  return {
    is: 'struct',
    field: (field) => {
      const found = struct.fields.get(field);
      if (found === undefined)
        return struct.hasTypeMeta && (field === 'apiVersion' || field === 'kind') ? UNKNOWN : undefined;
      const shape = known.get(field) ?? shapeOfField(types, found);
      known.set(field, shape);
      return shape;
    },
  };
}

function shapeOfField(types: TypeSource, { type, merge, pointer }: Field): FieldShape {
  if (merge?.atomic === true) return { shape: LEAF, always: false };
  if (type.is !== 'list')
    return { shape: shapeOfType(types, type), always: type.is === 'struct' && !pointer };
  if (merge?.listType === 'set') return { shape: { is: 'set' }, always: false };
  if (merge?.listType !== 'map') return { shape: LEAF, always: false };
  const of = shapeOfType(types, type.of);
  return { shape: { is: 'items', keys: merge.listKeys ?? [], defaults: KEY_DEFAULTS, of }, always: false };
}

function shapeOfType(types: TypeSource, type: FieldType): Shape {
  if (type.is === 'struct') return isAtomicStruct(type.name) ? LEAF : shapeOfStruct(types, type.name);
  return type.is === 'map' ? { is: 'map', of: shapeOfType(types, type.of) } : LEAF;
}

/** The shape of a kind's objects. One without a schema is told apart by form, but for its metadata. */
export function shapeOfKind(spec: Pick<KindSpec, 'kind' | 'group' | 'version' | 'openApi'>): Shape {
  const schema = schemaOf(apiVersionOf(spec), spec.kind);
  if (schema !== undefined) return shapeOfStruct(schema.types, schema.root.name);
  const custom = spec.openApi === undefined ? undefined : shapeOfJsonSchema(spec.openApi);
  const metadata: FieldShape = { shape: shapeOfStruct(builtinTypes, 'meta/v1.ObjectMeta'), always: true };
  return {
    is: 'struct',
    field: (name) => {
      if (name === 'metadata') return metadata;
      if (name === 'apiVersion' || name === 'kind' || custom === undefined) return UNKNOWN;
      return custom.is === 'struct' ? custom.field(name) : innerShape(custom, name);
    },
  };
}

/** The shape that a custom resource's schema gives a value, by its `x-kubernetes-list-type` and the like. */
function shapeOfJsonSchema(schema: JsonSchema): Shape {
  const { properties, additionalProperties, type } = schema;
  if (schema['x-kubernetes-map-type'] === 'atomic') return LEAF;
  if (type === 'array') return shapeOfJsonList(schema);
  if (properties !== undefined)
    return { is: 'struct', field: (name) => fieldOfJsonSchema(schema, properties, name) };
  return isRecord(additionalProperties)
    ? { is: 'map', of: shapeOfJsonSchema(additionalProperties as JsonSchema) }
    : ANY;
}

function shapeOfJsonList(schema: JsonSchema): Shape {
  const { items } = schema;
  const listType = schema['x-kubernetes-list-type'];
  if (listType === 'set') return { is: 'set' };
  if (listType !== 'map') return LEAF;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const defaults = keys.flatMap((key): [string, unknown][] => {
    const standing = schemaAt(items?.properties ?? {}, key)?.default;
    return standing === undefined ? [] : [[key, standing]];
  });
  const of = items === undefined ? ANY : shapeOfJsonSchema(items);
  return { is: 'items', keys, defaults: Object.fromEntries(defaults), of };
}

const schemaAt = (properties: Readonly<Record<string, JsonSchema>>, name: string): JsonSchema | undefined =>
  Object.hasOwn(properties, name) ? properties[name] : undefined;

/** What every object inside an object has, whether its schema says so or not. */
const EMBEDDED = ['apiVersion', 'kind', 'metadata'];

function fieldOfJsonSchema(
  schema: JsonSchema,
  properties: Readonly<Record<string, JsonSchema>>,
  name: string,
): FieldShape | undefined {
  const inner = schemaAt(properties, name);
  if (inner !== undefined) return { shape: shapeOfJsonSchema(inner), always: false };
  const isOpen =
    schema['x-kubernetes-preserve-unknown-fields'] === true ||
    (schema['x-kubernetes-embedded-resource'] === true && EMBEDDED.includes(name));
  return isOpen ? UNKNOWN : undefined;
}

/** What a field of a struct or an entry of a map is like; fields no schema knows are `any`. */
export function innerShape(shape: Shape, name: string): FieldShape {
  if (shape.is === 'struct') return shape.field(name) ?? UNKNOWN;
  return shape.is === 'map' ? { shape: shape.of, always: false } : UNKNOWN;
}

/** How this very value is to be taken: a value that does not have the form its shape asks for is one leaf. */
export function formOf(shape: Shape, value: unknown): 'leaf' | 'record' | 'list' {
  if (shape.is === 'leaf') return 'leaf';
  if (shape.is === 'items' || shape.is === 'set') return Array.isArray(value) ? 'list' : 'leaf';
  return isRecord(value) ? 'record' : 'leaf';
}
