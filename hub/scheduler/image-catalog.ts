import { ARCHITECTURE_LABEL } from '../decide/filters/image-architecture.ts';
import { imageKey } from '../decide/image-name.ts';
import { type ImageSighting, type ImageVariants, variantsOf } from '../decide/image-variants.ts';
import type { NodeState } from '../decide/node-state.ts';

/** What the nodes' images teach of the variants of images. Costs nothing while no node has an image for another architecture. */
export class ImageCatalog {
  readonly #nodes: () => readonly (NodeState | undefined)[];
  /** Images that some node has for another architecture than its own; undefined when that has to be looked up anew. */
  #foreign: ReadonlySet<string> | undefined = new Set();

  /** `nodes` gives the nodes of now; whoever changes one that has foreign images, before or after, calls `changed`. */
  constructor(nodes: () => readonly (NodeState | undefined)[]) {
    this.#nodes = nodes;
  }

  /** The images of a node changed. */
  changed(): void {
    this.#foreign = undefined;
  }

  /** Undefined when no variant is known to be missing. */
  variantsOf(image: string): ImageVariants | undefined {
    const key = imageKey(image);
    if (!this.#known().has(key)) return undefined;
    const sightings: ImageSighting[] = [];
    for (const node of this.#nodes()) {
      const own = node?.labels[ARCHITECTURE_LABEL];
      if (node === undefined || own === undefined) continue;
      const platform = node.foreignImages.get(key) ?? (node.images.has(key) ? own : undefined);
      if (platform !== undefined) sightings.push({ own, platform });
    }
    return variantsOf(sightings);
  }

  #known(): ReadonlySet<string> {
    this.#foreign ??= new Set(this.#nodes().flatMap((node) => [...(node?.foreignImages.keys() ?? [])]));
    return this.#foreign;
  }
}
