import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { idOf } from '../../protocol/kinds/kind.ts';
import type { Endpoints, Service } from '../../protocol/kinds/network.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError, notFound } from '../../protocol/status.ts';
import { type ApiContext, demand, type Target } from './context.ts';
import { noSuchPath } from './documents.ts';
import { type Answer, type Exchange, STREAMED } from './exchange.ts';
import { nodeProxy } from './node-proxy.ts';
import { PodSocket } from './pod-socket.ts';
import type { StorePort } from './ports.ts';
import { answerHeaders, locationWithin, requestHeaders } from './proxy-headers.ts';
import { type ProxyName, parseProxyName, proxyPort } from './proxy-target.ts';
import { type Backend, serviceBackends } from './service-backends.ts';

const VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/**
 * Answers `pods/NAME[:PORT]/proxy/…` with what the pod answers, and `services/NAME[:PORT]/proxy/…` with what one of its ready pods does:
 * any method, body, status and headers, upgrades too. Of nodes, the hub answers what it knows itself.
 */
export async function proxy(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const { spec, path } = target;
  demand(context, exchange, path, VERBS[exchange.method] ?? exchange.method.toLowerCase());
  if (idOf(spec) === 'Node') return nodeProxy(context, exchange, target);
  if (idOf(spec) !== 'Pod' && idOf(spec) !== 'Service') throw noSuchPath();
  const { scheme, name, port } = parseProxyName(spec.singular, target.name);
  const object = context.store.getObject(idOf(spec), target.namespace, name);
  if (object === undefined) throw notFound(spec, name);
  const within = proxyPath(exchange.path);
  if (within.rest === '' && exchange.method === 'GET' && exchange.upgrade === undefined)
    return { text: '', type: 'text/plain', code: 301, headers: { Location: redirect(exchange) } };
  const wanted = { scheme, name, port };
  const backend =
    idOf(spec) === 'Pod'
      ? podBackend(object as Pod, wanted)
      : behind(context.store, target.namespace, object as Service, wanted);
  return forward(context, exchange, { ...backend, scheme }, within);
}

function podBackend(pod: Pod, wanted: ProxyName): Backend {
  const port = proxyPort(pod, wanted);
  if ((pod.spec.nodeName ?? '') === '' || (pod.status?.podIP ?? '') === '')
    throw new ApiError('BadRequest', `pod ${pod.metadata.name} has no address yet`);
  return { pod, port };
}

/** Any of those that answer for the service, as likely as another. */
function behind(store: StorePort, namespace: string, service: Service, wanted: ProxyName): Backend {
  const pods = store.listObjects('Pod', namespace).items as readonly Pod[];
  const endpoints = store.getObject('Endpoints', namespace, wanted.name) as Endpoints | undefined;
  const all = serviceBackends(wanted, service, pods, endpoints);
  const chosen = all[Math.floor(Math.random() * all.length)];
  if (chosen === undefined) throw new Error('a service without backends was not refused');
  return chosen;
}

interface ProxyPath {
  /** Up to and with `proxy`, as the client wrote it. */
  readonly prefix: string;
  /** What follows, still encoded. */
  readonly rest: string;
}

function proxyPath(path: string): ProxyPath {
  const match = /^((?:\/+[^/]+){2}(?:\/+namespaces\/+[^/]+)?\/+[^/]+\/+[^/]+\/+proxy)(.*)$/.exec(path);
  if (match === null) throw noSuchPath();
  return { prefix: match[1] ?? '', rest: match[2] ?? '' };
}

/** Without the slash, relative links of a page would lead elsewhere. */
function redirect({ path, query }: Exchange): string {
  return `${path}/${query.size === 0 ? '' : `?${query}`}`;
}

async function forward(
  context: ApiContext,
  exchange: Exchange,
  { pod, port, scheme }: Backend & Pick<ProxyName, 'scheme'>,
  { prefix, rest }: ProxyPath,
): Promise<Answer> {
  const address = pod.status?.podIP ?? '';
  const { url = '' } = exchange.request;
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  const host = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const open = (): Duplex =>
    new PodSocket((handlers) => context.streams.open(pod, { kind: 'port', port }, handlers));
  const outgoing = httpRequest({
    // Certificates of pods are nobody's: who is behind the device's stream is known.
    createConnection: () =>
      scheme === 'https' ? connectTls({ socket: open(), rejectUnauthorized: false }) : open(),
    method: exchange.request.method ?? 'GET',
    path: `${rest === '' ? '/' : rest}${query}`,
    headers: requestHeaders(exchange, host),
    setHost: false,
  });
  exchange.closed.addEventListener('abort', () => outgoing.destroy(), { once: true });
  await relay(exchange, outgoing, { prefix, host, scheme });
  return STREAMED;
}

interface Origin {
  readonly prefix: string;
  readonly host: string;
  readonly scheme: string;
}

/** Sends the client's body, and the pod's answer back. Rejects with ApiError when there is none. */
function relay(exchange: Exchange, outgoing: ClientRequest, origin: Origin): Promise<void> {
  const { request, response, upgrade } = exchange;
  return new Promise((resolve, reject) => {
    outgoing.on('response', (answer) => {
      // One connection for one request; after a refused upgrade Node would leave it open.
      const { socket } = answer;
      answer.on('close', () => socket.destroy());
      relayAnswer(exchange, answer, origin);
      resolve();
    });
    outgoing.on('upgrade', (answer, socket, head) => {
      relayUpgrade(exchange, answer, socket, head);
      resolve();
    });
    outgoing.on('error', (error) => {
      reject(unreachable(error));
      // With an answer under way, only the end of the connection says that it is not whole.
      if (response.headersSent) response.destroy();
    });
    if (upgrade === undefined) request.pipe(outgoing);
    else outgoing.end();
  });
}

function unreachable(error: Error): ApiError {
  const reason = error instanceof ApiError ? error.reason : 'ServiceUnavailable';
  return new ApiError(reason, `error trying to reach service: ${error.message}`, undefined, { cause: error });
}

function relayAnswer({ response }: Exchange, answer: IncomingMessage, origin: Origin): void {
  const headers = answerHeaders(answer.rawHeaders);
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'location');
  if (at >= 0) headers[at + 1] = locationWithin(headers[at + 1] ?? '', origin);
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', headers);
  response.flushHeaders();
  answer.on('error', () => response.destroy());
  answer.on('aborted', () => response.destroy());
  answer.pipe(response);
}

function relayUpgrade(exchange: Exchange, answer: IncomingMessage, pod: Duplex, head: Buffer): void {
  const { response, upgrade } = exchange;
  if (upgrade === undefined) {
    // Nobody asked for it: the client could not make sense of what follows.
    pod.destroy();
    response.destroy();
    return;
  }
  const client = upgrade.socket;
  if (response.socket !== null) response.detachSocket(response.socket);
  const lines = [`HTTP/1.1 ${answer.statusCode ?? 101} ${answer.statusMessage ?? ''}`];
  for (let i = 0; i < answer.rawHeaders.length; i += 2)
    lines.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`);
  client.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  client.write(head);
  pod.write(upgrade.head);
  pod.on('error', () => client.destroy());
  pod.on('close', () => client.end());
  client.on('close', () => pod.destroy());
  pod.pipe(client);
  client.pipe(pod);
}
