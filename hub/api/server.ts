import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { KindSpec } from '../../protocol/kinds/kind.ts';
import { type AuditSink, auditor } from './audit.ts';
import { mastersOnly } from './authorize.ts';
import { FrontDesk } from './front-desk.ts';
import { identifier } from './identify.ts';
import { OpenApiDesk } from './openapi-desk.ts';
import type {
  AccessPort,
  AccountTokensPort,
  Authorize,
  CodecPort,
  ExtraRoute,
  Metric,
  OpenApiPort,
  StorePort,
  StreamsPort,
  TelemetryPort,
  TokenLookup,
} from './ports.ts';
import { refuseRaw } from './raw-refusal.ts';
import { routes } from './routes.ts';
import { COMPUTED, type ServedResource, servedOf } from './served.ts';
import { viewedStore } from './viewed-store.ts';
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
  /** Kinds that come and go while the server runs; the same array as long as nothing changes. Default: none. */
  readonly customKinds?: () => readonly KindSpec[];
  readonly store: StorePort;
  readonly codec: CodecPort;
  readonly openApi: OpenApiPort;
  readonly streams: StreamsPort;
  readonly telemetry: TelemetryPort;
  readonly tokens: TokenLookup;
  /** Default: members of system:masters may do everything, others nothing. */
  readonly authorize?: Authorize;
  /** What rights people have, for reviews, and which writes are looked at. */
  readonly access?: AccessPort;
  /** Tokens of service accounts; without it, none are issued or reviewed. */
  readonly accounts?: AccountTokensPort;
  readonly extraRoutes?: readonly ExtraRoute[];
  /** Where requests are noted. */
  readonly audit?: AuditSink;
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
  /** For taking something of a large answer. */
  readonly stallMs: number;
}

const LIMITS: ClientLimits = { headMs: 10_000, requestMs: 60_000, idleMs: 120_000, stallMs: 60_000 };
const TCP_KEEP_ALIVE_MS = 30_000;
/** How long `stop` waits for answers under way. */
const STOP_GRACE_MS = 2_000;
const MAX_HEADER_BYTES = 64 * 1024;

const NO_KINDS: readonly KindSpec[] = [];

interface KindTable {
  readonly kinds: readonly KindSpec[];
  readonly resources: readonly ServedResource[];
}

/** All kinds and what discovery says of them, made anew when the custom ones have changed. */
function kindTable(fixed: readonly KindSpec[], custom: () => readonly KindSpec[]): () => KindTable {
  let of: readonly KindSpec[] | undefined;
  let table: KindTable = { kinds: [], resources: [] };
  return () => {
    const now = custom();
    if (now !== of) {
      of = now;
      const kinds = [...fixed, ...now];
      table = { kinds, resources: [...fixed.map(servedOf), ...COMPUTED, ...now.map(servedOf)] };
    }
    return table;
  };
}

/**
 * The Kubernetes REST API over HTTPS. Every refusal is a Status; a handler that throws anything else is a logged 500
 * and never ends the process. After `stop` has resolved nothing listens and no connection is left.
 */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #desk: FrontDesk;
  readonly #openApi: OpenApiDesk;
  readonly #servers: Server[] = [];
  /** Also of connections that are still shaking hands, which no server counts as its own. */
  readonly #sockets = new Set<Duplex>();

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#openApi = new OpenApiDesk(options.openApi, options.clock);
    const { codec, streams, telemetry, clock, log } = options;
    const table = kindTable(options.kinds, options.customKinds ?? (() => NO_KINDS));
    const store = viewedStore(options.store, () => table().kinds);
    const encoder = new EventEncoder();
    const authorize = options.authorize ?? mastersOnly;
    const handle = routes({
      identify: identifier(options.tokens, authorize),
      context: {
        get kinds() {
          return table().kinds;
        },
        get resources() {
          return table().resources;
        },
        store,
        codec,
        streams,
        telemetry,
        authorize,
        access: options.access,
        accounts: options.accounts,
        encoder,
        clock,
        log,
      },
      openApi: this.#openApi,
      extraRoutes: options.extraRoutes ?? [],
      ...(options.audit === undefined ? {} : { audit: auditor(options.audit, clock) }),
      metrics: options.metrics ?? (() => []),
    });
    this.#desk = new FrontDesk(handle, log, (options.limits ?? LIMITS).stallMs);
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
          const timer = setTimeout(() => this.#destroySockets(), STOP_GRACE_MS);
          server.once('close', () => clearTimeout(timer));
        }),
    );
    this.#openApi.stop();
    this.#desk.endAll();
    const timer = setTimeout(() => this.#desk.destroyUpgraded(), STOP_GRACE_MS / 2);
    await Promise.all(closing);
    clearTimeout(timer);
  }

  #destroySockets(): void {
    for (const socket of this.#sockets) socket.destroy();
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
      connectionsCheckingInterval: limits.headMs / 2,
    });
    this.#servers.push(server);
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => void this.#desk.serve(request, response));
    server.on('upgrade', (request, socket, head) => void this.#desk.upgrade(request, socket, head));
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
}
