import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Files looked at before the count is taken as it is: the order of pods needs no exact figure. */
const MAX_ENTRIES = 100_000;

/**
 * Bytes on the disk below a folder, without following links and without leaving its file system, so that what is mounted there does
 * not count. 0 when there is no such folder.
 */
export async function bytesBelow(folder: string): Promise<number> {
  const device = (await statOf(folder))?.dev;
  if (device === undefined) return 0;
  let bytes = 0;
  let left = MAX_ENTRIES;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined && left > 0; next = folders.pop()) {
    for (const entry of await entriesOf(next)) {
      if (left-- <= 0) break;
      const path = join(next, entry.name);
      const info = await statOf(path);
      if (info === undefined || info.dev !== device) continue;
      bytes += info.blocks * 512;
      if (entry.isDirectory()) folders.push(path);
    }
  }
  return bytes;
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
