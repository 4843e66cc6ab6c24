import { createHash } from 'node:crypto';
import { ApiError } from '../../protocol/status.ts';
import { aggregated, apiGroup, apiGroupList, apiResourceList, apiVersions } from './discovery.ts';
import type { Answer, Exchange } from './exchange.ts';
import { parseAccept } from './media.ts';
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
  if (exchange.path === '/') return { object: { paths: rootPaths(resources) } };
  const [root, first, second, third] = exchange.path.split('/').filter((s) => s !== '');
  if (root !== 'api' && root !== 'apis') return undefined;
  if (first === undefined) return rootAnswer(exchange, resources, root);
  if (root === 'api') return second === undefined ? found(apiResourceList(resources, '', first)) : undefined;
  if (second === undefined) return found(apiGroup(resources, first));
  return third === undefined ? found(apiResourceList(resources, first, second)) : undefined;
}

const FIXED_PATHS = [
  '/.well-known/openid-configuration',
  '/api',
  '/api/v1',
  '/apis',
  '/healthz',
  '/livez',
  '/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/openid/v1/jwks',
  '/readyz',
  '/version',
];

/** What people find who look around from the root. */
function rootPaths(resources: readonly ServedResource[]): string[] {
  const groups = resources.filter((r) => r.group !== '');
  const found = groups.flatMap((r) => [`/apis/${r.group}`, `/apis/${r.group}/${r.version}`]);
  return [...new Set([...FIXED_PATHS, ...found])].sort();
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

/** An answer the client may keep and ask again by its ETag. */
export function cached(exchange: Exchange, text: string, type: string): Answer {
  const etag = `"${createHash('sha256').update(text).digest('hex').toUpperCase()}"`;
  const headers = { ETag: etag, Vary: 'Accept', 'Cache-Control': 'public' };
  const known = exchange.request.headers['if-none-match'] === etag;
  return known ? { text: '', type, code: 304, headers } : { text, type, headers };
}
