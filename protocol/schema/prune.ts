import { isRecord } from '../json.ts';
import { canonicalQuantity } from '../quantity.ts';
import type { FieldType, Schema, StructType, TypeSource } from './types.ts';

/**
 * A copy of a decoded JSON object without the fields its schema does not know and without nulls, which count as
 * absent (in lists and maps they become the empty value, as in Go). Quantities get their canonical form.
 * Values of a wrong type stay as they are: `checkFields` reports those. Idempotent; never throws.
 */
export function pruneFields(schema: Schema, object: unknown): unknown {
  return pruneStruct(schema.types, schema.root, object);
}

function pruneStruct(types: TypeSource, type: StructType, value: unknown): unknown {
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).flatMap(([name, entry]): [string, unknown][] => {
    if (entry === null || entry === undefined) return [];
    const field = type.fields.get(name);
    if (field !== undefined) return [[name, pruneValue(types, field.type, entry)]];
    return type.hasTypeMeta && (name === 'apiVersion' || name === 'kind') ? [[name, entry]] : [];
  });
  // fromEntries defines properties, so a key `__proto__` stays a plain key.
  return Object.fromEntries(kept);
}

function pruneValue(types: TypeSource, type: FieldType, value: unknown): unknown {
  switch (type.is) {
    case 'scalar':
      return type.name === 'Quantity' && (typeof value === 'number' || typeof value === 'string')
        ? canonicalQuantity(value)
        : value;
    case 'struct': {
      const struct = types(type.name);
      return struct === undefined ? value : pruneStruct(types, struct, value);
    }
    case 'map':
      if (!isRecord(value)) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, entry]) => [key, pruneEntry(types, type.of, entry)]),
      );
    default:
      return Array.isArray(value) ? value.map((entry) => pruneEntry(types, type.of, entry)) : value;
  }
}

function pruneEntry(types: TypeSource, type: FieldType, entry: unknown): unknown {
  return entry === null || entry === undefined ? emptyValue(type) : pruneValue(types, type, entry);
}

function emptyValue(type: FieldType): unknown {
  if (type.is === 'list' || type.is === 'wrapped') return [];
  if (type.is === 'struct' || type.is === 'map') return {};
  switch (type.name) {
    case 'bool':
      return false;
    case 'int32':
    case 'int64':
    case 'double':
    case 'IntOrString':
      return 0;
    case 'Quantity':
      return '0';
    case 'RawExtension':
    case 'FieldsV1':
      return {};
    default:
      return '';
  }
}
