import { mkdir, stat, writeFile } from 'node:fs/promises';
import { isMissing } from './pod-files.ts';
import { VolumeError } from './volume-error.ts';

type FileKind = 'Directory' | 'File' | 'Socket' | 'CharDevice' | 'BlockDevice';

/** Checks or makes a path of the node: https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types */
export async function prepareHostPath(
  name: string,
  { path, type = '' }: { path: string; type?: string },
): Promise<void> {
  const kind = await kindOf(path);
  if (type === '') {
    // Docker refuses a mount of a path that is not there; Kubernetes makes an empty directory, as `docker -v` does.
    if (kind === undefined) await mkdir(path, { recursive: true });
    return;
  }
  if (type === 'DirectoryOrCreate' && kind === undefined)
    return void (await mkdir(path, { recursive: true }));
  if (type === 'FileOrCreate' && kind === undefined) return writeFile(path, '', { flag: 'a', mode: 0o644 });
  const wanted = type.replace('OrCreate', '');
  if (kind !== wanted)
    throw new VolumeError(name, `hostPath type check failed: ${path} is not a ${describe(wanted)}`);
}

function describe(kind: string): string {
  return kind.replace('CharDevice', 'character device').replace('BlockDevice', 'block device').toLowerCase();
}

async function kindOf(path: string): Promise<FileKind | undefined> {
  try {
    const info = await stat(path);
    if (info.isDirectory()) return 'Directory';
    if (info.isSocket()) return 'Socket';
    if (info.isCharacterDevice()) return 'CharDevice';
    return info.isBlockDevice() ? 'BlockDevice' : 'File';
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
