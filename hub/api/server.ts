import { type IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { KindSpec } from '../../protocol/kinds/kind.ts';
import { ApiError } from '../../protocol/status.ts';
import { ANONYMOUS, authenticate, impersonated } from './authenticate.ts';
import { forbidden, mastersOnly } from './authorize.ts';
import type { Exchange, Handler, Upgrade } from './exchange.ts';
import { OpenApiDesk } from './openapi-desk.ts';
import type {
  AdmitPod,
  Authorize,
  CodecPort,
  ExtraRoute,
  Metric,
  OpenApiPort,
  StorePort,
  StreamsPort,
  TelemetryPort,
  TokenLookup,
  User,
} from './ports.ts';
import { routes } from './routes.ts';
import { send, sendError } from './send.ts';
import { COMPUTED, servedOf } from './served.ts';
import { EventEncoder } from './watch-events.ts';

/** PEM texts. `ca` is the authority whose client certificates are believed. */
export interface TlsMaterial {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export interface ApiServerOptions {
  readonly tls: TlsMaterial;
  /** Addresses to listen on, all with the same port. */
  readonly addresses: readonly string[];
  /** 0 takes a free one. */
  readonly port: number;
  readonly kinds: readonly KindSpec[];
  readonly store: StorePort;
  readonly codec: CodecPort;
  readonly openApi: OpenApiPort;
  readonly streams: StreamsPort;
  readonly telemetry: TelemetryPort;
  readonly tokens: TokenLookup;
  /** Default: members of system:masters may do everything, others nothing. */
  readonly authorize?: Authorize;
  readonly admitPod?: AdmitPod;
  readonly extraRoutes?: readonly ExtraRoute[];
  /** Metrics of the other rooms, for `/metrics`. */
  readonly metrics?: () => readonly Metric[];
  readonly limits?: ClientLimits;
  readonly log: Logger;
  readonly clock: Clock;
}

/** How long a client may take; all in ms. */
export interface ClientLimits {
  /** For the TLS handshake and for the head of a request. */
  readonly headMs: number;
  /** For a whole request, its body included. */
  readonly requestMs: number;
  /** Between two requests of one connection. */
  readonly idleMs: number;
}

const LIMITS: ClientLimits = { headMs: 10_000, requestMs: 60_000, idleMs: 120_000 };
/** How often Node looks for clients that are over their limits. */
const CHECK_MS = 1_000;
const TCP_KEEP_ALIVE_MS = 30_000;
/** How long `stop` waits for answers under way. */
const STOP_GRACE_MS = 2_000;
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * The Kubernetes REST API over HTTPS. Every refusal is a Status; a handler that throws anything else is a logged 500
 * and never ends the process. After `stop` has resolved nothing listens and no connection is left.
 */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #handle: Handler;
  readonly #authorize: Authorize;
  readonly #openApi: OpenApiDesk;
  readonly #servers: Server[] = [];
  readonly #open = new Set<AbortController>();
  readonly #upgraded = new Set<Duplex>();

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#authorize = options.authorize ?? mastersOnly;
    this.#openApi = new OpenApiDesk(options.openApi, options.clock);
    const { kinds, store, codec, streams, telemetry, clock, log, admitPod } = options;
    const resources = [...kinds.map(servedOf), ...COMPUTED];
    const encoder = new EventEncoder();
    const authorize = this.#authorize;
    this.#handle = routes({
      identify: (request) => this.#userOf(request),
      context: {
        kinds,
        resources,
        store,
        codec,
        streams,
        telemetry,
        authorize,
        admitPod,
        encoder,
        clock,
        log,
      },
      openApi: this.#openApi,
      extraRoutes: options.extraRoutes ?? [],
      metrics: options.metrics ?? (() => []),
    });
  }

  /** Resolves once it listens on all addresses; rejects when one of them cannot be taken, having freed the others. */
  async start(): Promise<{ port: number }> {
    let { port } = this.#options;
    try {
      for (const address of this.#options.addresses) port = await this.#listen(address, port);
    } catch (error) {
      await this.stop();
      throw error;
    }
    return { port };
  }

  /** Takes new certificates for new connections. */
  renew(tls: TlsMaterial): void {
    for (const server of this.#servers) server.setSecureContext(tls);
  }

  /** Ends watches and streams cleanly, waits shortly for other answers, then closes what is left. */
  async stop(): Promise<void> {
    const closing = this.#servers.splice(0).map(
      (server) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          const timer = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
          server.once('close', () => clearTimeout(timer));
        }),
    );
    this.#openApi.stop();
    for (const controller of this.#open) controller.abort();
    const timer = setTimeout(() => {
      for (const socket of this.#upgraded) socket.destroy();
    }, STOP_GRACE_MS / 2);
    await Promise.all(closing);
    clearTimeout(timer);
  }

  #listen(address: string, port: number): Promise<number> {
    const limits = this.#options.limits ?? LIMITS;
    const server = createServer({
      ...this.#options.tls,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      handshakeTimeout: limits.headMs,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      noDelay: true,
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: limits.headMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: CHECK_MS,
    });
    this.#servers.push(server);
    server.on('request', (request, response) => void this.#serve(request, response, undefined));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    server.on('clientError', refuseRaw);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#options.log.error('API listener failed', { err: error }));
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  /** An upgrade request gets a response object too, so that refusals are written as everywhere else. */
  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#upgraded.add(socket);
    socket.on('close', () => this.#upgraded.delete(socket));
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Parameters<typeof response.assignSocket>[0]);
    response.on('finish', () => socket.end());
    void this.#serve(request, response, { socket, head });
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    upgrade: Upgrade | undefined,
  ): Promise<void> {
    const controller = new AbortController();
    this.#open.add(controller);
    const close = (): void => {
      this.#open.delete(controller);
      controller.abort();
    };
    if (upgrade === undefined) response.on('close', close);
    else upgrade.socket.on('close', close);
    // A write to a client that has gone; 'close' follows and ends what was under way.
    response.on('error', () => response.destroy());
    const url = splitUrl(request.url ?? '/');
    const exchange: Exchange = {
      request,
      response,
      method: request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET'),
      path: url.path,
      query: url.query,
      user: ANONYMOUS,
      closed: controller.signal,
      upgrade,
      warnings: [],
    };
    try {
      send(exchange, await this.#handle(exchange));
    } catch (error) {
      this.#refuse(exchange, error);
    }
  }

  async #userOf(request: IncomingMessage): Promise<User> {
    const user = await authenticate(request, this.#options.tokens);
    const other = impersonated(request);
    if (other === undefined) return user;
    const wanted = [
      { verb: 'impersonate', group: '', version: 'v1', resource: 'users', name: other.name },
      ...other.groups.map((name) => ({
        verb: 'impersonate',
        group: '',
        version: 'v1',
        resource: 'groups',
        name,
      })),
    ];
    for (const attributes of wanted)
      if (!this.#authorize(user, attributes)) throw forbidden(user, attributes);
    return other;
  }

  #refuse(exchange: Exchange, error: unknown): void {
    if (error instanceof ApiError) {
      sendError(exchange, error);
      return;
    }
    const { method, path } = exchange;
    this.#options.log.error('request failed', { method, path, err: error });
    sendError(exchange, new ApiError('InternalError', 'Internal error occurred: see the log of the hub'));
  }
}

function splitUrl(url: string): { path: string; query: URLSearchParams } {
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  return { path, query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)) };
}

const RAW_CODES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** What never became a request: garbage, a head too large, or one that never came to its end. */
function refuseRaw(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const line = RAW_CODES[error.code ?? ''] ?? '400 Bad Request';
  const code = Number(line.slice(0, 3));
  const message = line.slice(4);
  const body = `${JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason: 'BadRequest', code })}\n`;
  socket.end(
    `HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
