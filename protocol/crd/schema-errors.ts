import { isRecord } from '../json.ts';
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import { at, forbidden, invalidValue, notSupported, required, unless } from '../validate/field-errors.ts';
import { compilePattern } from './pattern.ts';
import type { JsonSchema } from './types.ts';

/** Deeper schemas are refused: nobody writes them, and recursion over them must stay cheap. */
const MAX_DEPTH = 100;
/** Most errors that are collected. */
const MAX_ERRORS = 50;
const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

/** Checks that a schema is structural, as Kubernetes demands: every value has a type, logic adds only conditions. */
export function schemaErrors(schema: Loose<JsonSchema> | undefined, path: string): FieldError[] {
  if (schema === undefined) return [required(path, 'schemas are required')];
  const errors: FieldError[] = [];
  if (!schema.type) errors.push(required(`${path}.type`, 'must not be empty at the root'));
  else if (schema.type !== 'object')
    errors.push(invalidValue(`${path}.type`, schema.type, 'must be object at the root'));
  visit(schema, { path, errors, depth: 0, logical: false, isRoot: true, what: '' });
  return errors.slice(0, MAX_ERRORS);
}

interface Place {
  readonly path: string;
  readonly errors: FieldError[];
  readonly depth: number;
  /** Within allOf, anyOf, oneOf, not: where types are told by the schema outside. */
  readonly logical: boolean;
  readonly isRoot: boolean;
  /** What the schema describes, for the error of a missing type. */
  readonly what: string;
}

function visit(schema: Loose<JsonSchema>, place: Place): void {
  const { path, errors, depth } = place;
  if (errors.length >= MAX_ERRORS) return;
  if (depth > MAX_DEPTH) {
    errors.push(forbidden(path, `must not be nested more than ${MAX_DEPTH} levels deep`));
    return;
  }
  errors.push(
    ...typeErrors(schema, place),
    ...unless(!schema.$ref, () => forbidden(`${path}.$ref`, '$ref is not supported')),
    ...unless(schema.uniqueItems !== true, () =>
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    ),
    ...patternErrors(schema.pattern, `${path}.pattern`),
    ...listErrors(schema, place),
    ...unless(schema.properties === undefined || schema.additionalProperties === undefined, () =>
      forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'),
    ),
    ...unless(schema.additionalProperties !== false, () =>
      forbidden(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'),
    ),
    ...(place.logical ? logicalErrors(schema, path) : []),
  );
  visitInner(schema, place);
}

function typeErrors(schema: Loose<JsonSchema>, { path, logical, isRoot, what }: Place): FieldError[] {
  const { type } = schema;
  const free =
    schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (logical || isRoot) return [];
  if (type) return unless(TYPES.includes(type), () => notSupported(`${path}.type`, type, TYPES));
  return free ? [] : [required(`${path}.type`, `must not be empty for specified ${what}`)];
}

function patternErrors(pattern: string | undefined, field: string): FieldError[] {
  if (!pattern) return [];
  const compiled = compilePattern(pattern);
  if (compiled.ok) return [];
  const why = `must be a valid regular expression, but isn't: error parsing regexp: ${compiled.why}`;
  return [invalidValue(field, pattern, why)];
}

function listErrors(schema: Loose<JsonSchema>, { path, logical }: Place): FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return [
    ...unless(logical || schema.type !== 'array' || schema.items !== undefined, () =>
      required(`${path}.items`, 'must be specified'),
    ),
    ...unless(type === undefined || ['atomic', 'map', 'set'].includes(type), () =>
      notSupported(`${path}.x-kubernetes-list-type`, type, ['atomic', 'map', 'set']),
    ),
    ...unless(type !== 'map' || keys.length > 0, () =>
      required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'),
    ),
    ...(type === 'map' ? keys : []).flatMap((key, i) =>
      unless(schema.items?.properties !== undefined && Object.hasOwn(schema.items.properties, key), () =>
        invalidValue(
          at(`${path}.x-kubernetes-list-map-keys`, i),
          key,
          'entries must all be names of item properties',
        ),
      ),
    ),
  ];
}

const NOT_IN_LOGIC = [
  'description',
  'default',
  'title',
  'nullable',
  'additionalProperties',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
] as const;

/** Logic may only narrow what the schema outside says; `type` is allowed with int-or-string only. */
function logicalErrors(schema: Loose<JsonSchema>, path: string): FieldError[] {
  const set = NOT_IN_LOGIC.filter((name) => schema[name] !== undefined && schema[name] !== '');
  return [
    ...set.map((name) => forbidden(`${path}.${name}`, 'must be undefined to be structural')),
    ...unless(!schema.type || schema.type === 'integer' || schema.type === 'string', () =>
      forbidden(`${path}.type`, 'must be empty to be structural'),
    ),
  ];
}

function visitInner(schema: Loose<JsonSchema>, place: Place): void {
  const inner = (path: string, what: string, logical = place.logical): Place => ({
    path: `${place.path}.${path}`,
    errors: place.errors,
    depth: place.depth + 1,
    logical,
    isRoot: false,
    what,
  });
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    if (property !== undefined && !(place.isRoot && name === 'metadata'))
      visit(property, inner(`properties[${name}]`, 'object fields'));
  if (schema.items !== undefined) visit(schema.items, inner('items', 'array items'));
  if (isRecord(schema.additionalProperties))
    visit(schema.additionalProperties as Loose<JsonSchema>, inner('additionalProperties', 'object fields'));
  for (const logic of ['allOf', 'anyOf', 'oneOf'] as const)
    (schema[logic] ?? []).forEach((part, i) => {
      visit(part, inner(at(logic, i), '', true));
    });
  if (schema.not !== undefined) visit(schema.not, inner('not', '', true));
}

/** True when any part of the schema has rules in CEL. */
export function hasRules(schema: Loose<JsonSchema> | undefined, depth = 0): boolean {
  if (schema === undefined || depth > MAX_DEPTH) return false;
  if ((schema['x-kubernetes-validations'] ?? []).length > 0) return true;
  const { additionalProperties: more } = schema;
  return [
    ...Object.values(schema.properties ?? {}),
    schema.items,
    ...(isRecord(more) ? [more as Loose<JsonSchema>] : []),
    ...(schema.allOf ?? []),
    ...(schema.anyOf ?? []),
    ...(schema.oneOf ?? []),
  ].some((part) => hasRules(part, depth + 1));
}
