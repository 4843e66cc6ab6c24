import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MOUNTS = '/proc/self/mounts';

/**
 * Gives a folder its own memory-backed file system of this size (half the node's memory when 0), so that one pod cannot
 * fill the folder of all. Without the right to mount, the folder stays part of the memory-backed file system it lies on.
 */
export async function mountTmpfs(path: string, sizeBytes: number): Promise<void> {
  if (process.getuid?.() !== 0 || (await mountsBelow(path)).includes(path)) return;
  const size = sizeBytes > 0 ? sizeBytes : Math.floor(totalmem() / 2);
  await run('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0777,nosuid,nodev`, 'tmpfs', path]);
}

/** Unmounts everything mounted below a folder. */
export async function unmountBelow(path: string): Promise<void> {
  for (const mount of (await mountsBelow(path)).toReversed()) await run('umount', ['-l', mount]);
}

async function mountsBelow(path: string): Promise<string[]> {
  const table = await readFile(MOUNTS, 'utf8');
  return table
    .split('\n')
    .map((line) => unescapeMount(line.split(' ')[1] ?? ''))
    .filter((mount) => mount === path || mount.startsWith(`${path}/`));
}

/** The kernel writes blanks and backslashes of a path as octal. */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
