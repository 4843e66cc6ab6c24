import { readFileSync } from 'node:fs';

/** Memory and work of one process as the kernel counts it. Sizes in bytes, CPU in ms since the process began. */
export interface ProcessSample {
  readonly rssBytes: number;
  readonly privateBytes: number;
  readonly pssBytes: number;
  readonly cpuMs: number;
  /** Bytes the process caused to be sent to a disk. */
  readonly writtenBytes: number;
}

const TICK_MS = 10;

/** Reads a process's counters; throws when it is gone. */
export function sampleProcess(pid: number): ProcessSample {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = (label: string): number =>
    Number(new RegExp(`^${label}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  return {
    rssBytes: kib('Rss'),
    privateBytes: kib('Private_Clean') + kib('Private_Dirty'),
    pssBytes: kib('Pss'),
    cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    writtenBytes: Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? 0),
  };
}
