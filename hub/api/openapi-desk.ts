import type { Clock, Timer } from '../../kit/clock.ts';
import { ApiError } from '../../protocol/status.ts';
import { cached, noSuchPath } from './documents.ts';
import type { Answer, Exchange } from './exchange.ts';
import { parseAccept } from './media.ts';
import type { OpenApiPort } from './ports.ts';

const ROOT = '/openapi/v3';
const ROOT_V2 = '/openapi/v2';
const PROTOBUF_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** What clients ask `/openapi/v2` for; protobuf by two names, of which Go clients use the one that is no media type. */
const FORMATS_V2 = new Map<string, 'json' | 'protobuf'>([
  ['application/json', 'json'],
  ['application/*', 'json'],
  ['*/*', 'json'],
  [PROTOBUF_V2, 'protobuf'],
  ['application/com.github.proto-openapi.spec.v2@v1.0+protobuf', 'protobuf'],
]);
const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Documents nobody has asked for in this time are let go of: clients keep them by their hash. */
const IDLE_MS = 60_000;

/** Answers `/openapi/v3`, its documents and `/openapi/v2`, and lets go of them when nobody asks any more. */
export class OpenApiDesk {
  readonly #documents: OpenApiPort;
  readonly #clock: Clock;
  #idle: Timer | undefined;

  constructor(documents: OpenApiPort, clock: Clock) {
    this.#documents = documents;
    this.#clock = clock;
  }

  /** Undefined for other paths; throws NotFound for a document that is not there. */
  answer(exchange: Exchange): Answer | undefined {
    const path = exchange.path.replace(/\/$/, '');
    if (path !== ROOT && path !== ROOT_V2 && !path.startsWith(`${ROOT}/`)) return undefined;
    this.#idle?.cancel();
    this.#idle = this.#clock.after(IDLE_MS, () => this.#documents.drop());
    if (path === ROOT_V2) return this.#v2(exchange);
    return path === ROOT ? this.#index(exchange) : this.#document(exchange, path.slice(ROOT.length + 1));
  }

  #v2(exchange: Exchange): Answer {
    const { accept = '', 'if-none-match': known } = exchange.request.headers;
    const wanted = accept === '' ? ['*/*'] : parseAccept(accept).map(({ type }) => type);
    const format = wanted.map((type) => FORMATS_V2.get(type)).find((found) => found !== undefined);
    if (format === undefined)
      throw new ApiError(
        'NotAcceptable',
        `only the following media types are accepted: application/json, ${PROTOBUF_V2}`,
      );
    const { bytes, hash } = this.#documents.v2(format);
    const type = format === 'json' ? 'application/json' : PROTOBUF_V2;
    const headers = { ETag: `"${hash}"`, Vary: 'Accept', 'Cache-Control': 'no-cache, private' };
    return known === headers.ETag ? { text: '', type, code: 304, headers } : { text: bytes, type, headers };
  }

  stop(): void {
    this.#idle?.cancel();
  }

  #index(exchange: Exchange): Answer {
    const paths = this.#documents.groupVersions().map((apiVersion) => {
      const path = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`;
      return [path, { serverRelativeURL: urlOf(path, this.#documents.hash(apiVersion) ?? '') }];
    });
    return cached(exchange, JSON.stringify({ paths: Object.fromEntries(paths) }), 'application/json');
  }

  /** A document asked for by its hash may be kept for ever; another hash is sent on to the present one. */
  #document(exchange: Exchange, path: string): Answer {
    const apiVersion = /^api\/([^/]+)$/.exec(path)?.[1] ?? /^apis\/([^/]+\/[^/]+)$/.exec(path)?.[1];
    const file = apiVersion === undefined ? undefined : this.#documents.file(apiVersion);
    if (file === undefined) throw noSuchPath();
    const { hash, json } = file;
    const asked = exchange.query.get('hash');
    if (asked === null) return cached(exchange, json, 'application/json');
    if (asked !== hash)
      return { text: '', type: 'text/plain', code: 301, headers: { Location: urlOf(path, hash) } };
    const headers = {
      'Cache-Control': 'public, immutable',
      Expires: new Date(this.#clock.nowMs() + YEAR_MS).toUTCString(),
      ETag: `"${hash}"`,
      Vary: 'Accept',
    };
    return { text: json, type: 'application/json', headers };
  }
}

const urlOf = (path: string, hash: string): string => `${ROOT}/${path}?hash=${encodeURIComponent(hash)}`;
