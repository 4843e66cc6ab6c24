/** An image on the node. Names are tags (`nginx:1.27`) and digests (`nginx@sha256:…`). */
export interface NodeImage {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** `os/arch` or `os/arch/variant` without the `linux/`; empty when the image does not say. */
  readonly platform: string;
}

/** When an image was first seen here and last used by a container; monotonic ms. */
export interface ImageUse {
  readonly firstSeenMs: number;
  readonly lastUsedMs: number;
}

/** What of the images must stay. */
export interface KeptImages {
  /** Images that containers of the engine were made from, running or not, whoever made them. */
  readonly inUse: ReadonlySet<string>;
  /** References of the pods this node holds, of pulls under way, and of the agent's own images. */
  readonly needed: Iterable<string>;
}

/**
 * The images that may go, least recently used first. Never one in use or needed by a reference, never one younger than `minAgeMs`,
 * and never one without a digest of a registry: it was built or loaded here, and nobody could bring it back. Pure; never throws.
 */
export function removableImages(
  images: readonly NodeImage[],
  kept: KeptImages,
  uses: ReadonlyMap<string, ImageUse>,
  nowMs: number,
  minAgeMs: number,
): NodeImage[] {
  const needed = new Set([...kept.needed].map(normalRef));
  const use = (image: NodeImage): ImageUse => uses.get(image.id) ?? { firstSeenMs: nowMs, lastUsedMs: nowMs };
  return images
    .filter((image) => {
      if (kept.inUse.has(image.id) || needed.has(image.id) || image.digests.length === 0) return false;
      if ([...image.tags, ...image.digests].some((name) => needed.has(normalRef(name)))) return false;
      return nowMs - use(image).firstSeenMs >= minAgeMs;
    })
    .toSorted(
      (a, b) =>
        use(a).lastUsedMs - use(b).lastUsedMs ||
        use(a).firstSeenMs - use(b).firstSeenMs ||
        (a.id < b.id ? -1 : Number(a.id > b.id)),
    );
}

/** What is known of the images after a look at them: new ones are seen now, those in use are used now. */
export function rememberImages(
  before: ReadonlyMap<string, ImageUse>,
  images: readonly Pick<NodeImage, 'id'>[],
  inUse: ReadonlySet<string>,
  nowMs: number,
): Map<string, ImageUse> {
  return new Map(
    images.map(({ id }) => {
      const known = before.get(id) ?? { firstSeenMs: nowMs, lastUsedMs: 0 };
      return [id, inUse.has(id) ? { ...known, lastUsedMs: nowMs } : known];
    }),
  );
}

/**
 * A reference as every spelling of it: registry and `library/` of Docker Hub left out, `:latest` written, a tag beside a digest
 * dropped, because the digest alone decides.
 */
export function normalRef(ref: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(ref)) return ref;
  const bare = ref.replace(/^(index\.|registry-1\.)?docker\.io\//, '').replace(/^library\//, '');
  const [name = '', digest] = bare.split('@');
  const slash = name.lastIndexOf('/');
  const colon = name.indexOf(':', slash + 1);
  if (digest !== undefined) return `${colon < 0 ? name : name.slice(0, colon)}@${digest}`;
  return colon < 0 ? `${name}:latest` : name;
}
