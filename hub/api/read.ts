import { idOf } from '../../protocol/kinds/kind.ts';
import { ApiError } from '../../protocol/status.ts';
import { type ApiContext, existing, notAcceptable, type Target } from './context.ts';
import type { Answer, Exchange } from './exchange.ts';
import { negotiate } from './media.ts';
import type { PageRequest } from './ports.ts';
import { includeObjectOf, type ListMeta, projectList, projectOne } from './projection.ts';
import { type ListOptions, revisionOf } from './query.ts';
import { selection } from './selection.ts';

/** Answers a get of one object. */
export function get(context: ApiContext, exchange: Exchange, target: Target): Answer {
  const wanted = exchange.query.get('resourceVersion') ?? '';
  if (wanted !== '') refuseFuture(context, wanted);
  return { object: shown(context, exchange, target, existing(context, target)) };
}

/** An object in the form the client accepts; throws NotAcceptable. */
export function shown(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  object: Parameters<typeof projectOne>[1],
): object {
  const accepted = negotiate(exchange.request.headers.accept, ['object', 'Table', 'PartialObjectMetadata']);
  if (accepted === undefined) throw notAcceptable();
  return projectOne(target.spec, object, {
    as: accepted.as,
    include: includeObjectOf(exchange.query),
    nowMs: context.clock.nowMs(),
  });
}

/** Answers a list, one page of it when the client sets a limit. */
export function list(context: ApiContext, exchange: Exchange, target: Target, options: ListOptions): Answer {
  const accepted = negotiate(exchange.request.headers.accept, [
    'object',
    'Table',
    'PartialObjectMetadataList',
  ]);
  if (accepted === undefined) throw notAcceptable();
  const page = context.store.listPage(idOf(target.spec), pageRequest(context, target, options));
  const metadata: ListMeta = {
    resourceVersion: String(page.revision),
    ...(page.continueToken === undefined ? {} : { continue: page.continueToken }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
  const include = includeObjectOf(exchange.query);
  const nowMs = context.clock.nowMs();
  return { list: projectList(target.spec, page.items, metadata, { as: accepted.as, include, nowMs }) };
}

function pageRequest(context: ApiContext, target: Target, options: ListOptions): PageRequest {
  const { resourceVersion, resourceVersionMatch } = options;
  if (resourceVersion !== '') refuseFuture(context, resourceVersion);
  if (options.continue !== '' && resourceVersion !== '' && resourceVersion !== '0')
    throw new ApiError('BadRequest', 'specifying resource version is not allowed when using continue');
  const matches = selection(target.spec, options.labelSelector, options.fieldSelector);
  // A page of a version is a page of exactly that version, also where the client does not say so.
  const isPage = options.limit > 0 && resourceVersion !== '' && resourceVersion !== '0';
  const isExact = resourceVersionMatch === 'Exact' || (isPage && resourceVersionMatch === '');
  return {
    ...(isExact ? { revision: revisionOf(resourceVersion) } : {}),
    ...(target.namespace === '' ? {} : { namespace: target.namespace }),
    // Version "0" means "whatever is at hand": Kubernetes then answers from its cache, whole.
    limit: resourceVersion === '0' ? 0 : options.limit,
    ...(options.continue === '' ? {} : { continueToken: options.continue }),
    ...(matches === undefined ? {} : { matches }),
  };
}

/** 504 for a version that the hub has not come to yet; the client may ask again. */
export function refuseFuture(context: ApiContext, wanted: string): void {
  const revision = revisionOf(wanted);
  const { revision: current } = context.store;
  if (revision <= current) return;
  throw new ApiError('Timeout', `Timeout: Too large resource version: ${revision}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}
