import { type APIService, apiServiceKind } from '../../protocol/kinds/api-service-kind.ts';
import { notFound } from '../../protocol/status.ts';
import { type ApiContext, demand, methodNotAllowed, notAcceptable } from './context.ts';
import type { Answer, Exchange } from './exchange.ts';
import { negotiate } from './media.ts';
import type { ResourcePath } from './path.ts';
import { includeObjectOf, projectList, projectOne } from './projection.ts';
import { listOptions } from './query.ts';
import { selection } from './selection.ts';

/** Everything the hub serves has been there since long ago, as far as the list is concerned. */
const SINCE = '1970-01-01T00:00:00Z';

/** Answers get and list of APIServices, which show the groups that are served; undefined for other paths. */
export function apiServicesAnswer(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
): Answer | undefined {
  const { group, version, plural } = apiServiceKind;
  if (path.group !== group || path.version !== version || path.resource !== plural) return undefined;
  if (exchange.method !== 'GET' || path.subresource !== undefined) throw methodNotAllowed();
  demand(context, exchange, path, path.name === undefined ? 'list' : 'get');
  const single = path.name !== undefined;
  const accepted = negotiate(exchange.request.headers.accept, [
    'object',
    'Table',
    single ? 'PartialObjectMetadata' : 'PartialObjectMetadataList',
  ]);
  if (accepted === undefined) throw notAcceptable();
  const project = {
    as: accepted.as,
    include: includeObjectOf(exchange.query),
    nowMs: context.clock.nowMs(),
  };
  if (single) {
    const found = services(context).find((service) => service.metadata.name === path.name);
    if (found === undefined) throw notFound(apiServiceKind, path.name ?? '');
    return { object: projectOne(apiServiceKind, found, project) };
  }
  const options = listOptions(exchange.query);
  if (options.watch) throw methodNotAllowed();
  const matches = selection(apiServiceKind, options.labelSelector, options.fieldSelector);
  const items = services(context).filter(matches ?? (() => true));
  const metadata = { resourceVersion: String(context.store.revision) };
  return { list: projectList(apiServiceKind, items, metadata, project) };
}

/** One for each group version, in the order of discovery. */
function services(context: ApiContext): APIService[] {
  const seen = new Map(
    context.resources.map(({ group, version }) => [`${version}.${group}`, { group, version }]),
  );
  return [...seen.values()].map(({ group, version }) => ({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: {
      name: `${version}.${group}`,
      uid: `${version}.${group}`,
      resourceVersion: '1',
      creationTimestamp: SINCE,
      labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' },
    },
    spec: { group, version, groupPriorityMinimum: 17_000, versionPriority: 15 },
    status: {
      conditions: [
        {
          type: 'Available',
          status: 'True',
          reason: 'Local',
          message: 'Local APIServices are always available',
          lastTransitionTime: SINCE,
        },
      ],
    },
  }));
}
