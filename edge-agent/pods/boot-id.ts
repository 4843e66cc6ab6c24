import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from './pod-files.ts';

/**
 * Names the node's present boot: made by the first agent after a boot and kept in a memory-backed folder, so that it is
 * new exactly when everything in memory was lost (also in a container or namespace that has no boot of its own).
 */
export async function bootId(runDir: string): Promise<string> {
  const path = join(runDir, 'boot-id');
  try {
    const known = (await readFile(path, 'utf8')).trim();
    if (known !== '') return known;
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const fresh = randomUUID();
  await mkdir(runDir, { recursive: true, mode: 0o700 });
  await writeFile(path, fresh, { mode: 0o600 });
  return fresh;
}
