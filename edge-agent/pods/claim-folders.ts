import { chmod, lstat, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { giveGroup } from './fs-group.ts';
import { isMissing } from './pod-files.ts';

/**
 * Folders of the volumes that claims stand for: `<data-dir>/volumes/<volume>`. They outlive pods, reboots and the agent. Only `remove`
 * deletes data, and only of the volumes it is told, which the hub names in the desired state; silence deletes nothing.
 */
export class ClaimFolders {
  readonly #root: string;

  constructor(dataDir: string) {
    this.#root = join(dataDir, 'volumes');
  }

  /** The folder of a volume; throws when the name is no single path segment. */
  path(volume: string): string {
    if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(volume))
      throw new Error(`volume name is no file name: ${volume}`);
    return join(this.#root, volume);
  }

  /**
   * Makes the folder when it is missing; one that is there keeps its mode. Every user of a container may write to it, or with
   * `fsGroup` that group alone. Other users of the node cannot reach it, because the folder of all volumes is root's.
   */
  async make(volume: string, fsGroup: number | undefined): Promise<void> {
    const path = this.path(volume);
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    if (await makeNew(path)) {
      await chmod(path, fsGroup === undefined ? 0o777 : 0o770);
      await syncFolder(this.#root);
    }
    if (fsGroup !== undefined) await giveGroup(path, fsGroup);
  }

  /** Deletes these volumes but those in use; resolves to the names of which nothing is left, for good. */
  async remove(volumes: readonly string[], isUsed: (volume: string) => boolean): Promise<string[]> {
    const gone: string[] = [];
    for (const volume of volumes) {
      if (isUsed(volume)) continue;
      const path = this.path(volume);
      if (await exists(path)) {
        await rm(path, { recursive: true, force: true });
        await syncFolder(this.#root);
      }
      gone.push(volume);
    }
    return gone;
  }
}

async function makeNew(path: string): Promise<boolean> {
  return (await mkdir(path, { recursive: true })) !== undefined;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** What was made or removed in a folder is so after a power cut too. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
