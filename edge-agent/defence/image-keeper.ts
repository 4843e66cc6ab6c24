import type { Timer } from '../../kit/clock.ts';
import type { ImageFact } from '../../protocol/wire/messages.ts';
import { imageFacts } from '../decide/image-facts.ts';
import { type ImageUse, type NodeImage, rememberImages, removableImages } from '../decide/image-gc.ts';
import type { DefenceOptions, StoredImageView } from './ports.ts';

/** Changes of the engine's images within this time are one look at them, in ms. */
const SETTLE_MS = 5_000;
/** What other programs do to the images is seen this late, at most while somebody looks anyway, in ms. */
const STALE_MS = 10 * 60_000;
/** A collection that was not enough is tried again after this, in ms; the kubelet's period. */
const AGAIN_MS = 5 * 60_000;

type Options = Pick<
  DefenceOptions,
  | 'clock'
  | 'log'
  | 'store'
  | 'pods'
  | 'limits'
  | 'diskUsedRatio'
  | 'platform'
  | 'ownImages'
  | 'onImagesChanged'
>;

/**
 * Knows the images of the node and makes room when the disk fills up. It looks when the engine tells of a change, never by a clock
 * of its own. Invariant: an image that a pod of this node needs, that a container uses, or that is being pulled is never removed.
 */
export class ImageKeeper {
  readonly #options: Options;
  readonly #platforms = new Map<string, string>();
  #uses = new Map<string, ImageUse>();
  #facts: readonly ImageFact[] | undefined;
  #listedMs = Number.NEGATIVE_INFINITY;
  #sweptMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** The images as the node reports them; undefined before the first look. */
  get facts(): readonly ImageFact[] | undefined {
    return this.#facts;
  }

  /** Something happened on the engine: look at the images soon. */
  changed(): void {
    this.#timer ??= this.#options.clock.after(SETTLE_MS, () => {
      this.#timer = undefined;
      void this.#relook();
    });
  }

  /** Somebody looks at the machine anyway: the moment to notice what others did to the images. */
  touch(): void {
    if (this.#options.clock.monotonicMs() - this.#listedMs >= STALE_MS) this.changed();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** True when the disk is fuller than images may make it and no collection was tried a moment ago. */
  isDue(): boolean {
    const { limits, diskUsedRatio, clock } = this.#options;
    const rested = clock.monotonicMs() - this.#sweptMs >= AGAIN_MS;
    return rested && diskUsedRatio() >= limits().imageGcHighRatio;
  }

  /** True when images were removed at or after `sinceMs` as far as possible. */
  hasSweptSince(sinceMs: number): boolean {
    return this.#sweptMs >= sinceMs;
  }

  /** Removes unused images, least recently used first, until the disk is below the low mark. Never rejects; tells people why not. */
  async collect(): Promise<void> {
    const { clock, log, pods, limits, diskUsedRatio } = this.#options;
    try {
      const before = diskUsedRatio();
      const removed = await this.#removeSome();
      const { imageGcLowRatio } = limits();
      log.info('images collected', { removed, usedRatioBefore: before, usedRatio: diskUsedRatio() });
      if (diskUsedRatio() >= imageGcLowRatio)
        pods.tellNode('Warning', 'FreeDiskSpaceFailed', this.#shortText(removed));
    } catch (err) {
      log.warn('images could not be collected', { err });
      const why = err instanceof Error ? err.message : String(err);
      pods.tellNode('Warning', 'ImageGCFailed', `Image garbage collection failed: ${why}`);
    }
    this.#sweptMs = clock.monotonicMs();
    this.changed();
  }

  /** Number of removed images. */
  async #removeSome(): Promise<number> {
    const { store, limits, diskUsedRatio } = this.#options;
    const { imageGcLowRatio } = limits();
    let removed = 0;
    const kept = new Set<string>();
    while (diskUsedRatio() >= imageGcLowRatio) {
      // Asked anew before each: a pod may have come meanwhile that needs what was free before.
      const next = (await this.#removable()).find((image) => !kept.has(image.id));
      if (next === undefined) break;
      if (await store.removeImage(next)) removed++;
      kept.add(next.id);
    }
    return removed;
  }

  async #removable(): Promise<NodeImage[]> {
    const { store, pods, clock, limits, ownImages } = this.#options;
    const [images, inUse] = await Promise.all([store.images(), store.imagesInUse()]);
    const nowMs = clock.monotonicMs();
    this.#uses = rememberImages(this.#uses, images, inUse, nowMs);
    const needed = [...pods.neededImages(), ...ownImages];
    const known = images.map((image) => ({ ...image, platform: '' }));
    return removableImages(known, { inUse, needed }, this.#uses, nowMs, limits().imageGcMinAgeMs);
  }

  #shortText(removed: number): string {
    const { limits, diskUsedRatio } = this.#options;
    const percent = (ratio: number): string => `${Math.round(ratio * 100)}%`;
    return (
      `Failed to garbage collect required amount of images: the disk is ${percent(diskUsedRatio())} full after ` +
      `${removed} were removed, to be below ${percent(limits().imageGcLowRatio)}. ` +
      'All others are used, needed by a pod, or were built or loaded here.'
    );
  }

  async #relook(): Promise<void> {
    const { store, clock, log, platform, onImagesChanged } = this.#options;
    try {
      const [images, inUse] = await Promise.all([store.images(), store.imagesInUse()]);
      this.#listedMs = clock.monotonicMs();
      this.#uses = rememberImages(this.#uses, images, inUse, this.#listedMs);
      await this.#askPlatforms(images);
      const known = images.map((image) => ({ ...image, platform: this.#platforms.get(image.id) ?? '' }));
      const facts = imageFacts(known, platform);
      if (JSON.stringify(facts) === JSON.stringify(this.#facts)) return;
      this.#facts = facts;
      onImagesChanged();
    } catch (err) {
      // The engine's return is an event of its own, which looks again.
      log.debug('images not listed', { err });
    }
  }

  /** An image never changes: each is asked for once. */
  async #askPlatforms(images: readonly StoredImageView[]): Promise<void> {
    const present = new Set(images.map((image) => image.id));
    for (const id of this.#platforms.keys()) if (!present.has(id)) this.#platforms.delete(id);
    for (const { id } of images) {
      if (this.#platforms.has(id)) continue;
      const image = await this.#options.store.image(id);
      if (image !== undefined) this.#platforms.set(id, image.platform);
    }
  }
}
