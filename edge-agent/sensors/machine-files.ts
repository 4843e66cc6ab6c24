import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reads the small files of /proc and /sys below a root, so that recorded boards can stand in for real ones. Synchronous on
 * purpose: the kernel answers from memory in some 20 µs, less than a trip through the thread pool costs.
 */
export class MachineFiles {
  readonly #root: string;

  constructor(root = '/') {
    this.#root = root;
  }

  /** Content without trailing white space and NULs; undefined when there is no such file or it cannot be read. */
  text(path: string): string | undefined {
    try {
      return readFileSync(join(this.#root, path), 'latin1').replace(/[\s\0]+$/, '');
    } catch {
      return undefined; // Absent on this board: every caller has a meaning for that.
    }
  }

  /** A file that holds one decimal number. */
  number(path: string): number | undefined {
    const text = this.text(path);
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }

  /** Names in a directory, sorted; empty when there is none. */
  list(path: string): string[] {
    try {
      return readdirSync(join(this.#root, path)).sort();
    } catch {
      return []; // Absent on this board.
    }
  }

  /** Names of the directories in a directory; empty when there is none. */
  directories(path: string): string[] {
    try {
      return readdirSync(join(this.#root, path), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name);
    } catch {
      return []; // Absent on this board, or gone meanwhile.
    }
  }

  /** Size and free bytes of the file system that holds `path`; undefined when it cannot be asked. */
  fileSystem(path: string): { totalBytes: number; availableBytes: number; usedRatio: number } | undefined {
    try {
      const s = statfsSync(join(this.#root, path));
      const usedBlocks = s.blocks - s.bfree;
      const reachable = usedBlocks + s.bavail;
      return {
        totalBytes: s.blocks * s.bsize,
        availableBytes: s.bavail * s.bsize,
        usedRatio: reachable === 0 ? 0 : usedBlocks / reachable,
      };
    } catch {
      return undefined; // No such path yet.
    }
  }
}
