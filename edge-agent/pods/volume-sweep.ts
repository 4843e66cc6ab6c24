import type { Logger } from '../../kit/logger.ts';
import type { ClaimFolders } from './claim-folders.ts';
import type { DesiredState } from './ports.ts';

/** What a sweep looks at, and where it tells what it did. */
export interface SweepOptions {
  readonly folders: ClaimFolders;
  readonly desired: () => DesiredState | undefined;
  /** True while a container runs, or is left, of a pod that the desired state does not name: its volumes are not known. */
  readonly hasUnknownPods: () => boolean;
  /** Called when the volumes that are known to be gone are others than before. */
  readonly onChange: () => void;
  readonly log: Logger;
}

/**
 * Removes the folders of the volumes that the hub names in the desired state, one sweep at a time. Invariant: a volume counts as
 * removed only while the hub asks for it, when no pod here can be using it, and when nothing of it is on the disk.
 */
export class VolumeSweep {
  readonly #options: SweepOptions;
  #removed: readonly string[] = [];
  #run: Promise<void> | undefined;
  #again = false;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  /** Of the volumes the hub asked to remove, those of which nothing is left; sorted as the hub named them. */
  get removed(): readonly string[] {
    return this.#removed;
  }

  /** Looks whether something is to be removed, and can be by now. Never throws; call it as often as anything changes. */
  look(): void {
    this.#again = true;
    this.#run ??= this.#sweepAll();
  }

  /** Resolves when no sweep is under way. */
  get idle(): Promise<void> {
    return this.#run ?? Promise.resolve();
  }

  async #sweepAll(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      try {
        await this.#sweep();
      } catch (err) {
        // Safe: the hub goes on asking, and the next look, at the latest the resync's, tries again.
        this.#options.log.warn('volume not removed', { err });
      }
    }
    this.#run = undefined;
  }

  async #sweep(): Promise<void> {
    const { folders, desired, hasUnknownPods, onChange, log } = this.#options;
    const state = desired();
    const asked = state?.node?.removeVolumes ?? [];
    if (state === undefined || (asked.length === 0 && this.#removed.length === 0)) return;
    const used = usedVolumes(state);
    const gone = hasUnknownPods()
      ? this.#removed.filter((volume) => asked.includes(volume))
      : await folders.remove(asked, (volume) => used.has(volume));
    const news = gone.filter((volume) => !this.#removed.includes(volume));
    if (news.length > 0) log.info('volumes removed', { volumes: news });
    if (gone.join() === this.#removed.join()) return;
    this.#removed = gone;
    onChange();
  }
}

/** Volumes of the pods that are to be here, the ones being deleted included. */
function usedVolumes(state: DesiredState): ReadonlySet<string> {
  return new Set(
    [...state.pods.values()].flatMap(({ claims = {} }) => Object.values(claims).map((claim) => claim.volume)),
  );
}
