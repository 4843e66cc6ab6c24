import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a pod's files are. Below `data` on the disk, below `run` in memory; secrets only in memory. */
export interface PodPaths {
  readonly data: string;
  readonly run: string;
}

/** Folders of a pod. The uid comes from the hub and must be one path segment. */
export function podPaths(dataDir: string, runDir: string, uid: string): PodPaths {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(uid)) throw new Error(`pod uid is no file name: ${uid}`);
  return { data: join(dataDir, 'pods', uid), run: join(runDir, 'pods', uid) };
}

/** File that a container writes its last words into; shown to it under its terminationMessagePath. */
export function terminationFile(paths: PodPaths, container: string, attempt: number): string {
  return join(paths.run, 'termination', `${container}-${attempt}`);
}

/** Makes the file if it is missing, writable for every user of the container. */
export async function ensureTerminationFile(path: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const file = await open(path, 'a', 0o666);
  try {
    await file.chmod(0o666);
  } finally {
    await file.close();
  }
}

/** First bytes of a file as text; undefined when it is not there or empty. */
export async function readStart(path: string, maxBytes: number): Promise<string | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const buffer = Buffer.alloc(maxBytes);
    const { bytesRead } = await file.read(buffer, 0, maxBytes, 0);
    return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}

/** Value of a JSON file; undefined when it is missing or torn. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Replaces a JSON file whole; with `durable` it survives a power cut once the promise resolves. */
export async function writeJson(path: string, value: unknown, durable: boolean): Promise<void> {
  const folder = join(path, '..');
  await mkdir(folder, { recursive: true });
  const draft = `${path}.tmp`;
  await writeFile(draft, JSON.stringify(value), { mode: 0o600, flush: durable });
  await rename(draft, path);
  if (durable) await syncFolder(folder);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Removes all files of a pod. */
export async function removeFiles(paths: PodPaths): Promise<void> {
  await Promise.all([paths.data, paths.run].map((path) => rm(path, { recursive: true, force: true })));
}

/** True for "no such file or directory". */
export function isMissing(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'ENOENT';
}
