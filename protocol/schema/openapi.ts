import type { KindSpec } from '../kinds/kind.ts';
import { apiVersionOf } from '../kinds/kind.ts';
import { packageOfGroupVersion } from './builtin.ts';
import type { DocSource } from './docs.ts';
import { type OpenApi, openApiName, openApiSchemas, schemaRef } from './openapi-types.ts';
import type { TypeSource } from './types.ts';

/** What an OpenAPI document says of a kind. */
export type OpenApiKind = Pick<
  KindSpec,
  'kind' | 'group' | 'version' | 'plural' | 'namespaced' | 'hasStatus' | 'openApi'
>;

const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
];

const query = (name: string, type: string, description: string): OpenApi => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
});
const path = (name: string, description: string): OpenApi => ({
  name,
  in: 'path',
  required: true,
  description,
  schema: { type: 'string', uniqueItems: true },
});

const DRY_RUN = query('dryRun', 'string', 'All: go through every stage but store nothing.');
const MANAGER = query('fieldManager', 'string', 'Name of the actor that makes these changes.');
const VALIDATION = query(
  'fieldValidation',
  'string',
  'What to do with unknown or duplicate fields: Ignore, Warn or Strict.',
);
const FORCE = query('force', 'boolean', 'Take over fields that others own; only for apply patches.');
const LIST_QUERIES = [
  query('labelSelector', 'string', 'Restrict the list by labels.'),
  query('fieldSelector', 'string', 'Restrict the list by fields.'),
  query('limit', 'integer', 'Most items of one answer.'),
  query('continue', 'string', 'Go on where an earlier answer ended.'),
  query('resourceVersion', 'string', 'Version to read at or to watch from.'),
  query('resourceVersionMatch', 'string', 'How resourceVersion is applied to lists.'),
  query('timeoutSeconds', 'integer', 'Longest time of the call.'),
  query('watch', 'boolean', 'Stream changes instead of a list.'),
  query('allowWatchBookmarks', 'boolean', 'Send bookmark events in a watch.'),
];
const DELETE_QUERIES = [
  DRY_RUN,
  query('gracePeriodSeconds', 'integer', 'Seconds before the object is removed.'),
  query('propagationPolicy', 'string', 'Orphan, Background or Foreground.'),
];

const STATUS = 'meta/v1.Status';
const DELETE_OPTIONS = 'meta/v1.DeleteOptions';
const OBJECT_META = 'meta/v1.ObjectMeta';
const LIST_META = 'meta/v1.ListMeta';

/**
 * The OpenAPI 3.0 document of one group version, as `/openapi/v3/apis/GROUP/VERSION` serves it: the operations of all
 * its kinds with their Kubernetes extensions, and every schema they reach. `kinds` must be of that group version.
 */
export function openApiDocument(
  groupVersion: { readonly group: string; readonly version: string },
  kinds: readonly OpenApiKind[],
  types: TypeSource,
  docs: DocSource,
): OpenApi {
  const packageName = packageOfGroupVersion(apiVersionOf(groupVersion));
  const structs = new Map<string, OpenApi>(
    kinds.flatMap((kind) => [
      [`${packageName}.${kind.kind}`, gvk(kind)] as const,
      [`${packageName}.${kind.kind}List`, gvk({ ...kind, kind: `${kind.kind}List` })] as const,
    ]),
  );
  const roots = [...structs.keys(), STATUS, DELETE_OPTIONS, OBJECT_META, LIST_META];
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.32.0' },
    paths: Object.fromEntries(kinds.flatMap((kind) => kindPaths(kind, packageName))),
    components: {
      schemas: {
        ...openApiSchemas(types, docs, roots, (name) => {
          const known = structs.get(name);
          return known === undefined ? [] : [known];
        }),
        ...Object.fromEntries(kinds.flatMap((kind) => customSchemas(kind, packageName))),
      },
    },
  };
}

/** The schemas of a kind that is no built-in struct, and of its list. */
function customSchemas(kind: OpenApiKind, packageName: string): [string, OpenApi][] {
  if (kind.openApi === undefined) return [];
  const struct = `${packageName}.${kind.kind}`;
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

const gvk = ({ group, version, kind }: Pick<OpenApiKind, 'group' | 'version' | 'kind'>): OpenApi => ({
  group,
  version,
  kind,
});

function kindPaths(kind: OpenApiKind, packageName: string): [string, OpenApi][] {
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced ? '/namespaces/{namespace}' : '';
  const struct = `${packageName}.${kind.kind}`;
  const namespace = kind.namespaced ? [path('namespace', 'Namespace of the object.')] : [];
  const item = `${base}${scope}/${kind.plural}/{name}`;
  const named = [path('name', `Name of the ${kind.kind}.`), ...namespace];
  const collection: OpenApi = {
    ...collectionOperations(kind, struct),
    parameters: namespace,
  };
  const status: [string, OpenApi][] = kind.hasStatus
    ? [[`${item}/status`, { ...updateOperations(kind, struct, 'Status'), parameters: named }]]
    : [];
  const everywhere: [string, OpenApi][] = kind.namespaced
    ? [[`${base}/${kind.plural}`, { get: listOperation(kind, `${struct}List`, 'ForAllNamespaces') }]]
    : [];
  return [
    [`${base}${scope}/${kind.plural}`, collection],
    [item, { ...itemOperations(kind, struct), parameters: named }],
    ...status,
    ...everywhere,
  ];
}

function operation(kind: OpenApiKind, action: string, id: string, rest: OpenApi): OpenApi {
  const group = kind.group === '' ? 'core' : (kind.group.split('.')[0] ?? '');
  const camel = `${group.slice(0, 1).toUpperCase()}${group.slice(1)}${kind.version.toUpperCase().slice(0, 1)}${kind.version.slice(1)}`;
  const [verb = '', suffix = ''] = id.split(' ');
  const scope = kind.namespaced && suffix !== 'ForAllNamespaces' ? 'Namespaced' : '';
  return {
    tags: [`${group}_${kind.version}`],
    operationId: `${verb}${camel}${scope}${kind.kind}${suffix}`,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk(kind),
    ...rest,
  };
}

const body = (schema: OpenApi, types: readonly string[] = ['*/*']): OpenApi => ({
  required: true,
  content: Object.fromEntries(types.map((type) => [type, { schema }])),
});

function answers(struct: string, ...codes: string[]): OpenApi {
  const content = { 'application/json': { schema: schemaRef(openApiName(struct)) } };
  const known = codes.map((code) => [code, { description: code === '201' ? 'Created' : 'OK', content }]);
  return { responses: Object.fromEntries([...known, ['401', { description: 'Unauthorized' }]]) };
}

function listOperation(kind: OpenApiKind, list: string, suffix = ''): OpenApi {
  return operation(kind, 'list', `list ${suffix}`, {
    description: `list or watch objects of kind ${kind.kind}`,
    parameters: LIST_QUERIES,
    ...answers(list, '200'),
  });
}

function collectionOperations(kind: OpenApiKind, struct: string): OpenApi {
  return {
    get: listOperation(kind, `${struct}List`),
    post: operation(kind, 'post', 'create', {
      description: `create a ${kind.kind}`,
      parameters: [DRY_RUN, MANAGER, VALIDATION],
      requestBody: body(schemaRef(openApiName(struct))),
      ...answers(struct, '200', '201', '202'),
    }),
    delete: operation(kind, 'deletecollection', 'deleteCollection', {
      description: `delete collection of ${kind.kind}`,
      parameters: [...LIST_QUERIES, ...DELETE_QUERIES],
      ...answers(STATUS, '200'),
    }),
  };
}

function itemOperations(kind: OpenApiKind, struct: string): OpenApi {
  return {
    ...updateOperations(kind, struct, ''),
    delete: operation(kind, 'delete', 'delete', {
      description: `delete a ${kind.kind}`,
      parameters: DELETE_QUERIES,
      requestBody: { content: { '*/*': { schema: schemaRef(openApiName(DELETE_OPTIONS)) } } },
      ...answers(STATUS, '200', '202'),
    }),
  };
}

/** GET, PUT and PATCH of the object or of its status. */
function updateOperations(kind: OpenApiKind, struct: string, suffix: string): OpenApi {
  const schema = schemaRef(openApiName(struct));
  const part = suffix === '' ? '' : 'status of ';
  return {
    get: operation(kind, 'get', `read ${suffix}`, {
      description: `read ${part}the specified ${kind.kind}`,
      ...answers(struct, '200'),
    }),
    put: operation(kind, 'put', `replace ${suffix}`, {
      description: `replace ${part}the specified ${kind.kind}`,
      parameters: [DRY_RUN, MANAGER, VALIDATION],
      requestBody: body(schema),
      ...answers(struct, '200', '201'),
    }),
    patch: operation(kind, 'patch', `patch ${suffix}`, {
      description: `partially update ${part}the specified ${kind.kind}`,
      parameters: [DRY_RUN, MANAGER, VALIDATION, FORCE],
      requestBody: body(
        { type: 'object' },
        kind.openApi === undefined ? PATCH_TYPES : PATCH_TYPES.filter((type) => !type.includes('strategic')),
      ),
      ...answers(struct, '200', '201'),
    }),
  };
}
