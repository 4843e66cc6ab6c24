import type { FileSystem } from './file-system.ts';
import type { Journal } from './journal.ts';
import type { EntryLine } from './journal-record.ts';
import type { Logger } from './logger.ts';
import { type DirtyEntry, dropSegments, foldShards } from './map-fold.ts';
import type { LoadedMap } from './map-load.ts';

/** What a folder works with. */
export interface MapFolderOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly minJournalBytes: number;
  readonly log: Logger | undefined;
  /** Called when a fold has ended, well or not. */
  readonly onEnd: () => void;
}

/**
 * Knows which entries lie in the journal alone, and folds them into the shards in the background, one fold at a time. A fold that
 * fails leaves the journal as it is and is tried again when the journal has grown some more.
 */
export class MapFolder {
  readonly #options: MapFolderOptions;
  readonly #shards: number;
  readonly #folded: number[];
  readonly #segments: Set<number>;
  #dirty: Map<string, DirtyEntry>;
  #running: Promise<void> | undefined;
  #folds = 0;
  #foldedBytes: number;
  #journalBytes: number;
  #retryAtBytes = 0;

  constructor(options: MapFolderOptions, loaded: LoadedMap) {
    this.#options = options;
    this.#shards = loaded.shards;
    this.#folded = loaded.folded;
    this.#segments = new Set(loaded.segments);
    this.#dirty = loaded.dirty;
    this.#foldedBytes = loaded.report.foldedBytes;
    this.#journalBytes = loaded.report.journalBytes;
  }

  /** The fold under way. Never rejects. */
  get running(): Promise<void> | undefined {
    return this.#running;
  }

  /** True when the journal has outgrown what is folded. */
  get isDue(): boolean {
    const limit = Math.max(this.#options.minJournalBytes, this.#foldedBytes / 2, this.#retryAtBytes);
    return this.#running === undefined && this.#journalBytes > limit;
  }

  get counters(): { folds: number; journalBytes: number; foldedBytes: number } {
    return { folds: this.#folds, journalBytes: this.#journalBytes, foldedBytes: this.#foldedBytes };
  }

  /** Takes note of a record of `bytes` in a segment; the lines of its body start at `offset`. */
  note(lines: readonly EntryLine[], segment: number, offset: number, bytes: number): void {
    this.#segments.add(segment);
    this.#journalBytes += bytes;
    let at = offset;
    for (const { key, line, removed } of lines) {
      this.#dirty.set(key, { segment, offset: at, length: line.length, removed });
      at += line.length + 1;
    }
  }

  /** Closes the present segment and starts folding everything up to it; resolves as soon as the next segment is there. */
  async start(journal: Journal): Promise<void> {
    if (this.#running !== undefined) return;
    try {
      await journal.rotate();
    } catch (error) {
      this.#postpone(error);
      this.#options.onEnd();
      return;
    }
    this.#segments.add(journal.segment);
    const dirty = this.#dirty;
    this.#dirty = new Map();
    this.#running = this.#fold(dirty, this.#journalBytes, journal.segment - 1);
  }

  async #fold(dirty: Map<string, DirtyEntry>, bytes: number, through: number): Promise<void> {
    const { fs, directory, onEnd } = this.#options;
    try {
      const plan = { fs, directory, shards: this.#shards, folded: this.#folded, dirty, through };
      const result = await foldShards(plan);
      this.#foldedBytes = result.foldedBytes;
      this.#journalBytes -= bytes;
      this.#retryAtBytes = 0;
      this.#folds += 1;
      await this.#drop(result.disposableThrough);
    } catch (error) {
      // What was not folded is still in its segments; newer lines of the same keys win.
      this.#dirty = new Map([...dirty, ...this.#dirty]);
      this.#postpone(error);
    }
    this.#running = undefined;
    onEnd();
  }

  async #drop(through: number): Promise<void> {
    const gone = [...this.#segments].filter((segment) => segment <= through).sort((a, b) => a - b);
    const left = new Set(await dropSegments(this.#options.fs, this.#options.directory, gone));
    for (const segment of gone) if (!left.has(segment)) this.#segments.delete(segment);
  }

  #postpone(error: unknown): void {
    this.#retryAtBytes = this.#journalBytes + this.#options.minJournalBytes / 4;
    this.#options.log?.warn('journal not folded, it grows on', {
      err: error,
      retryAtBytes: this.#retryAtBytes,
    });
  }
}
