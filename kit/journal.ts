import { join } from 'node:path';
import { type DurableError, toDurableError } from './durable-error.ts';
import type { FileSystem, OpenFile } from './file-system.ts';

/** Path of a segment. */
export function segmentPath(directory: string, segment: number): string {
  return join(directory, `journal-${String(segment).padStart(8, '0')}.log`);
}

/** The number in a segment's file name; undefined when it names none. Pure. */
export function segmentInName(name: string): number | undefined {
  const match = /^journal-(\d{8,})\.log$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

/**
 * The segment that is being written. Invariant: bytes up to `length` are durable; anything beyond is cut before the
 * next append, so that a refused append leaves nothing behind. One call at a time, the owner sees to that.
 */
export class Journal {
  readonly #fs: FileSystem;
  readonly #directory: string;
  #segment: number;
  #length: number;
  #file: OpenFile | undefined;
  #exists: boolean;
  #mustCut: boolean;

  /** `length` durable bytes are in the segment; `exists` when its file does; `torn` when there are bytes beyond `length`. */
  constructor(
    fs: FileSystem,
    directory: string,
    at: { segment: number; length: number; exists: boolean; torn: boolean },
  ) {
    this.#fs = fs;
    this.#directory = directory;
    this.#segment = at.segment;
    this.#length = at.length;
    this.#exists = at.exists;
    this.#mustCut = at.torn;
  }

  get segment(): number {
    return this.#segment;
  }

  /** Durable bytes of the present segment. */
  get length(): number {
    return this.#length;
  }

  /** Resolves when `data` is durable at the former `length`. Rejects with DurableError, and then none of it counts. */
  async append(data: Uint8Array): Promise<void> {
    try {
      const file = await this.#open();
      if (this.#mustCut) await this.#cut(file);
      // Set first: whatever goes wrong below may leave bytes behind.
      this.#mustCut = true;
      await file.write(data, this.#length);
      await file.sync();
      this.#mustCut = false;
      this.#length += data.byteLength;
    } catch (error) {
      throw await this.#refuse(error);
    }
  }

  /** Starts the next segment. Rejects with DurableError and stays on the present one when that cannot be made. */
  async rotate(): Promise<void> {
    const next = this.#segment + 1;
    const path = segmentPath(this.#directory, next);
    let file: OpenFile | undefined;
    try {
      if (this.#mustCut) await this.#cut(await this.#open());
      file = await this.#fs.open(path, 'create');
      await this.#fs.syncDirectory(this.#directory);
    } catch (error) {
      await file?.close();
      throw toDurableError(error, `starting ${path}`);
    }
    const former = this.#file;
    this.#file = file;
    this.#segment = next;
    this.#length = 0;
    this.#exists = true;
    await former?.close();
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #open(): Promise<OpenFile> {
    if (this.#file !== undefined) return this.#file;
    const file = await this.#fs.open(this.#path, this.#exists ? 'update' : 'create');
    try {
      // The file's name must be durable before anything in it is.
      if (!this.#exists) await this.#fs.syncDirectory(this.#directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#exists = true;
    this.#file = file;
    return file;
  }

  async #cut(file: OpenFile): Promise<void> {
    await file.truncate(this.#length);
    await file.sync();
    this.#mustCut = false;
  }

  /** Cuts what the failed append left, now if possible, so that a restart does not find it either. */
  async #refuse(cause: unknown): Promise<DurableError> {
    const refusal = toDurableError(cause, `writing ${this.#path}`);
    if (this.#file === undefined || !this.#mustCut) return refusal;
    try {
      await this.#cut(this.#file);
    } catch {
      // Still to be cut: the next append tries again before it writes. The first error says what is wrong.
      this.#mustCut = true;
    }
    return refusal;
  }

  get #path(): string {
    return segmentPath(this.#directory, this.#segment);
  }
}
