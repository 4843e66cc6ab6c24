import { imageKey } from './image-name.ts';

/** What is known of the variants of an image: those that there are, and the architectures that there is none for. */
export interface ImageVariants {
  readonly known: readonly string[];
  /** `others` when the known ones are all there are. */
  readonly missing: readonly string[] | 'others';
}

/** What a node says of one of its images. */
export interface ImageSighting {
  /** The node's own architecture. */
  readonly own: string;
  /** The architecture of the image there; the node's own unless the node says otherwise. */
  readonly platform: string;
}

/**
 * Reads the annotation: full image name to platform. What cannot be read says nothing; it is the node's own, and the next report
 * sets it right. Pure; never throws.
 */
export function foreignImages(annotation: string | undefined): ReadonlyMap<string, string> {
  const platforms = new Map<string, string>();
  for (const [platform, names] of Object.entries(parsed(annotation))) {
    if (!Array.isArray(names)) continue;
    for (const name of names) if (typeof name === 'string') platforms.set(imageKey(name), platform);
  }
  return platforms;
}

function parsed(text: string | undefined): object {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/**
 * What sightings on nodes teach: engines pull the fitting variant where there is one, so an image that is foreign on a node has none
 * for that node's architecture, unless another node of the same one has it. Undefined when nothing is known to be missing.
 */
export function variantsOf(sightings: readonly ImageSighting[]): ImageVariants | undefined {
  const known = [...new Set(sightings.map((s) => s.platform))].sort();
  const missing = [...new Set(sightings.filter((s) => s.platform !== s.own).map((s) => s.own))]
    .filter((own) => !known.includes(own))
    .sort();
  return missing.length === 0 ? undefined : { known, missing };
}
