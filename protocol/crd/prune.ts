import { isRecord } from '../json.ts';
import type { JsonSchema } from './types.ts';

/** Most unknown fields that are named. */
const MAX_FINDINGS = 50;
const TYPE_META = ['apiVersion', 'kind', 'metadata'];

/** A copy of a value without the fields its schema does not know; their paths go into `unknown`. Never throws. */
export function pruned(schema: JsonSchema, value: unknown, unknown: string[], path = ''): unknown {
  return prune(schema, value, { unknown, path, isResource: false });
}

/** As `pruned`, for a whole resource: `apiVersion`, `kind` and `metadata` are nobody's to prune. */
export function prunedResource(
  schema: JsonSchema,
  value: Record<string, unknown>,
  unknown: string[],
): Record<string, unknown> {
  return prune(schema, value, { unknown, path: '', isResource: true }) as Record<string, unknown>;
}

interface Place {
  readonly unknown: string[];
  readonly path: string;
  readonly isResource: boolean;
}

function prune(schema: JsonSchema, value: unknown, place: Place): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    return value.map((entry, i) =>
      prune(items, entry, { ...place, path: `${place.path}[${i}]`, isResource: isEmbedded(items) }),
    );
  }
  return isRecord(value) ? pruneObject(schema, value, place) : value;
}

const isEmbedded = (schema: JsonSchema): boolean => schema['x-kubernetes-embedded-resource'] === true;

function pruneObject(schema: JsonSchema, value: Record<string, unknown>, place: Place): unknown {
  const keeps = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const { properties = {}, additionalProperties } = schema;
  const entries = Object.entries(value).flatMap(([name, entry]): [string, unknown][] => {
    const path = place.path === '' ? name : `${place.path}.${name}`;
    if (place.isResource && TYPE_META.includes(name)) return [[name, entry]];
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const inner = own ?? (isRecord(additionalProperties) ? (additionalProperties as JsonSchema) : undefined);
    if (inner !== undefined)
      return [[name, prune(inner, entry, { ...place, path, isResource: isEmbedded(inner) })]];
    if (keeps || additionalProperties === true) return [[name, entry]];
    if (place.unknown.length < MAX_FINDINGS) place.unknown.push(`unknown field "${path}"`);
    return [];
  });
  // fromEntries defines properties, so a key `__proto__` stays a plain key.
  return Object.fromEntries(entries);
}

/**
 * Fills in the defaults of a schema; a null where null is not allowed counts as absent when there is a default. Changes
 * its argument; idempotent; never throws.
 */
export function applyDefaults(schema: JsonSchema, value: unknown): void {
  if (Array.isArray(value)) {
    for (const entry of value) if (schema.items !== undefined) applyDefaults(schema.items, entry);
    return;
  }
  if (!isRecord(value)) return;
  const { properties = {}, additionalProperties } = schema;
  for (const [name, inner] of Object.entries(properties)) {
    if (name === '__proto__') continue;
    const isNull = Object.hasOwn(value, name) && value[name] === null && inner.nullable !== true;
    if (inner.default !== undefined && (!Object.hasOwn(value, name) || isNull))
      value[name] = structuredClone(inner.default);
    if (Object.hasOwn(value, name)) applyDefaults(inner, value[name]);
  }
  if (!isRecord(additionalProperties)) return;
  for (const [name, entry] of Object.entries(value))
    if (!Object.hasOwn(properties, name)) applyDefaults(additionalProperties as JsonSchema, entry);
}
