import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Adapter, Low } from 'lowdb';
import { DurableError, errorCode, toDurableError } from './durable-error.ts';
import { type FileSystem, nodeFileSystem } from './file-system.ts';

/** How a document becomes bytes. The default is compact JSON; a codec of many chunks keeps the event loop free. */
export interface DocumentCodec<T> {
  /** Called at `write`; a lazily made iterable must not see later changes of `data`. */
  encode(data: T): Iterable<Uint8Array>;
  /** `body` is whole and its checksum right. Throws when it is not a document of this kind. */
  decode(body: Buffer): T | Promise<T>;
}

/** What is wrong with a file: `Missing` only when an older generation shows that there was one. */
export type DamageReason = 'Missing' | 'Empty' | 'Nul' | 'Torn' | 'Checksum' | 'NotADocument' | 'IoError';

/** One bad file, told before the older generation is handed out in its stead. */
export interface FileDamage {
  readonly file: string;
  readonly reason: DamageReason;
  /** Where the bad file lies now; absent when it could not be moved. */
  readonly movedTo?: string;
  /** The file that was read in its stead. */
  readonly restoredFrom: string;
}

export interface DurableJsonOptions<T> {
  readonly fs?: FileSystem;
  readonly codec?: DocumentCodec<T>;
  readonly onDamage?: (damage: FileDamage) => void;
}

type Reading<T> = { ok: true; data: T } | { ok: false; reason: DamageReason; cause?: unknown };

/**
 * One JSON document on disk as a lowdb adapter: `new Low(new DurableJson(path), fallback)`.
 * `write` resolves when the document is on the medium (temporary file, fsync, rename, fsync of the directory) and rejects with
 * DurableError, leaving the former document in place. Writes handed in while one runs coalesce into the newest.
 * `read` yields null only when there never was a document; a torn, empty or NUL-filled file is moved aside and the older
 * generation (`.bak`, kept at the first write after a good read) stands in; both bad is DurableError `Unreadable`.
 * The file is the JSON text, a newline, and one line `{"crc32":"…","bytes":N}`.
 */
export class DurableJson<T> implements Adapter<T> {
  readonly #path: string;
  readonly #fs: FileSystem;
  readonly #codec: DocumentCodec<T>;
  readonly #onDamage: ((damage: FileDamage) => void) | undefined;
  #keepOlder = false;
  #running: Promise<void> | undefined;
  #next: { chunks: Iterable<Uint8Array>; done: Promise<void> } | undefined;

  constructor(path: string, options: DurableJsonOptions<T> = {}) {
    this.#path = path;
    this.#fs = options.fs ?? nodeFileSystem;
    this.#codec = options.codec ?? plainCodec();
    this.#onDamage = options.onDamage;
  }

  async read(): Promise<T | null> {
    const older = `${this.#path}.bak`;
    const newest = await this.#load(this.#path);
    if (newest.ok) {
      this.#keepOlder = true;
      return newest.data;
    }
    const stand = await this.#load(older);
    if (stand.ok) {
      // A missing newest is what a stop between the two renames of a write leaves: nothing acknowledged is lost by it.
      if (newest.reason !== 'Missing') await this.#setAside(newest.reason, older);
      return stand.data;
    }
    if (newest.reason === 'Missing' && stand.reason === 'Missing') return null;
    const found = `${this.#path}: ${newest.reason}, ${older}: ${stand.reason}`;
    throw new DurableError('Unreadable', found, { cause: newest.cause ?? stand.cause });
  }

  write(data: T): Promise<void> {
    const chunks = this.#codec.encode(data);
    if (this.#next !== undefined) {
      this.#next.chunks = chunks;
      return this.#next.done;
    }
    if (this.#running === undefined) return this.#start(chunks);
    const start = (): Promise<void> => {
      const next = this.#next;
      this.#next = undefined;
      return this.#start(next?.chunks ?? chunks);
    };
    const done = this.#running.then(start, start);
    this.#next = { chunks, done };
    return done;
  }

  #start(chunks: Iterable<Uint8Array>): Promise<void> {
    const run = this.#replace(chunks).finally(() => {
      if (this.#running === run) this.#running = undefined;
    });
    this.#running = run;
    return run;
  }

  async #load(path: string): Promise<Reading<T>> {
    try {
      const file = await this.#fs.readFile(path);
      const body = checkedBody(file);
      if (typeof body === 'string') return { ok: false, reason: body };
      return { ok: true, data: await this.#codec.decode(body) };
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return { ok: false, reason: 'Missing' };
      return { ok: false, reason: errorCode(cause) === '' ? 'NotADocument' : 'IoError', cause };
    }
  }

  async #setAside(reason: DamageReason, restoredFrom: string): Promise<void> {
    const aside = `${this.#path}.bad`;
    const moved = await this.#fs.rename(this.#path, aside).then(
      () => ({ movedTo: aside }),
      // It stays where it is: the next write replaces it, and until then every read says so again.
      () => ({}),
    );
    this.#onDamage?.({ file: this.#path, reason, restoredFrom, ...moved });
  }

  async #replace(chunks: Iterable<Uint8Array>): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    try {
      await this.#writeTemporary(temporary, chunks);
      if (this.#keepOlder) {
        await this.#fs.rename(this.#path, `${this.#path}.bak`);
        this.#keepOlder = false;
      }
      await this.#fs.rename(temporary, this.#path);
      await this.#fs.syncDirectory(dirname(this.#path));
    } catch (error) {
      await this.#fs.unlink(temporary).catch(() => {
        // Left over, or renamed already: the next write empties it first, and no read looks at it.
      });
      throw toDurableError(error, `writing ${this.#path}`);
    }
  }

  async #writeTemporary(temporary: string, chunks: Iterable<Uint8Array>): Promise<void> {
    const file = await this.#fs.open(temporary, 'create');
    try {
      let sum = 0;
      let length = 0;
      for (const chunk of chunks) {
        await file.write(chunk, length);
        sum = crc32(chunk, sum);
        length += chunk.byteLength;
      }
      await file.write(Buffer.from(`\n{"crc32":"${hex(sum)}","bytes":${length}}\n`), length);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/**
 * Opens and reads a document; `fallback` when there is none yet. The returned lowdb holds the data for as long as it is held.
 * Rejects with DurableError `Unreadable`.
 */
export async function openDocument<T>(
  path: string,
  fallback: T,
  options: DurableJsonOptions<T> = {},
): Promise<Low<T>> {
  const low = new Low<T>(new DurableJson<T>(path, options), fallback);
  await low.read();
  return low;
}

/** Eight hexadecimal digits of a CRC-32. */
export const hex = (sum: number): string => sum.toString(16).padStart(8, '0');

const TRAILER = /^\{"crc32":"([0-9a-f]{8})","bytes":(\d+)\}\n$/;

function checkedBody(file: Buffer): Buffer | DamageReason {
  if (file.length === 0) return 'Empty';
  if (file.every((byte) => byte === 0)) return 'Nul';
  const end = file.lastIndexOf(0x0a, file.length - 2);
  const trailer = end < 0 ? null : TRAILER.exec(file.toString('latin1', end + 1));
  if (trailer === null) return 'Torn';
  const body = file.subarray(0, end);
  return Number(trailer[2]) === end && trailer[1] === hex(crc32(body)) ? body : 'Checksum';
}

function plainCodec<T>(): DocumentCodec<T> {
  return {
    encode: (data) => [Buffer.from(JSON.stringify(data))],
    // The checksum says that these are the bytes that were written; their shape is the owner's to know.
    decode: (body) => JSON.parse(body.toString()) as T,
  };
}
