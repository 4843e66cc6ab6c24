/** The files of a board that is not there: what the agent's sensors read of /proc. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a simulated board has. */
export interface BoardShape {
  readonly cpuCount: number;
  readonly memoryMib: number;
  readonly usedMib: number;
}

/** Writes the files below `root`. The counters stand still: the board is idle, and samples bring no news. */
export function writeBoard(root: string, shape: BoardShape): void {
  const files: Readonly<Record<string, string>> = {
    'proc/stat': 'cpu  1000 0 1000 100000 0 0 0 0 0 0\n',
    'proc/meminfo': [
      `MemTotal: ${shape.memoryMib * 1024} kB`,
      `MemFree: ${(shape.memoryMib - shape.usedMib) * 1024} kB`,
      `MemAvailable: ${(shape.memoryMib - shape.usedMib) * 1024} kB`,
      '',
    ].join('\n'),
    'proc/net/dev': 'Inter-| Receive | Transmit\n face |bytes packets\n',
    'proc/sys/kernel/random/boot_id': '00000000-0000-4000-8000-000000000000\n',
    'etc/os-release': 'PRETTY_NAME="Simulated board"\n',
  };
  for (const [path, text] of Object.entries(files)) {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
}
