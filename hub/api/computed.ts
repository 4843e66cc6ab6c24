import type { KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { notFound } from '../../protocol/status.ts';
import { type ApiContext, demand, methodNotAllowed, notAcceptable } from './context.ts';
import type { Answer, Exchange } from './exchange.ts';
import { negotiate } from './media.ts';
import type { ResourcePath } from './path.ts';
import { includeObjectOf, projectList, projectOne } from './projection.ts';
import { listOptions } from './query.ts';
import { selection } from './selection.ts';

/** True when a path leads to objects of a kind that is computed; those of its subresources, too. */
export function leadsTo(path: ResourcePath, { group, version, plural }: KindSpec): boolean {
  return path.group === group && path.version === version && path.resource === plural;
}

/** Answers get and list of cluster-wide objects that are computed and cannot be watched or written. Throws ApiError. */
export function readComputed(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
  kind: KindSpec,
  all: () => readonly KubeObject[],
): Answer {
  if (exchange.method !== 'GET' || path.subresource !== undefined) throw methodNotAllowed();
  const { name } = path;
  demand(context, exchange, path, name === undefined ? 'list' : 'get');
  const accepted = negotiate(exchange.request.headers.accept, [
    'object',
    'Table',
    name === undefined ? 'PartialObjectMetadataList' : 'PartialObjectMetadata',
  ]);
  if (accepted === undefined) throw notAcceptable();
  const project = {
    as: accepted.as,
    include: includeObjectOf(exchange.query),
    nowMs: context.clock.nowMs(),
  };
  if (name !== undefined) {
    const found = all().find((object) => object.metadata.name === name);
    if (found === undefined) throw notFound(kind, name);
    return { object: projectOne(kind, found, project) };
  }
  const options = listOptions(exchange.query);
  if (options.watch) throw methodNotAllowed();
  const items = all().filter(selection(kind, options.labelSelector, options.fieldSelector) ?? (() => true));
  const metadata = { resourceVersion: String(context.store.revision) };
  return { list: projectList(kind, items, metadata, project) };
}
