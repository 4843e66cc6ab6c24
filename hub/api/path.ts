/** A Kubernetes resource path taken apart; names are decoded. */
export interface ResourcePath {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** Absent for cluster-wide paths. */
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
  /** What follows the subresource, decoded, without a leading slash; for proxies. */
  readonly rest?: string;
}

const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

/** Decoded segments of a path; undefined when an escape is malformed or a segment is no plain name. */
function segmentsOf(path: string): string[] | undefined {
  try {
    const segments = path
      .split('/')
      .filter((s) => s !== '')
      .map(decodeURIComponent);
    return segments.some((s) => s === '.' || s === '..' || s.includes('\0')) ? undefined : segments;
  } catch {
    return undefined; // URIError: the only thing decodeURIComponent throws
  }
}

/**
 * Takes `/api/V/…` and `/apis/G/V/…` apart, namespaced or not. Undefined for every other path, also for discovery
 * paths (no resource) and malformed escapes. Pure; never throws.
 */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const segments = segmentsOf(path);
  const [root, ...rest] = segments ?? [];
  if (root === 'api') return withResource('', rest[0], rest.slice(1));
  if (root === 'apis') return withResource(rest[0] ?? '', rest[1], rest.slice(2));
  return undefined;
}

function withResource(
  group: string,
  version: string | undefined,
  rest: readonly string[],
): ResourcePath | undefined {
  const [first, second, third] = rest;
  if (version === undefined || first === undefined) return undefined;
  const inNamespace =
    first === 'namespaces' &&
    second !== undefined &&
    third !== undefined &&
    !(group === '' && NAMESPACE_SUBRESOURCES.has(third));
  const namespace = inNamespace ? second : undefined;
  const [resource, name, subresource, ...tail] = inNamespace ? rest.slice(2) : rest;
  if (resource === undefined) return undefined;
  return {
    group,
    version,
    resource,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(tail.length === 0 ? {} : { rest: tail.join('/') }),
  };
}
