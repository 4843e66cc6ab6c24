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

const MAY_PROTECT = 1n << 24n; // CAP_SYS_RESOURCE

/**
 * Lowest oom score a container may get here: the kernel lets only processes with CAP_SYS_RESOURCE protect others, which
 * root inside a container often lacks. An agent that is not root cannot tell and takes the engine to be whole.
 */
export async function lowestOomScore(): Promise<number> {
  if (process.getuid?.() !== 0) return -1000;
  const status = await readFile('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return (effective & MAY_PROTECT) === 0n ? 0 : -1000;
}
