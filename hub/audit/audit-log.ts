import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../../kit/logger.ts';

/** Lines that wait for a slow disk; beyond it they are counted and dropped, because requests do not wait for the log. */
const MAX_WAITING_BYTES = 1024 * 1024;

export interface AuditLogOptions {
  readonly path: string;
  /** Largest size of the file and its predecessor `path.1` together, in bytes. */
  readonly maxBytes: number;
  readonly log: Logger;
}

/**
 * Appends one JSON line per record to a file (mode 0600) that is renamed to `path.1` when it has half of what the log may take. A
 * record is written soon, not at once: the last ones before a power cut may be missing.
 */
export class AuditLog {
  readonly #o: AuditLogOptions;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #isClosed = false;
  #file: FileHandle;
  #bytes: number;
  #writing: Promise<void> | undefined;

  constructor(options: AuditLogOptions, file: FileHandle, bytes: number) {
    this.#o = options;
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Opens the log for appending; rejects when the file cannot be written. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    await mkdir(dirname(options.path), { recursive: true, mode: 0o700 });
    const file = await open(options.path, 'a', 0o600);
    return new AuditLog(options, file, (await file.stat()).size);
  }

  /** Takes a record, unless the log is closed; never blocks and never throws. */
  record(event: object): void {
    if (this.#isClosed) return;
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    if (this.#waitingBytes + line.length > MAX_WAITING_BYTES) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Writes what waits, then closes the file. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        for (const chunk of this.#chunks(lines)) await this.#append(chunk);
      } catch (err) {
        // Requests go on without a log: a full disk must not stop the people who come to empty it.
        this.#o.log.error('audit log cannot be written', { path: this.#o.path, lost: lines.length, err });
      }
      if (this.#dropped > 0) this.#o.log.warn('audit records dropped', { dropped: this.#dropped });
      this.#dropped = 0;
    }
  }

  /** Lines that fit into one file, together. */
  *#chunks(lines: readonly Buffer[]): Generator<Buffer> {
    const half = this.#o.maxBytes / 2;
    let chunk: Buffer[] = [];
    let bytes = 0;
    for (const line of lines) {
      if (bytes + line.length > half && chunk.length > 0) {
        yield Buffer.concat(chunk);
        chunk = [];
        bytes = 0;
      }
      chunk.push(line);
      bytes += line.length;
    }
    if (chunk.length > 0) yield Buffer.concat(chunk);
  }

  async #append(chunk: Buffer): Promise<void> {
    if (this.#bytes > 0 && this.#bytes + chunk.length > this.#o.maxBytes / 2) await this.#rotate();
    await this.#file.appendFile(chunk);
    this.#bytes += chunk.length;
  }

  async #rotate(): Promise<void> {
    const { path } = this.#o;
    await rename(path, `${path}.1`);
    const file = await open(path, 'a', 0o600);
    await this.#file.close();
    this.#file = file;
    this.#bytes = 0;
  }
}
