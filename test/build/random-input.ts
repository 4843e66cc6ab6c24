/** Random bytes and random objects that look like what the hub is told at its two doors. */
import fc from 'fast-check';

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1.5,
    1e99,
    '',
    'a',
    '100m',
    '2020-01-01T00:00:00Z',
    'x'.repeat(300),
  ),
  fc.string({ maxLength: 10 }),
);
const key = fc.constantFrom(
  ...[
    'metadata',
    'name',
    'namespace',
    'labels',
    'spec',
    'status',
    'containers',
    'image',
    'selector',
    'template',
  ],
  ...[
    'data',
    'finalizers',
    'ownerReferences',
    'uid',
    'kind',
    'conditions',
    'type',
    '__proto__',
    'constructor',
  ],
);

/** Any JSON value, with names of Kubernetes' fields in it. */
export const anyTree = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 5 }).map((pairs) => Object.fromEntries(pairs)),
  ),
})).tree;

/** A good value with one place in it replaced. */
export function damagedFrom(seeds: readonly object[]): fc.Arbitrary<object> {
  return fc
    .tuple(fc.constantFrom(...seeds), fc.nat(), anyTree)
    .map(([seed, at, part]) => damaged(seed, at, part));
}

/** Random bytes, or the text of a random or damaged value. */
export function anyPayload(seeds: readonly object[]): fc.Arbitrary<Buffer> {
  return fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    anyTree.map((value) => Buffer.from(JSON.stringify(value) ?? '')),
    damagedFrom(seeds).map((value) => Buffer.from(JSON.stringify(value))),
  );
}

/** A copy with one place, chosen by `at`, replaced by `part`. */
export function damaged(object: object, at: number, part: unknown): object {
  const copy = structuredClone(object);
  const places: [Record<string, unknown>, string][] = [];
  const walk = (inner: unknown): void => {
    if (typeof inner !== 'object' || inner === null) return;
    for (const [name, deeper] of Object.entries(inner)) {
      places.push([inner as Record<string, unknown>, name]);
      walk(deeper);
    }
  };
  walk(copy);
  const place = places[at % places.length];
  if (place !== undefined) place[0][place[1]] = part;
  return copy;
}
