import type { DocSource } from './docs.ts';
import {
  DELETE_OPTIONS,
  gvk,
  isListed,
  kindPaths,
  type OpenApiKind,
  STATUS,
  structOf,
} from './openapi-operations.ts';
import { type OpenApi, openApiName, openApiSchemas, schemaRef } from './openapi-types.ts';
import type { TypeSource } from './types.ts';

const OBJECT_META = 'meta/v1.ObjectMeta';
const LIST_META = 'meta/v1.ListMeta';

/** What documents of any version of OpenAPI are made of, in the form of 3.0. */
export interface OpenApiParts {
  readonly paths: readonly (readonly [path: string, item: OpenApi])[];
  readonly schemas: Readonly<Record<string, OpenApi>>;
}

/**
 * The OpenAPI 3.0 document of one group version, as `/openapi/v3/apis/GROUP/VERSION` serves it: the operations of all
 * its kinds with their Kubernetes extensions, and every schema they reach. `kinds` must be of that group version.
 */
export function openApiDocument(kinds: readonly OpenApiKind[], types: TypeSource, docs: DocSource): OpenApi {
  const { paths, schemas } = openApiParts(kinds, types, docs);
  return {
    openapi: '3.0.0',
    info: OPENAPI_INFO,
    paths: Object.fromEntries(paths),
    components: { schemas },
  };
}

/** What every document says of itself. */
export const OPENAPI_INFO = { title: 'Kubernetes', version: 'v1.32.0' };

/** Operations and schemas of kinds, of one group version or of several. */
export function openApiParts(
  kinds: readonly OpenApiKind[],
  types: TypeSource,
  docs: DocSource,
): OpenApiParts {
  const structs = new Map<string, OpenApi>(
    kinds.flatMap((kind) => [
      [structOf(kind), gvk(kind)] as const,
      ...(isListed(kind)
        ? [[`${structOf(kind)}List`, gvk({ ...kind, kind: `${kind.kind}List` })] as const]
        : []),
    ]),
  );
  const roots = [...structs.keys(), STATUS, DELETE_OPTIONS, OBJECT_META, LIST_META];
  const gvkOf = (name: string): OpenApi[] => {
    const known = structs.get(name);
    return known === undefined ? [] : [known];
  };
  return {
    paths: kinds.flatMap((kind) => kindPaths(kind)),
    schemas: {
      ...openApiSchemas(types, docs, roots, gvkOf),
      ...Object.fromEntries(kinds.flatMap((kind) => customSchemas(kind))),
    },
  };
}

/** The schemas of a kind that is no built-in struct, and of its list. */
function customSchemas(kind: OpenApiKind): [string, OpenApi][] {
  if (kind.openApi === undefined) return [];
  const struct = structOf(kind);
  const list: OpenApi = {
    description: `${kind.kind}List is a list of ${kind.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { allOf: [schemaRef(openApiName(LIST_META))] },
      items: { type: 'array', items: schemaRef(openApiName(struct)) },
    },
    'x-kubernetes-group-version-kind': [gvk({ ...kind, kind: `${kind.kind}List` })],
  };
  return [
    [openApiName(struct), { ...kind.openApi, 'x-kubernetes-group-version-kind': [gvk(kind)] }],
    [openApiName(`${struct}List`), list],
  ];
}
