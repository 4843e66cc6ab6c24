import { constants, openSync, readSync } from 'node:fs';
import type { Logger } from '../../kit/logger.ts';
import { readOomLine } from '../decide/oom.ts';

const KERNEL_LOG = '/dev/kmsg';
/** The kernel refuses to give a record to a smaller buffer than the record; its longest are about this, in bytes. */
const RECORD_BYTES = 8192;
/** A look ends after so many records though more come: the log must not hold the agent. */
const MOST_RECORDS = 100_000;
/** Containers remembered; each is asked about when it ends. */
const MOST_VICTIMS = 1_000;

/**
 * Knows in which containers the kernel killed a process for want of memory since the machine booted, by the kernel's own log: that
 * outlives the container's cgroup and its engine's attention. Reads only when asked, and then only what is new; between
 * questions it waits for nothing and wakes for nothing.
 */
export class OomLog {
  readonly #log: Logger;
  readonly #path: string;
  readonly #victims = new Set<string>();
  #file: { readonly fd: number; readonly record: Buffer } | undefined;
  #isRefused = false;
  #rest = '';

  constructor(log: Logger, path: string = KERNEL_LOG) {
    this.#log = log;
    this.#path = path;
  }

  /** True when the log names this container; false also when the log cannot be read. Never throws. */
  names(containerId: string): boolean {
    this.#readOn();
    return this.#victims.has(containerId);
  }

  #readOn(): void {
    if (this.#isRefused) return;
    try {
      this.#file ??= {
        fd: openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK),
        record: Buffer.allocUnsafe(RECORD_BYTES),
      };
      for (let n = 0; n < MOST_RECORDS; n++) {
        const text = nextRecord(this.#file);
        if (text === undefined) return;
        for (const line of text.split('\n')) this.#take(line);
      }
    } catch (err) {
      // Not allowed, as in some containers: the engine's word stands alone, as it did before.
      this.#isRefused = true;
      this.#log.info('kernel log not readable, only the engine tells of memory kills', { err });
    }
  }

  #take(line: string): void {
    const { rest, victims } = readOomLine(this.#rest, line);
    this.#rest = rest;
    for (const id of victims) this.#victims.add(id);
    for (const id of this.#victims) {
      if (this.#victims.size <= MOST_VICTIMS) return;
      this.#victims.delete(id);
    }
  }
}

/** One record, empty when some were overwritten before they were read; undefined when there is none now. */
function nextRecord({ fd, record }: { fd: number; record: Buffer }): string | undefined {
  try {
    const bytes = readSync(fd, record, 0, record.length, null);
    return bytes === 0 ? undefined : record.toString('latin1', 0, bytes);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EAGAIN') return undefined;
    if (code === 'EPIPE') return '';
    throw error;
  }
}
