import { idOf } from '../../protocol/kinds/kind.ts';
import { ApiError, type Status } from '../../protocol/status.ts';
import { type ApiContext, notAcceptable, type Target } from './context.ts';
import { type Answer, type Exchange, STREAMED } from './exchange.ts';
import { negotiate } from './media.ts';
import { includeObjectOf } from './projection.ts';
import { type ListOptions, revisionOf } from './query.ts';
import { refuseFuture } from './read.ts';
import { selection } from './selection.ts';
import { bodySink, socketSink, type WatchSink } from './watch-sink.ts';
import { WatchStream } from './watch-stream.ts';
import { acceptWebSocket } from './web-socket.ts';

const MIN_DEFAULT_TIMEOUT_MS = 30 * 60_000;

/** Answers a watch. The stream ends by timeout, client, or server stop. */
export async function watch(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  options: ListOptions,
): Promise<Answer> {
  const { spec } = target;
  const accepted = negotiate(exchange.request.headers.accept, ['object', 'Table', 'PartialObjectMetadata']);
  if (accepted === undefined) throw notAcceptable();
  if (options.sendInitialEvents === true) {
    if (accepted.as === 'Table') throw notAcceptable();
    if (options.resourceVersion !== '') refuseFuture(context, options.resourceVersion);
  }
  const filter = selection(spec, options.labelSelector, options.fieldSelector);
  const include = includeObjectOf(exchange.query);
  const sink = await sinkOf(context, exchange);
  const stream = new WatchStream({
    spec,
    namespace: target.namespace,
    filter,
    sink,
    bookmarks: options.allowWatchBookmarks,
    markInitialEnd: options.sendInitialEvents === true && options.allowWatchBookmarks,
    projection: { as: accepted.as, include },
    context,
  });
  const refused = begin(context, target, options, stream);
  if (refused !== undefined) {
    sink.write([`${JSON.stringify({ type: 'ERROR', object: refused })}\n`], () => undefined);
    sink.end();
    return STREAMED;
  }
  const limitMs = timeoutMs(options);
  const timer = context.clock.after(limitMs, () => stream.end());
  const finish = (): void => {
    timer.cancel();
    stream.end();
  };
  exchange.closed.addEventListener('abort', finish, { once: true });
  if (exchange.closed.aborted) finish();
  return STREAMED;
}

/** Subprotocols browsers' clients name for a watch; whichever it is, events go out as text. */
const PROTOCOLS = ['', 'base64.binary.k8s.io', 'binary.k8s.io'];

async function sinkOf(context: ApiContext, exchange: Exchange): Promise<WatchSink> {
  if (exchange.upgrade === undefined)
    return bodySink(exchange.response, (lines) => context.encoder.joined(lines));
  return socketSink((await acceptWebSocket(exchange, PROTOCOLS, context.clock)).socket);
}

function timeoutMs(options: ListOptions): number {
  if (options.timeoutSeconds !== undefined && options.timeoutSeconds > 0)
    return options.timeoutSeconds * 1000;
  // Spread, so that the watches of a restarted client do not all end in the same second.
  return MIN_DEFAULT_TIMEOUT_MS * (1 + Math.random());
}

/** Subscribes and queues the initial state in one synchronous step, so that nothing falls between the two. */
function begin(
  context: ApiContext,
  target: Target,
  options: ListOptions,
  stream: WatchStream,
): Status | undefined {
  const { store } = context;
  const fromNow = options.resourceVersion === '' || options.resourceVersion === '0';
  const from = fromNow ? store.revision : revisionOf(options.resourceVersion);
  try {
    // A version this store never gave is of another life of the hub: the client must list again.
    if (from > store.revision)
      throw new ApiError('Expired', `too old resource version: ${from} (${store.revision})`);
    const initial = options.sendInitialEvents ?? fromNow;
    const items = initial ? store.listObjects(idOf(target.spec), target.namespace).items : [];
    stream.begin(initial ? store.revision : from, items);
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return error.toStatus();
    throw error;
  }
}
