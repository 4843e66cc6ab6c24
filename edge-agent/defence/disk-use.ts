import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Files looked at before the count is taken as it is: the order of pods needs no exact figure. */
const MAX_ENTRIES = 100_000;
/** Files looked at between two pauses. */
const BATCH = 500;
const BLOCK_BYTES = 512;

/** How far and how hard to look. */
export interface WalkBounds {
  /** Enough is known once this is passed. */
  readonly enoughBytes?: number;
  /** Called after every few hundred files. */
  readonly pause?: () => Promise<void>;
}

/**
 * Bytes on the disk below a folder, without following links and without leaving its file system, so that what is mounted there does
 * not count; a file with several names counts once. 0 when there is no such folder. Beyond 100,000 files what was counted until then.
 */
export async function bytesBelow(folder: string, bounds: WalkBounds = {}): Promise<number> {
  const { enoughBytes = Number.POSITIVE_INFINITY, pause } = bounds;
  const device = (await statOf(folder))?.dev;
  if (device === undefined) return 0;
  let bytes = 0;
  let seen = 0;
  const linked = new Set<number>();
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const entry of await entriesOf(next)) {
      if (seen++ >= MAX_ENTRIES || bytes > enoughBytes) return bytes;
      if (seen % BATCH === 0) await pause?.();
      const path = join(next, entry.name);
      const info = await statOf(path);
      if (info === undefined || info.dev !== device) continue;
      if (entry.isDirectory()) folders.push(path);
      else if (info.nlink > 1) {
        if (linked.has(info.ino)) continue;
        linked.add(info.ino);
      }
      bytes += info.blocks * BLOCK_BYTES;
    }
  }
  return bytes;
}

/** Bytes on the disk of a file and of those beside it whose names begin with its name, such as older logs. */
export async function bytesOfFiles(path: string): Promise<number> {
  const cut = path.lastIndexOf('/');
  const [folder, name] = [path.slice(0, cut), path.slice(cut + 1)];
  let bytes = 0;
  for (const entry of await entriesOf(folder)) {
    if (!entry.isFile() || !entry.name.startsWith(name)) continue;
    bytes += ((await statOf(join(folder, entry.name)))?.blocks ?? 0) * BLOCK_BYTES;
  }
  return bytes;
}

/** True when the folder is there and can be seen from here. */
export async function isFolder(path: string): Promise<boolean> {
  return (await statOf(path))?.isDirectory() === true;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch {
    return []; // Removed meanwhile.
  }
}

async function statOf(path: string) {
  try {
    return await lstat(path);
  } catch {
    return undefined; // Removed meanwhile.
  }
}
