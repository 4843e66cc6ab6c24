import { createHash } from 'node:crypto';
import { ApiError } from '../../protocol/status.ts';
import { aggregated, apiGroup, apiGroupList, apiResourceList, apiVersions } from './discovery.ts';
import type { Answer, Exchange } from './exchange.ts';
import { parseAccept } from './media.ts';
import type { SchemaPort } from './ports.ts';
import type { ServedResource } from './served.ts';

/** Kubernetes version whose API is spoken, as kubectl compares it, and our own name behind it. */
const VERSION = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.0+coxswain',
  gitCommit: '0000000000000000000000000000000000000000',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

const YEAR_MS = 365 * 24 * 3600 * 1000;
const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** 404 for a path that is nothing; without details, so that clients do not take it for an absent object. */
export function noSuchPath(): ApiError {
  return new ApiError('NotFound', 'the server could not find the requested resource', {});
}

/** `/version`. */
export function versionAnswer(): Answer {
  return { object: VERSION };
}

/** Answers discovery paths; undefined when `path` is none. Throws NotFound for groups that are not served. */
export function discoveryAnswer(
  exchange: Exchange,
  resources: readonly ServedResource[],
): Answer | undefined {
  const [root, first, second, third] = exchange.path.split('/').filter((s) => s !== '');
  if (root !== 'api' && root !== 'apis') return undefined;
  if (first === undefined) return rootAnswer(exchange, resources, root);
  if (root === 'api') return second === undefined ? found(apiResourceList(resources, '', first)) : undefined;
  if (second === undefined) return found(apiGroup(resources, first));
  return third === undefined ? found(apiResourceList(resources, first, second)) : undefined;
}

function found(object: object | undefined): Answer {
  if (object === undefined) throw noSuchPath();
  return { object };
}

function rootAnswer(exchange: Exchange, resources: readonly ServedResource[], root: 'api' | 'apis'): Answer {
  if (wantsAggregated(exchange.request.headers.accept ?? '')) {
    const text = JSON.stringify(aggregated(resources, root));
    return cached(exchange, text, V2);
  }
  return { object: root === 'api' ? apiVersions() : apiGroupList(resources), headers: { Vary: 'Accept' } };
}

function wantsAggregated(accept: string): boolean {
  const wanted = parseAccept(accept).find(
    ({ type, parameters: p }) =>
      type === 'application/json' &&
      (p['as'] === undefined || (p['v'] === 'v2' && p['g'] === 'apidiscovery.k8s.io')),
  );
  return wanted?.parameters['as'] === 'APIGroupDiscoveryList';
}

function cached(exchange: Exchange, text: string, type: string): Answer {
  const etag = `"${createHash('sha256').update(text).digest('hex').toUpperCase()}"`;
  const headers = { ETag: etag, Vary: 'Accept', 'Cache-Control': 'public' };
  const known = exchange.request.headers['if-none-match'] === etag;
  return known ? { text: '', type, code: 304, headers } : { text, type, headers };
}

/**
 * Answers `/openapi/v3` and its documents; undefined for other paths. A document asked for by its hash may be kept
 * for ever; another hash is sent on to the present one.
 */
export function openApiAnswer(exchange: Exchange, schema: SchemaPort, nowMs: number): Answer | undefined {
  const path = exchange.path.replace(/\/$/, '');
  if (path === '/openapi/v3') {
    const entries = schema.openApiPaths().map((p) => [p.path, { serverRelativeURL: urlOf(p) }]);
    return cached(exchange, JSON.stringify({ paths: Object.fromEntries(entries) }), 'application/json');
  }
  if (!path.startsWith('/openapi/v3/')) return undefined;
  const name = path.slice('/openapi/v3/'.length);
  const document = schema.openApi(name);
  if (document === undefined) throw noSuchPath();
  const { hash, json } = document;
  const asked = exchange.query.get('hash');
  if (asked !== null && asked !== hash)
    return { text: '', type: 'text/plain', code: 301, headers: { Location: urlOf({ path: name, hash }) } };
  if (asked === null) return cached(exchange, json, 'application/json');
  return {
    text: json,
    type: 'application/json',
    headers: {
      'Cache-Control': 'public, immutable',
      Expires: new Date(nowMs + YEAR_MS).toUTCString(),
      ETag: `"${hash}"`,
      Vary: 'Accept',
    },
  };
}

const urlOf = ({ path, hash }: { path: string; hash: string }): string =>
  `/openapi/v3/${path}?hash=${encodeURIComponent(hash)}`;
