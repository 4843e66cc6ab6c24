import { randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { VolumeFile } from '../decide/volume-files.ts';
import { isMissing } from './pod-files.ts';

const DATA = '..data';

/**
 * Makes the folder hold exactly these files, in one step as readers see it: the files go into a fresh folder, then the
 * `..data` link is swung to it; every top entry is a link through `..data`, as in Kubernetes. Writes nothing when the
 * content is right already, so that an agent's restart costs the card nothing.
 */
export async function writeVolume(
  folder: string,
  files: readonly VolumeFile[],
  gid: number | undefined,
): Promise<void> {
  const current = await currentFolder(folder);
  if (current !== undefined && (await holds(join(folder, current), files))) return;
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const fresh = `..${randomBytes(6).toString('hex')}`;
  for (const file of files) await writeOne(join(folder, fresh), file, gid);
  await mkdir(join(folder, fresh), { recursive: true });
  const draft = join(folder, `${DATA}_tmp`);
  await rm(draft, { force: true });
  await symlink(fresh, draft);
  await rename(draft, join(folder, DATA));
  await linkTops(folder, files);
  for (const entry of await readdir(folder))
    if (entry.startsWith('..') && entry !== fresh && entry !== DATA)
      await rm(join(folder, entry), { recursive: true, force: true });
}

async function writeOne(folder: string, file: VolumeFile, gid: number | undefined): Promise<void> {
  const path = join(folder, file.path);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFile(path, file.content);
  // The mode of a write is cut by the process's umask; a group that owns the file may at least read it.
  await chmod(path, gid === undefined ? file.mode : file.mode | 0o040);
  if (gid !== undefined || file.uid !== undefined)
    await chown(path, file.uid ?? process.getuid?.() ?? 0, gid ?? process.getgid?.() ?? 0);
}

async function linkTops(folder: string, files: readonly VolumeFile[]): Promise<void> {
  const tops = new Set(files.map((file) => file.path.split('/')[0] ?? file.path));
  const existing = (await readdir(folder)).filter((entry) => !entry.startsWith('..'));
  for (const entry of existing) if (!tops.has(entry)) await rm(join(folder, entry), { force: true });
  for (const top of tops) if (!existing.includes(top)) await symlink(`${DATA}/${top}`, join(folder, top));
}

async function currentFolder(folder: string): Promise<string | undefined> {
  try {
    return await readlink(join(folder, DATA));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** True when the folder holds exactly these files with their content and modes; a cut-off file of a power loss does not. */
async function holds(folder: string, files: readonly VolumeFile[]): Promise<boolean> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    if (entries.filter((e) => e.isFile()).length !== files.length) return false;
    for (const file of files) {
      const path = join(folder, file.path);
      const { mode } = await lstat(path);
      if ((mode & 0o777 & ~0o040) !== (file.mode & 0o777 & ~0o040)) return false;
      if (!(await readFile(path)).equals(file.content)) return false;
    }
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
