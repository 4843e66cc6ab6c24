import type { KindSpec } from '../kinds/kind.ts';
import { apiVersionOf } from '../kinds/kind.ts';
import { packageOfGroupVersion } from './builtin.ts';
import { type OpenApi, openApiName, schemaRef } from './openapi-types.ts';

/** What an OpenAPI document says of a kind. */
export type OpenApiKind = Pick<
  KindSpec,
  'kind' | 'group' | 'version' | 'plural' | 'namespaced' | 'hasStatus' | 'openApi'
> & {
  /** All that may be done with it; absent for kinds that are stored: everything. */
  readonly verbs?: readonly Verb[];
};

/** What may be done with kinds that are not stored. */
type Verb = 'create' | 'get' | 'list';

/** Structs that documents refer to whatever the kinds. */
export const STATUS = 'meta/v1.Status';
export const DELETE_OPTIONS = 'meta/v1.DeleteOptions';

/** The name of a kind's struct, also of one that is no built-in. */
export const structOf = (kind: OpenApiKind): string =>
  `${packageOfGroupVersion(apiVersionOf(kind))}.${kind.kind}`;

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

/** `x-kubernetes-group-version-kind` of a kind. */
export const gvk = ({ group, version, kind }: Pick<OpenApiKind, 'group' | 'version' | 'kind'>): OpenApi => ({
  group,
  version,
  kind,
});

/** True for a kind that can be listed. */
export const isListed = ({ verbs }: OpenApiKind): boolean => verbs === undefined || verbs.includes('list');

/** The operations of a kind, path by path. */
export function kindPaths(kind: OpenApiKind): [string, OpenApi][] {
  const all = allPaths(kind);
  const { verbs } = kind;
  if (verbs === undefined) return all;
  const actions = new Set(verbs.map((verb) => (verb === 'create' ? 'post' : verb)));
  const isAllowed = (operation: unknown): boolean =>
    actions.has((operation as OpenApi)['x-kubernetes-action'] as 'post' | 'get' | 'list');
  return all.flatMap(([where, { parameters, ...operations }]) => {
    const kept = Object.entries(operations).filter(([, operation]) => isAllowed(operation));
    return kept.length === 0
      ? []
      : [[where, { ...Object.fromEntries(kept), parameters }] as [string, OpenApi]];
  });
}

function allPaths(kind: OpenApiKind): [string, OpenApi][] {
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = kind.namespaced ? '/namespaces/{namespace}' : '';
  const struct = structOf(kind);
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
