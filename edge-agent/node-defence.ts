import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import type { NodePlatform } from './decide/image-platform.ts';
import type { Profile } from './decide/profile.ts';
import { Defence } from './defence/defence.ts';
import type { DefendedPods, ImageStore, Reading } from './defence/ports.ts';
import { SANDBOX_IMAGE } from './runtime/pause-image.ts';
import type { MachineFiles } from './sensors/machine-files.ts';
import { PodUsageSampler } from './sensors/pod-usage.ts';

/** What the defence of a node is put together from. */
export interface NodeDefenceParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly files: MachineFiles;
  /** Lies on the file system that holds images and pods. */
  readonly diskPath: string;
  readonly store: ImageStore;
  /** What images can run here. */
  readonly platform: NodePlatform;
  readonly pods: DefendedPods;
  nodeName(): string;
  profile(): Profile;
  reading(): Reading;
  /** Reads the machine again and calls `look`. */
  refresh(): void;
  onImagesChanged(): void;
}

/** The defence of this machine. */
export function makeDefence(parts: NodeDefenceParts): Defence {
  const { files, diskPath } = parts;
  return new Defence({
    clock: parts.clock,
    log: parts.log.with({ room: 'defence' }),
    store: parts.store,
    pods: parts.pods,
    nodeName: () => parts.nodeName(),
    meter: new PodUsageSampler(files),
    limits: () => parts.profile(),
    reading: () => parts.reading(),
    diskUsedRatio: () => files.fileSystem(diskPath)?.usedRatio ?? 0,
    refresh: () => parts.refresh(),
    platform: parts.platform,
    ownImages: [SANDBOX_IMAGE],
    onImagesChanged: () => parts.onImagesChanged(),
  });
}

/** What the profile caps for every container. */
export function containerLimits(profile: Profile): {
  readonly pidsLimit: number;
  readonly log: { readonly maxBytes: number; readonly maxFiles: number };
} {
  return {
    pidsLimit: profile.pidsLimit,
    log: { maxBytes: profile.logMaxBytes, maxFiles: profile.logMaxFiles },
  };
}
