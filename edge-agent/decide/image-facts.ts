import type { ImageFact } from '../../protocol/wire/messages.ts';
import type { NodeImage } from './image-gc.ts';
import { type NodePlatform, platformRefusal } from './image-platform.ts';

/** The kubelet's caps on Node.status.images. */
const MAX_IMAGES = 50;
const MAX_NAMES = 5;

/**
 * The images a node reports: the largest ones that have a name, digests before tags, the platform only of those that
 * cannot run here. Equal for equal images in any order. Pure; never throws.
 */
export function imageFacts(images: readonly NodeImage[], node: NodePlatform): ImageFact[] {
  return images
    .filter((image) => image.tags.length + image.digests.length > 0)
    .toSorted((a, b) => b.sizeBytes - a.sizeBytes || (a.id < b.id ? -1 : Number(a.id > b.id)))
    .slice(0, MAX_IMAGES)
    .map((image): ImageFact => {
      const names = [...image.digests.toSorted(), ...image.tags.toSorted()].slice(0, MAX_NAMES);
      const { platform, sizeBytes } = image;
      const runs = platformRefusal('', platform, node) === undefined;
      return runs ? [names, sizeBytes] : [names, sizeBytes, platform];
    });
}
