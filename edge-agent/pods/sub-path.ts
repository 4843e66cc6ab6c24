import { chmod, lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isInside } from '../decide/volume-files.ts';
import { isMissing } from './pod-files.ts';
import { VolumeError } from './volume-error.ts';

/** A path inside a volume, made as a directory when missing; symbolic links must not lead out of the volume. */
export async function subPath(
  volume: string,
  source: { readonly path: string; readonly managed: boolean },
  sub: string,
): Promise<string> {
  if (!isInside(sub))
    throw new VolumeError(volume, `subPath "${sub}" must be relative and must not contain '..'`);
  const root = await realpath(source.path);
  const path = join(root, sub);
  try {
    await lstat(path);
  } catch (error) {
    if (!isMissing(error) || source.managed) throw error;
    await assertInside(volume, root, await deepestExisting(dirname(path)), sub);
    const first = await mkdir(path, { recursive: true });
    if (first !== undefined) await likeRoot(root, first, path);
  }
  const real = await realpath(path);
  await assertInside(volume, root, real, sub);
  return real;
}

/** New directories let in whom the volume lets in; the group comes with the volume's set-group-id bit. */
async function likeRoot(root: string, first: string, last: string): Promise<void> {
  const { mode } = await stat(root);
  for (let path = last; path.length >= first.length; path = dirname(path)) await chmod(path, mode & 0o7777);
}

async function deepestExisting(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return deepestExisting(dirname(path));
  }
}

async function assertInside(volume: string, root: string, real: string, sub: string): Promise<void> {
  const way = relative(root, real);
  if (way.startsWith('..') || way.startsWith('/'))
    throw new VolumeError(volume, `subPath "${sub}" leads out of the volume`);
}
