import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../protocol/status.ts';
import type { Auditor } from './audit.ts';
import { bearerToken, peerCertificate } from './authenticate.ts';
import { forbidden } from './authorize.ts';
import { readBody } from './body.ts';
import { type ApiContext, methodNotAllowed } from './context.ts';
import { discoveryAnswer, noSuchPath, versionAnswer } from './documents.ts';
import type { Answer, Exchange, Handler } from './exchange.ts';
import type { Identity } from './identify.ts';
import { nodeOverviews } from './node-overview.ts';
import type { OpenApiDesk } from './openapi-desk.ts';
import { parseResourcePath } from './path.ts';
import type { ExtraRoute, Metric, User } from './ports.ts';
import { PROMETHEUS_TYPE, processMetrics, prometheusText } from './prometheus.ts';
import { resourceAnswer } from './resources.ts';

/** What the server hands over to find an answer with. */
export interface RouteOptions {
  /** Finds out who asks; rejects with Unauthorized or Forbidden. Not asked for paths that are open to everybody. */
  readonly identify: (request: IncomingMessage) => Promise<Identity>;
  readonly context: ApiContext;
  readonly openApi: OpenApiDesk;
  readonly extraRoutes: readonly ExtraRoute[];
  /** Notes requests, when they are to be noted. */
  readonly audit?: Auditor;
  /** Metrics of the other rooms, for `/metrics`. */
  readonly metrics: () => readonly Metric[];
}

const EXTRA_BODY_BYTES = 64 * 1024;
const OK: Answer = { text: 'ok', type: 'text/plain; charset=utf-8' };

/** A hub that answers is well: there are no single checks to tell of. */
const health =
  (name: string): ((exchange: Pick<Exchange, 'query'>) => Answer) =>
  ({ query }) =>
    query.has('verbose') ? { ...OK, text: `[+]ping ok\n${name} check passed\n` } : OK;

/** Paths anybody may read. */
const PUBLIC = new Map<string, (exchange: Pick<Exchange, 'query'>) => Answer>([
  ['/livez', health('livez')],
  ['/readyz', health('readyz')],
  ['/healthz', health('healthz')],
  ['/version', versionAnswer],
]);

/** The one table of paths: public ones, those of other rooms, documents, resources. Unknown callers get 401. */
export function routes(options: RouteOptions): Handler {
  const { context, extraRoutes } = options;
  const extras = new Map(extraRoutes.map((route) => [`${route.method} ${route.path}`, route]));
  return async (stranger) => {
    // Python's client asks for "/version/".
    const open = PUBLIC.get(stranger.path.replace(/\/$/, ''));
    if (open !== undefined) return reading(stranger, () => open(stranger));
    const extra = extras.get(`${stranger.method} ${stranger.path}`);
    if (extra?.anonymous === true) return extraAnswer(stranger, extra);
    const exchange = { ...stranger, user: await known(options, stranger) };
    const resource = parseResourcePath(exchange.path);
    if (resource !== undefined) return resourceAnswer(context, exchange, resource);
    demandPath(context, exchange);
    if (extra !== undefined) return extraAnswer(exchange, extra);
    return documents(options, exchange);
  };
}

/** Whom the request counts for; notes it in the audit log, a refused one too. Rejects with Unauthorized or Forbidden. */
async function known({ identify, audit }: RouteOptions, stranger: Exchange): Promise<User> {
  let identity: Identity;
  try {
    identity = await identify(stranger.request);
  } catch (error) {
    audit?.(stranger, { user: stranger.user });
    throw error;
  }
  audit?.(stranger, identity);
  return identity.user;
}

function reading(exchange: Exchange, answer: () => Answer): Answer {
  if (exchange.method !== 'GET') throw methodNotAllowed();
  return answer();
}

function documents(options: RouteOptions, exchange: Exchange): Answer {
  const { context, metrics, openApi } = options;
  if (exchange.method !== 'GET') throw isServed(options, exchange) ? methodNotAllowed() : noSuchPath();
  if (exchange.path === '/metrics')
    return { text: prometheusText([...processMetrics(), ...metrics()]), type: PROMETHEUS_TYPE };
  if (exchange.path === '/coxswain/v1/nodes') return { object: { items: nodeOverviews(context) } };
  const answer = discoveryAnswer(exchange, context.resources) ?? openApi.answer(exchange);
  if (answer === undefined) throw noSuchPath();
  return answer;
}

function isServed({ extraRoutes }: RouteOptions, { path }: Exchange): boolean {
  return path === '/metrics' || extraRoutes.some((route) => route.path === path);
}

function demandPath(context: ApiContext, exchange: Exchange): void {
  const attributes = { verb: exchange.method.toLowerCase(), path: exchange.path };
  if (!context.authorize(exchange.user, attributes)) throw forbidden(exchange.user, attributes);
}

async function extraAnswer(exchange: Exchange, route: ExtraRoute): Promise<Answer> {
  const { method, path, query, request } = exchange;
  if (exchange.upgrade !== undefined) throw new ApiError('BadRequest', 'this path takes no upgrade');
  const body = await readBody(request, route.maxBodyBytes ?? EXTRA_BODY_BYTES);
  const remoteAddress = request.socket.remoteAddress ?? '';
  const bearer = bearerToken(request);
  const der = peerCertificate(request);
  const reply = await route.handle({
    method,
    path,
    query,
    body,
    remoteAddress,
    ...(bearer === undefined ? {} : { bearer }),
    ...(der === undefined ? {} : { peerCertificateDer: der }),
  });
  if (reply.type === undefined)
    return { text: `${JSON.stringify(reply.body)}\n`, type: 'application/json', code: reply.code };
  const text = reply.body instanceof Uint8Array ? reply.body : String(reply.body);
  return { text, type: reply.type, code: reply.code };
}
