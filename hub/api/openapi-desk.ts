import type { Clock, Timer } from '../../kit/clock.ts';
import { cached, noSuchPath } from './documents.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { OpenApiPort } from './ports.ts';

const ROOT = '/openapi/v3';
const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Documents nobody has asked for in this time are let go of: clients keep them by their hash. */
const IDLE_MS = 60_000;

/** Answers `/openapi/v3` and its documents, and lets go of them when nobody asks any more. */
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
    if (path !== ROOT && !path.startsWith(`${ROOT}/`)) return undefined;
    this.#idle?.cancel();
    this.#idle = this.#clock.after(IDLE_MS, () => this.#documents.drop());
    return path === ROOT ? this.#index(exchange) : this.#document(exchange, path.slice(ROOT.length + 1));
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
