/** How an object is to be shown: as it is, as a Table, or its metadata only. */
export type Projection = 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList';

/** What the client will read. */
export interface Accepted {
  readonly format: 'json' | 'yaml';
  readonly as: Projection;
}

interface MediaRange {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly quality: number;
}

/** Media types of an Accept header, best first, in the client's order among equals. Pure. */
export function parseAccept(accept: string): MediaRange[] {
  const ranges = accept.split(',').map((part): MediaRange => {
    const [type = '', ...parameters] = part.split(';').map((s) => s.trim());
    const pairs = parameters.map((p): [string, string] => {
      const at = p.indexOf('=');
      return at < 0 ? [p.toLowerCase(), ''] : [p.slice(0, at).toLowerCase(), p.slice(at + 1)];
    });
    const table = Object.fromEntries(pairs);
    const quality = Number(table['q'] ?? '1');
    return { type: type.toLowerCase(), parameters: table, quality: Number.isFinite(quality) ? quality : 0 };
  });
  return ranges.filter((r) => r.quality > 0).toSorted((a, b) => b.quality - a.quality);
}

const FORMATS = new Map<string, 'json' | 'yaml'>([
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/*', 'json'],
  ['*/*', 'json'],
]);

/**
 * Chooses the first acceptable form out of `offers` ("object" always counts as offered unless left out).
 * Undefined means 406. An absent header accepts JSON. Pure.
 */
export function negotiate(
  accept: string | undefined,
  offers: readonly Projection[] = ['object'],
): Accepted | undefined {
  if (accept === undefined || accept.trim() === '') return { format: 'json', as: 'object' };
  for (const { type, parameters } of parseAccept(accept)) {
    const format = FORMATS.get(type);
    if (format === undefined) continue;
    const as = projectionOf(parameters);
    if (as !== undefined && offers.includes(as)) return { format, as };
  }
  return undefined;
}

function projectionOf(parameters: Readonly<Record<string, string>>): Projection | undefined {
  const as = parameters['as'];
  if (as === undefined || as === '') return 'object';
  if (parameters['g'] !== 'meta.k8s.io' || parameters['v'] !== 'v1') return undefined;
  return as === 'Table' || as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList'
    ? as
    : undefined;
}
