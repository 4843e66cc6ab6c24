import { chmod, chown, lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const KIND = 0o170000;
const LINK = 0o120000;

/** The group owns the volume and everything made in it. */
export async function giveGroup(path: string, gid: number): Promise<void> {
  const info = await stat(path);
  if (info.gid === gid && (info.mode & 0o2000) !== 0) return;
  for (const entry of await readdir(path, { recursive: true })) {
    const full = join(path, entry);
    const { uid, mode } = await lstat(full);
    if ((mode & KIND) === LINK) continue;
    await chown(full, uid, gid);
    await chmod(full, (mode & 0o7777) | 0o060);
  }
  await chown(path, info.uid, gid);
  await chmod(path, (info.mode & 0o7777) | 0o2770);
}
