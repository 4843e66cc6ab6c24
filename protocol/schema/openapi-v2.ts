import { isRecord } from '../json.ts';
import type { DocSource } from './docs.ts';
import { OPENAPI_INFO, openApiParts } from './openapi.ts';
import type { OpenApiKind } from './openapi-operations.ts';
import type { OpenApi } from './openapi-types.ts';
import type { TypeSource } from './types.ts';

/** An OpenAPI 2.0 document in pieces, so that a writer needs to hold one of them at a time. */
export interface OpenApiV2 {
  readonly swagger: '2.0';
  readonly info: typeof OPENAPI_INFO;
  paths(): Iterable<readonly [path: string, item: OpenApi]>;
  definitions(): Iterable<readonly [name: string, schema: OpenApi]>;
}

/** What clients from before OpenAPI v3 read: all kinds in one document, with the same operations and schemas. Pure. */
export function openApiV2(kinds: readonly OpenApiKind[], types: TypeSource, docs: DocSource): OpenApiV2 {
  const { paths, schemas } = openApiParts(kinds, types, docs);
  return {
    swagger: '2.0',
    info: OPENAPI_INFO,
    *paths() {
      for (const [path, item] of paths) yield [path, pathItem(item)];
    },
    *definitions() {
      for (const [name, schema] of Object.entries(schemas)) yield [name, schemaV2(schema)];
    },
  };
}

const V3_REF = '#/components/schemas/';
const V2_REF = '#/definitions/';

/** What 2.0 does not know, or what kubectl before 1.27 takes for more than it says. */
const DROPPED = new Set(['oneOf', 'anyOf', 'not', 'allOf', 'nullable', 'example', 'externalDocs']);

/** A schema in the older form. What 2.0 cannot say is left out, so that it allows more, never less. Pure. */
export function schemaV2(schema: OpenApi): OpenApi {
  const ref = refOf(schema);
  if (ref !== undefined) {
    const { description } = schema;
    return { ...(description === undefined ? {} : { description }), $ref: ref.replace(V3_REF, V2_REF) };
  }
  const out: OpenApi = {};
  const isOpen = schema['nullable'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  for (const [key, value] of Object.entries(schema)) {
    if (DROPPED.has(key)) continue;
    // Old clients refuse null, and fields they do not know, wherever a type or fields are told.
    if (isOpen && (key === 'type' || key === 'properties' || key === 'items' || key === 'required')) continue;
    out[key] = innerV2(key, value);
  }
  if (out['type'] === undefined && isTextOrMore(schema['oneOf'])) out['type'] = 'string';
  return out;
}

function innerV2(key: string, value: unknown): unknown {
  if (key === 'properties' && isRecord(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, schemaV2(inner as OpenApi)]),
    );
  if ((key === 'items' || key === 'additionalProperties') && isRecord(value)) return schemaV2(value);
  return value;
}

/** 3.0 wraps references, because they may have no siblings there. */
function refOf(schema: OpenApi): string | undefined {
  if (typeof schema['$ref'] === 'string') return schema['$ref'];
  const all = schema['allOf'];
  if (!Array.isArray(all) || all.length !== 1) return undefined;
  const [only] = all as unknown[];
  return isRecord(only) && typeof only['$ref'] === 'string' ? only['$ref'] : undefined;
}

/** Quantities and the like: texts that may be written as numbers. */
function isTextOrMore(oneOf: unknown): boolean {
  return Array.isArray(oneOf) && oneOf.some((part) => isRecord(part) && part['type'] === 'string');
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];
const PRODUCED = ['application/json', 'application/yaml'];

function pathItem(item: OpenApi): OpenApi {
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => {
      if (METHODS.includes(key) && isRecord(value)) return [key, operation(value)];
      return [key, key === 'parameters' && Array.isArray(value) ? value.map(parameter) : value];
    }),
  );
}

function operation(v3: OpenApi): OpenApi {
  const { parameters, requestBody, responses, ...rest } = v3;
  const { consumes, body } = bodyOf(requestBody);
  const all = [...body, ...(Array.isArray(parameters) ? parameters.map(parameter) : [])];
  return {
    ...rest,
    ...(consumes.length === 0 ? {} : { consumes }),
    produces: PRODUCED,
    ...(all.length === 0 ? {} : { parameters: all }),
    responses: responsesOf(responses),
  };
}

function parameter(v3: unknown): OpenApi {
  if (!isRecord(v3)) return {};
  const { schema, ...rest } = v3;
  return { ...rest, ...(isRecord(schema) ? schema : {}) };
}

function bodyOf(requestBody: unknown): { consumes: string[]; body: OpenApi[] } {
  if (!isRecord(requestBody) || !isRecord(requestBody['content'])) return { consumes: [], body: [] };
  const { content, required } = requestBody;
  const consumes = Object.keys(content);
  const schema = schemaIn(content);
  return {
    consumes,
    body: [{ name: 'body', in: 'body', ...(required === true ? { required } : {}), schema: schema ?? {} }],
  };
}

function responsesOf(responses: unknown): OpenApi {
  if (!isRecord(responses)) return {};
  return Object.fromEntries(
    Object.entries(responses).map(([code, answer]) => {
      if (!isRecord(answer)) return [code, answer];
      const { description, content } = answer;
      const schema = isRecord(content) ? schemaIn(content) : undefined;
      return [code, { description, ...(schema === undefined ? {} : { schema }) }];
    }),
  );
}

function schemaIn(content: Readonly<Record<string, unknown>>): OpenApi | undefined {
  const [first] = Object.values(content);
  const schema = isRecord(first) ? first['schema'] : undefined;
  return isRecord(schema) ? schemaV2(schema) : undefined;
}
