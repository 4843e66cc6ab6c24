import { DurableError, toDurableError } from './durable-error.ts';
import { type FileSystem, metered, nodeFileSystem, type WriteMeter } from './file-system.ts';
import { Journal } from './journal.ts';
import { type EntryLine, encodeRecord, entryLine } from './journal-record.ts';
import type { Logger } from './logger.ts';
import { MapFolder } from './map-folder.ts';
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
  readonly #meter: WriteMeter;
  readonly #directory: string;
  readonly #journal: Journal;
  readonly #folder: MapFolder;
  #queue: Batch[] = [];
  #foldWaiters: (() => void)[] = [];
  #busy = false;
  #running: Promise<void> = Promise.resolve();
  #closed = false;
  #records = 0;

  private constructor(directory: string, options: DurableMapOptions, meter: WriteMeter, loaded: LoadedMap) {
    const fs = metered(options.fs ?? nodeFileSystem, meter);
    const { log, minJournalBytes = MIN_JOURNAL_BYTES } = options;
    this.#meter = meter;
    this.#directory = directory;
    this.#journal = new Journal(fs, directory, loaded.at);
    const onEnd = (): void => this.#wake();
    this.#folder = new MapFolder({ fs, directory, log, minJournalBytes, onEnd }, loaded);
  }

  /**
   * Opens or makes the directory and reads everything. Damage is in the report and logged as errors; the state is then made
   * whole on disk again. Rejects with DurableError: `Unreadable` when stored state cannot be had back, never with an empty map instead.
   */
  static async open(directory: string, options: DurableMapOptions): Promise<OpenedMap> {
    const meter = { bytesWritten: 0, fsyncs: 0 };
    const loaded = await read(metered(options.fs ?? nodeFileSystem, meter), directory, options.shards);
    const map = new DurableMap(directory, options, meter, loaded);
    for (const damage of loaded.report.damage) options.log?.error('stored data damaged', { ...damage });
    if (loaded.report.damage.length > 0) await map.fold();
    return { map, report: loaded.report, entries: loaded.entries };
  }

  get counters(): MapCounters {
    return { ...this.#meter, ...this.#folder.counters, records: this.#records };
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
    if (this.#closed) return;
    await this.#folder.running;
    await new Promise<void>((resolve) => {
      this.#foldWaiters.push(resolve);
      this.#wake();
    });
    await this.#folder.running;
  }

  /** Takes no more commits, finishes those handed in and a fold under way, closes the files. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#folder.running;
    await this.#running;
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
    while (this.#queue.length > 0 || this.#isFoldWanted()) {
      if (this.#isFoldWanted()) await this.#startFold();
      const group = this.#takeGroup();
      if (group.length > 0) await this.#write(group);
      if (this.#folder.isDue) await this.#startFold();
    }
    // In the same instant as the check above: a commit that comes later starts the loop anew.
    this.#busy = false;
  }

  #isFoldWanted(): boolean {
    return this.#foldWaiters.length > 0 && this.#folder.running === undefined;
  }

  async #startFold(): Promise<void> {
    const waiters = this.#foldWaiters.splice(0);
    await this.#folder.start(this.#journal);
    for (const resolve of waiters) resolve();
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
    const records = group.map((batch) => ({ batch, ...encodeRecord(batch.lines, segment, syncedBytes) }));
    try {
      await this.#journal.append(Buffer.concat(records.map((record) => record.bytes)));
    } catch (error) {
      const refusal = toDurableError(error, `writing ${this.#directory}`);
      for (const { reject } of group) reject(refusal);
      return;
    }
    this.#records += group.length;
    let offset = syncedBytes;
    for (const { batch, bytes, bodyOffset } of records) {
      this.#folder.note(batch.lines, segment, offset + bodyOffset, bytes.length);
      offset += bytes.length;
      batch.resolve();
    }
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
