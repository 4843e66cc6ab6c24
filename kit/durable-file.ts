import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How a file is written; `mode` holds from the first byte on, default 0600. */
export interface DurableWriteOptions {
  readonly mode?: number;
}

/**
 * Replaces a file so that after a power cut either the old or the new content is there, whole. Resolves once it is on the disk:
 * temp file, fsync, rename, fsync of the directory. Missing directories are made with mode 0700. A write that fails leaves nothing.
 */
export async function writeFileDurably(
  path: string,
  content: string | Uint8Array,
  options: DurableWriteOptions = {},
): Promise<void> {
  const mode = options.mode ?? 0o600;
  const directory = dirname(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temp = join(directory, `.${basename(path)}.${process.pid}.tmp`);
  try {
    await writeSynced(temp, content, mode);
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
  const parent = await open(directory, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

async function writeSynced(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'w', mode);
  try {
    // A temp file left by a crash keeps its old mode on open.
    await file.chmod(mode);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
