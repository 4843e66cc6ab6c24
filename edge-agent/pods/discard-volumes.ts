import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodPaths } from './pod-files.ts';
import { unmountBelow } from './tmpfs.ts';

/**
 * Removes the volumes that live and die with the pod (emptyDir and written ones) and leaves its record. What is mounted there from
 * elsewhere is only unmounted: never a byte of a hostPath or a claimed volume is touched.
 */
export async function discardVolumes(paths: PodPaths): Promise<void> {
  for (const folder of [paths.run, paths.data]) {
    const volumes = join(folder, 'volumes');
    await unmountBelow(volumes);
    await rm(volumes, { recursive: true, force: true });
  }
}
