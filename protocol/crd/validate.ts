import { isRecord, jsonEqual } from '../json.ts';
import type { FieldError } from '../kinds/kind.ts';
import { at, duplicate, invalidValue, required, tooLong } from '../validate/field-errors.ts';
import { formatError } from './formats.ts';
import { compilePattern, type Matcher } from './pattern.ts';
import type { JsonSchema } from './types.ts';

/** Most errors of one object; a hostile object must not make a huge answer. */
const MAX_ERRORS = 50;

/** Compiled patterns of one definition, by their text. */
export type Patterns = Map<string, Matcher>;

/** Checks a value against a structural schema, in the words of Kubernetes. Never throws. */
export function validateValue(
  schema: JsonSchema,
  value: unknown,
  path: string,
  patterns: Patterns,
): FieldError[] {
  const errors: FieldError[] = [];
  check(schema, value, path, { errors, patterns });
  return errors.slice(0, MAX_ERRORS);
}

interface Walk {
  readonly errors: FieldError[];
  readonly patterns: Patterns;
}

const named = (path: string): string => (path === '' ? '' : `${path} in body `);
const invalid = (path: string, value: unknown, rule: string): FieldError =>
  invalidValue(path === '' ? '<nil>' : path, value, `${named(path)}${rule}`);

function check(schema: JsonSchema, value: unknown, path: string, walk: Walk): void {
  if (walk.errors.length >= MAX_ERRORS) return;
  if (value === null && schema.nullable === true) return;
  const wrong = typeError(schema, value, path);
  if (wrong !== undefined) {
    walk.errors.push(wrong);
    return;
  }
  walk.errors.push(...enumErrors(schema, value, path));
  if (typeof value === 'string') walk.errors.push(...stringErrors(schema, value, path, walk.patterns));
  else if (typeof value === 'number') walk.errors.push(...numberErrors(schema, value, path));
  else if (Array.isArray(value)) checkList(schema, value, path, walk);
  else if (isRecord(value)) checkObject(schema, value, path, walk);
  walk.errors.push(...combinedErrors(schema, value, path, walk.patterns));
}

function jsonType(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function typeError(schema: JsonSchema, value: unknown, path: string): FieldError | undefined {
  const is = jsonType(value);
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (is === 'integer' || is === 'string') return undefined;
    return typeInvalid(path, is, 'integer,string');
  }
  const { type } = schema;
  if (!type || is === type || (type === 'number' && is === 'integer')) return undefined;
  return typeInvalid(path, is, type);
}

const typeInvalid = (path: string, is: string, wanted: string): FieldError => ({
  reason: 'FieldValueTypeInvalid',
  field: path === '' ? '<nil>' : path,
  message: `Invalid value: "${is}": ${named(path)}must be of type ${wanted}: "${is}"`,
});

function enumErrors(schema: JsonSchema, value: unknown, path: string): FieldError[] {
  const { enum: allowed } = schema;
  if (allowed === undefined || allowed.some((one) => jsonEqual(one, value))) return [];
  const list = allowed.map((one) => JSON.stringify(typeof one === 'string' ? one : JSON.stringify(one)));
  const shown = typeof value === 'object' ? JSON.stringify(value) : value;
  return [
    {
      reason: 'FieldValueNotSupported',
      field: path,
      message: `Unsupported value: ${JSON.stringify(shown)}: supported values: ${list.join(', ')}`,
    },
  ];
}

function stringErrors(schema: JsonSchema, value: string, path: string, patterns: Patterns): FieldError[] {
  const { maxLength, minLength, pattern, format } = schema;
  const errors: FieldError[] = [];
  const length = [...value].length;
  if (maxLength !== undefined && length > maxLength) errors.push(tooLong(path, maxLength));
  if (minLength !== undefined && length < minLength)
    errors.push(invalid(path, value, `should be at least ${minLength} chars long`));
  if (pattern !== undefined && !matcherOf(pattern, patterns)(value))
    errors.push(invalid(path, value, `should match '${pattern}'`));
  if (format !== undefined && formatError(format, value))
    errors.push(invalid(path, value, `must be of type ${format}: ${JSON.stringify(value)}`));
  return errors;
}

/** Everything matches a pattern that cannot be read: the definition was refused or is older than the rule. */
function matcherOf(pattern: string, patterns: Patterns): Matcher {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  const compiled = compilePattern(pattern);
  const matcher = compiled.ok ? compiled.matches : () => true;
  patterns.set(pattern, matcher);
  return matcher;
}

function numberErrors(schema: JsonSchema, value: number, path: string): FieldError[] {
  const { minimum, maximum, multipleOf } = schema;
  const errors: FieldError[] = [];
  const low = schema.exclusiveMinimum === true;
  const high = schema.exclusiveMaximum === true;
  if (minimum !== undefined && (low ? value <= minimum : value < minimum))
    errors.push(invalid(path, value, `should be greater than ${low ? '' : 'or equal to '}${minimum}`));
  if (maximum !== undefined && (high ? value >= maximum : value > maximum))
    errors.push(invalid(path, value, `should be less than ${high ? '' : 'or equal to '}${maximum}`));
  if (multipleOf !== undefined && multipleOf > 0 && !Number.isInteger(value / multipleOf))
    errors.push(invalid(path, value, `should be a multiple of ${multipleOf}`));
  return errors;
}

const tooMany = (path: string, count: number, most: number): FieldError => ({
  reason: 'FieldValueTooMany',
  field: path,
  message: `Too many: ${count}: must have at most ${most} items`,
});

function checkList(schema: JsonSchema, value: unknown[], path: string, walk: Walk): void {
  const { minItems, maxItems, items } = schema;
  if (minItems !== undefined && value.length < minItems)
    walk.errors.push(invalid(path, value, `should have at least ${minItems} items`));
  if (maxItems !== undefined && value.length > maxItems)
    walk.errors.push(tooMany(path, value.length, maxItems));
  walk.errors.push(...uniqueErrors(schema, value, path));
  if (items === undefined) return;
  value.forEach((entry, i) => {
    check(items, entry, at(path, i), walk);
  });
}

/** Of `set` lists no item, of `map` lists no combination of keys may occur twice. */
function uniqueErrors(schema: JsonSchema, value: readonly unknown[], path: string): FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const seen = new Set<string>();
  return value.flatMap((entry, i) => {
    const part =
      type === 'set' || !isRecord(entry)
        ? entry
        : Object.fromEntries(keys.map((key) => [key, Object.hasOwn(entry, key) ? entry[key] : null]));
    const text = JSON.stringify(part);
    if (seen.has(text)) return [duplicate(at(path, i), part)];
    seen.add(text);
    return [];
  });
}

function checkObject(schema: JsonSchema, value: Record<string, unknown>, path: string, walk: Walk): void {
  const { properties = {}, additionalProperties, minProperties, maxProperties } = schema;
  const inside = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const count = Object.keys(value).length;
  if (minProperties !== undefined && count < minProperties)
    walk.errors.push(invalid(path, value, `should have at least ${minProperties} properties`));
  if (maxProperties !== undefined && count > maxProperties)
    walk.errors.push(tooMany(path, count, maxProperties));
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name)) walk.errors.push(required(inside(name)));
  for (const [name, entry] of Object.entries(value)) {
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const inner = own ?? (isRecord(additionalProperties) ? (additionalProperties as JsonSchema) : undefined);
    if (inner !== undefined) check(inner, entry, inside(name), walk);
  }
  if (schema['x-kubernetes-embedded-resource'] === true)
    for (const name of ['apiVersion', 'kind'])
      if (!value[name]) walk.errors.push(required(inside(name), 'must not be empty'));
}

function combinedErrors(schema: JsonSchema, value: unknown, path: string, patterns: Patterns): FieldError[] {
  const { allOf = [], anyOf, oneOf, not } = schema;
  const holds = (part: JsonSchema): boolean => validateValue(part, value, path, patterns).length === 0;
  const failed = (rule: string): FieldError =>
    invalidValue(path === '' ? '<nil>' : path, value, `"${path}" must ${rule}`);
  const inner = allOf.flatMap((part) => validateValue(part, value, path, patterns));
  const valid = (oneOf ?? []).filter(holds).length;
  return [
    ...inner,
    ...(inner.length > 0 ? [failed('validate all the schemas (allOf)')] : []),
    ...(anyOf === undefined || anyOf.length === 0 || anyOf.some(holds)
      ? []
      : [failed('validate at least one schema (anyOf)')]),
    ...(oneOf === undefined || oneOf.length === 0 || valid === 1
      ? []
      : [failed(`validate one and only one schema (oneOf). Found ${valid === 0 ? 'none' : valid} valid`)]),
    ...(not !== undefined && holds(not) ? [failed('not validate the schema (not)')] : []),
  ];
}
