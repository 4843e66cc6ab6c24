import { DurableError, toDurableError } from './durable-error.ts';
import { type FileSystem, metered, nodeFileSystem, type WriteMeter } from './file-system.ts';
import { Journal } from './journal.ts';
import { type EntryLine, encodeRecord, entryLine } from './journal-record.ts';
import type { Logger } from './logger.ts';
import { type DirtyEntry, dropSegments, foldShards } from './map-fold.ts';
import { type LoadedMap, loadMap, type OpenReport } from './map-load.ts';

/** One change of a batch: a JSON value for a key, or `undefined` to remove it. */
export interface MapChange {
  readonly key: string;
  readonly value: unknown;
}

export interface DurableMapOptions {
  /** Documents that the journal is folded into; counts for a new directory, an existing one keeps its number. */
  readonly shards: number;
  readonly log?: Logger;
  readonly fs?: FileSystem;
  /** The journal is folded when it outgrows this and half of what is folded. Default 1 MiB. */
  readonly minJournalBytes?: number;
}

/** What `DurableMap.open` yields; `entries` belongs to the caller, the map keeps no values. */
export interface OpenedMap {
  readonly map: DurableMap;
  readonly report: OpenReport;
  readonly entries: Map<string, unknown>;
}

/** What was written since open, for benches and metrics. */
export interface MapCounters extends Readonly<WriteMeter> {
  readonly records: number;
  readonly folds: number;
  readonly journalBytes: number;
  readonly foldedBytes: number;
}

interface Batch {
  readonly lines: readonly EntryLine[];
  readonly resolve: () => void;
  readonly reject: (error: DurableError) => void;
}

const MIN_JOURNAL_BYTES = 1024 * 1024;
const GROUP_BYTES = 4 * 1024 * 1024;

/**
 * A durable map from strings to JSON values, for an owner that keeps the live values itself: this holds no value in memory.
 * A commit is one checksummed record in an append-only journal; commits that wait while a sync runs share the next one. When
 * the journal has outgrown what is folded, it is folded into lowdb documents in the background, so that the cost of
 * a write does not grow with what is stored. Without commits nothing is ever written. One process per directory.
 */
export class DurableMap {
  readonly #fs: FileSystem;
  readonly #meter: WriteMeter;
  readonly #directory: string;
  readonly #shards: number;
  readonly #log: Logger | undefined;
  readonly #minJournalBytes: number;
  readonly #journal: Journal;
  readonly #segments: Set<number>;
  readonly #folded: number[];
  #dirty: Map<string, DirtyEntry>;
  #queue: Batch[] = [];
  #running: Promise<void> | undefined;
  #busy = false;
  #folding: Promise<void> | undefined;
  #foldWanted = false;
  #closed = false;
  #records = 0;
  #folds = 0;
  #foldedBytes: number;
  #unfoldedBytes: number;
  #foldAtBytes = 0;

  private constructor(
    directory: string,
    options: DurableMapOptions,
    fs: FileSystem,
    meter: WriteMeter,
    loaded: LoadedMap,
  ) {
    this.#directory = directory;
    this.#fs = fs;
    this.#meter = meter;
    this.#log = options.log;
    this.#minJournalBytes = options.minJournalBytes ?? MIN_JOURNAL_BYTES;
    this.#shards = loaded.shards;
    this.#segments = new Set(loaded.segments);
    this.#folded = loaded.folded;
    this.#dirty = loaded.dirty;
    this.#foldedBytes = loaded.report.foldedBytes;
    this.#unfoldedBytes = loaded.report.journalBytes;
    this.#journal = new Journal(fs, directory, loaded.at);
  }

  /**
   * Opens or makes the directory and reads everything. Damage is in the report and logged as errors; the state is then made
   * whole on disk again. Rejects with DurableError: `Unreadable` when stored state cannot be had back, never with an empty map instead.
   */
  static async open(directory: string, options: DurableMapOptions): Promise<OpenedMap> {
    const meter = { bytesWritten: 0, fsyncs: 0 };
    const fs = metered(options.fs ?? nodeFileSystem, meter);
    const loaded = await read(fs, directory, options.shards);
    const map = new DurableMap(directory, options, fs, meter, loaded);
    for (const damage of loaded.report.damage) options.log?.error('stored data damaged', { ...damage });
    if (loaded.report.damage.length > 0) await map.fold();
    return { map, report: loaded.report, entries: loaded.entries };
  }

  get counters(): MapCounters {
    return {
      ...this.#meter,
      records: this.#records,
      folds: this.#folds,
      journalBytes: this.#unfoldedBytes,
      foldedBytes: this.#foldedBytes,
    };
  }

  /**
   * Resolves when all changes are durable; after any stop either all or none of them are there. Values are taken at the call.
   * Rejects with DurableError `NoSpace`, `IoError` or `Closed`, and then none is there; the next commit works again as soon as
   * the disk does. Throws TypeError, before anything is written, for a value that is not JSON. Order of calls is kept.
   */
  async commit(changes: readonly MapChange[]): Promise<void> {
    if (this.#closed) throw new DurableError('Closed', `${this.#directory} is closed`);
    if (changes.length === 0) return;
    const lines = changes.map(({ key, value }) => entryLine(key, value));
    await new Promise<void>((resolve, reject) => {
      this.#queue.push({ lines, resolve, reject });
      this.#wake();
    });
  }

  /** Folds the journal now. Resolves when done, also when it failed: that is logged, and changes nothing that was acknowledged. */
  async fold(): Promise<void> {
    await this.#folding;
    if (this.#closed) return;
    this.#foldWanted = true;
    this.#wake();
    await this.#running;
    await this.#folding;
  }

  /** Takes no more commits, finishes those handed in and a fold under way, closes the files. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#folding;
    await this.#journal.close();
  }

  #wake(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    // Leave the caller's stack, so that commits of the same instant share a sync.
    await Promise.resolve();
    while (this.#queue.length > 0 || this.#foldWanted) {
      if (this.#foldWanted) await this.#startFold();
      const group = this.#takeGroup();
      if (group.length > 0) await this.#write(group);
      if (this.#isFoldDue()) this.#foldWanted = true;
    }
    // In the same instant as the check above: a commit that comes later starts the loop anew.
    this.#busy = false;
  }

  #takeGroup(): Batch[] {
    let bytes = 0;
    let count = 0;
    for (const batch of this.#queue) {
      for (const { line } of batch.lines) bytes += line.length;
      if (count > 0 && bytes > GROUP_BYTES) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #write(group: readonly Batch[]): Promise<void> {
    const { segment, length: syncedBytes } = this.#journal;
    const records = group.map((batch) => encodeRecord(batch.lines, segment, syncedBytes));
    const data = Buffer.concat(records.map((record) => record.bytes));
    try {
      await this.#journal.append(data);
    } catch (error) {
      const refusal = toDurableError(error, `writing ${this.#directory}`);
      for (const batch of group) batch.reject(refusal);
      return;
    }
    this.#segments.add(segment);
    this.#unfoldedBytes += data.length;
    this.#records += group.length;
    let offset = syncedBytes;
    for (const [index, batch] of group.entries()) {
      const record = records[index];
      this.#locate(batch.lines, segment, offset + (record?.bodyOffset ?? 0));
      offset += record?.bytes.length ?? 0;
      batch.resolve();
    }
  }

  #locate(lines: readonly EntryLine[], segment: number, start: number): void {
    let offset = start;
    for (const { key, line, removed } of lines) {
      this.#dirty.set(key, { segment, offset, length: line.length, removed });
      offset += line.length + 1;
    }
  }

  #isFoldDue(): boolean {
    const limit = Math.max(this.#minJournalBytes, this.#foldedBytes / 2, this.#foldAtBytes);
    return this.#folding === undefined && this.#unfoldedBytes > limit;
  }

  async #startFold(): Promise<void> {
    this.#foldWanted = false;
    if (this.#folding !== undefined) return;
    try {
      await this.#journal.rotate();
    } catch (error) {
      this.#postponeFold(error);
      return;
    }
    this.#segments.add(this.#journal.segment);
    const dirty = this.#dirty;
    this.#dirty = new Map();
    this.#folding = this.#fold(dirty, this.#unfoldedBytes).finally(() => {
      this.#folding = undefined;
    });
  }

  async #fold(dirty: Map<string, DirtyEntry>, bytes: number): Promise<void> {
    const through = this.#journal.segment - 1;
    try {
      const result = await foldShards({
        fs: this.#fs,
        directory: this.#directory,
        shards: this.#shards,
        folded: this.#folded,
        dirty,
        through,
      });
      this.#foldedBytes = result.foldedBytes;
      this.#unfoldedBytes -= bytes;
      this.#foldAtBytes = 0;
      this.#folds += 1;
      await this.#drop(result.disposableThrough);
    } catch (error) {
      // What was not folded is still in its segments; newer lines of the same keys win.
      this.#dirty = new Map([...dirty, ...this.#dirty]);
      this.#postponeFold(error);
    }
  }

  async #drop(through: number): Promise<void> {
    const gone = [...this.#segments].filter((segment) => segment <= through).sort((a, b) => a - b);
    const left = new Set(await dropSegments(this.#fs, this.#directory, gone));
    for (const segment of gone) if (!left.has(segment)) this.#segments.delete(segment);
  }

  #postponeFold(error: unknown): void {
    this.#foldAtBytes = this.#unfoldedBytes + this.#minJournalBytes / 4;
    this.#log?.warn('journal not folded, it grows on', { err: error, retryAtBytes: this.#foldAtBytes });
  }
}

async function read(fs: FileSystem, directory: string, shards: number): Promise<LoadedMap> {
  try {
    await fs.mkdir(directory);
    return await loadMap(fs, directory, shards);
  } catch (error) {
    throw toDurableError(error, `opening ${directory}`);
  }
}
