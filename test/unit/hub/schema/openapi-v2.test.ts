import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bytesOf, readFields, textOf, type WireField } from '../../../../hub/protobuf/reader.ts';
import { OpenApiStore } from '../../../../hub/schema/openapi-store.ts';
import { kinds } from '../../../../protocol/kinds/index.ts';
import { schemaV2 } from '../../../../protocol/schema/openapi-v2.ts';
import { buildSchema } from '../../../../scripts/build-schema.ts';
import { spec } from '../../../spec.ts';

const directory = mkdtempSync(join(tmpdir(), 'openapi-v2-'));

interface Operation {
  readonly parameters?: readonly { name: string; in: string; type?: string; schema?: object }[];
  readonly [extension: string]: unknown;
}
interface Document {
  readonly swagger: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly definitions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const jsonOf = (store: OpenApiStore): Document =>
  JSON.parse(Buffer.from(store.v2('json').bytes).toString()) as Document;

/** Fields of one number in a message. */
const at = (bytes: Uint8Array, number: number): WireField[] =>
  [...readFields(bytes)].filter((field) => field.number === number);
const inner = (bytes: Uint8Array, ...path: number[]): Uint8Array => {
  const [number, ...rest] = path;
  if (number === undefined) return bytes;
  const [field] = at(bytes, number);
  assert.ok(field, `field ${number}`);
  return inner(bytesOf(field), ...rest);
};
const texts = (bytes: Uint8Array, number: number): string[] => at(bytes, number).map(textOf);

/** A message of name and value pairs. */
const pairs = (fields: readonly WireField[]): Map<string, Uint8Array> =>
  new Map(fields.map(bytesOf).map((pair) => [texts(pair, 1)[0] ?? '', inner(pair, 2)]));

/** A Schema of gnostic's OpenAPIv2.proto as the JSON it was made of. */
function schemaOf(bytes: Uint8Array): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [number, name] of [
    [1, '$ref'],
    [2, 'format'],
    [4, 'description'],
  ] as const) {
    const [text] = texts(bytes, number);
    if (text !== undefined) out[name] = text;
  }
  if (at(bytes, 19).length > 0) out['required'] = texts(bytes, 19);
  if (at(bytes, 21).length > 0) out['additionalProperties'] = schemaOf(inner(bytes, 21, 1));
  if (at(bytes, 22).length > 0) out['type'] = texts(inner(bytes, 22), 1)[0];
  if (at(bytes, 23).length > 0) out['items'] = schemaOf(inner(bytes, 23, 1));
  if (at(bytes, 25).length > 0)
    out['properties'] = Object.fromEntries(
      [...pairs(at(inner(bytes, 25), 1))].map(([name, value]) => [name, schemaOf(value)]),
    );
  for (const [name, value] of pairs(at(bytes, 31))) out[name] = JSON.parse(texts(value, 2)[0] ?? '');
  return out;
}

spec(
  'OpenAPI v2',
  (it) => {
    it('holds every kind of every group once, with merge keys, types and descriptions', () => {
      const { swagger, definitions, paths } = jsonOf(new OpenApiStore(kinds, directory));
      assert.is(swagger, '2.0');
      const podSpec = definitions['io.k8s.api.core.v1.PodSpec'] as {
        properties: Record<string, Record<string, unknown>>;
      };
      const { containers, securityContext } = podSpec.properties;
      assert.is(containers?.['x-kubernetes-patch-merge-key'], 'name');
      assert.equal(containers?.['items'], { $ref: '#/definitions/io.k8s.api.core.v1.Container' });
      assert.is(securityContext?.['$ref'], '#/definitions/io.k8s.api.core.v1.PodSecurityContext');
      assert.type(securityContext?.['description'], 'string');
      assert.equal(definitions['io.k8s.apimachinery.pkg.api.resource.Quantity']?.['type'], 'string');
      for (const { kind, group, version } of kinds)
        assert.ok(
          JSON.stringify(definitions).includes(JSON.stringify([{ group, version, kind }])),
          `${group}/${version} ${kind}`,
        );
      assert.ok(paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.['patch']);
    });

    it('knows no word of version 3, and refers only to what is there', () => {
      const { definitions, paths } = jsonOf(new OpenApiStore(kinds, directory));
      // Where a definition's schema is described, the words are names of fields.
      const { 'io.k8s.api.apiextensions.v1.JSONSchemaProps': schema, ...others } = definitions;
      assert.ok(schema);
      const text = JSON.stringify([paths, others]);
      for (const word of ['"oneOf"', '"allOf"', '"anyOf"', '"requestBody"', '"components"', '"content"'])
        assert.not.ok(text.includes(word), word);
      for (const [, name = ''] of text.matchAll(/"#\/definitions\/([^"]+)"/g))
        assert.ok(Object.hasOwn(definitions, name), name);
    });

    it('says what a body and a query are', () => {
      const { paths } = jsonOf(new OpenApiStore(kinds, directory));
      const { post } = paths['/api/v1/namespaces/{namespace}/pods'] ?? {};
      const [body, ...queries] = post?.parameters ?? [];
      assert.equal(body, {
        name: 'body',
        in: 'body',
        required: true,
        schema: { $ref: '#/definitions/io.k8s.api.core.v1.Pod' },
      });
      assert.equal(
        queries.map((q) => `${q.in} ${q.name} ${q.type}`),
        ['query dryRun string', 'query fieldManager string', 'query fieldValidation string'],
      );
    });

    it('says the same in protobuf', () => {
      const store = new OpenApiStore(kinds, directory);
      const { bytes } = store.v2('protobuf');
      const { definitions, paths } = jsonOf(store);
      const told = pairs(at(inner(bytes, 9), 1));
      assert.equal([...told.keys()], Object.keys(definitions));
      for (const [name, schema] of told) assert.equal(schemaOf(schema), definitions[name], name);
      assert.equal([...pairs(at(inner(bytes, 8), 2)).keys()], Object.keys(paths));
    });

    it('tells Go clients that a kind can be tried without being stored', () => {
      const { bytes } = new OpenApiStore(kinds, directory).v2('protobuf');
      const item = pairs(at(inner(bytes, 8), 2)).get('/api/v1/namespaces/{namespace}/pods/{name}');
      const patch = inner(item ?? new Uint8Array(), 8);
      const gvk = pairs(at(patch, 13)).get('x-kubernetes-group-version-kind');
      assert.is(texts(gvk ?? new Uint8Array(), 2)[0], '{"group":"","version":"v1","kind":"Pod"}');
      const queries = at(patch, 8)
        .map(bytesOf)
        .map((p) => at(inner(p, 1), 2))
        .flatMap((own) => own.map((field) => texts(inner(bytesOf(field), 3), 4)[0]));
      assert.ok(queries.includes('dryRun'), queries.join());
    });

    it('allows more where it cannot say all of a custom schema', () => {
      const schema = schemaV2({
        type: 'object',
        properties: {
          any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { a: {} } },
          none: { type: 'string', nullable: true },
          port: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
          map: { type: 'object', additionalProperties: { type: 'integer', not: {} } },
        },
      });
      assert.equal(schema, {
        type: 'object',
        properties: {
          any: { 'x-kubernetes-preserve-unknown-fields': true },
          none: {},
          port: { 'x-kubernetes-int-or-string': true },
          map: { type: 'object', additionalProperties: { type: 'integer' } },
        },
      });
    });

    it('keeps what it made until it is dropped, and makes it anew for other kinds', () => {
      let some = kinds.slice(0, 5);
      const store = new OpenApiStore(() => some, directory);
      const first = store.v2('json');
      assert.is(store.v2('json'), first);
      store.drop();
      assert.equal(store.v2('json').hash, first.hash);
      some = kinds.slice(0, 6);
      assert.not.equal(store.v2('json').hash, first.hash);
    });
  },
  {
    caseTimeoutMs: 30_000,
    before: async () => void (await buildSchema(directory)),
    after: () => rmSync(directory, { recursive: true, force: true }),
  },
);
