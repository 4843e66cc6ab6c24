import { DurableError, errorCode } from './durable-error.ts';
import { openDocument } from './durable-json.ts';
import type { FileSystem, OpenFile } from './file-system.ts';
import { segmentPath } from './journal.ts';
import { type Shard, shardCodec, shardOf, shardPath } from './map-shard.ts';

/** Where the newest line of a key lies that no shard holds yet. */
export interface DirtyEntry {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
  readonly removed: boolean;
}

/** What to fold: everything of the closed segments up to `through` that the shards do not hold. */
export interface FoldPlan {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly shards: number;
  readonly dirty: ReadonlyMap<string, DirtyEntry>;
  readonly through: number;
  /** Per shard, the segment its document held everything up to when it was last read or written; kept up to date here. */
  readonly folded: number[];
}

export interface FoldResult {
  /** Size of all shard documents. */
  readonly foldedBytes: number;
  /** Segments up to this one are in both generations of every shard and may go. */
  readonly disposableThrough: number;
}

/**
 * Writes every shard anew, one at a time, moving entries as bytes. All are written, also those without changes, so that the
 * older generation of each lacks one fold at most, which the kept segments hold: losing any one shard file loses nothing.
 * Rejects with DurableError; shards done before stay done, and folding again is right.
 */
export async function foldShards(plan: FoldPlan): Promise<FoldResult> {
  const { fs, directory, shards, through } = plan;
  const byShard = Array.from({ length: shards }, (): [string, DirtyEntry][] => []);
  for (const pair of plan.dirty) byShard[shardOf(pair[0], shards)]?.push(pair);
  const reader = new SegmentReader(fs, directory);
  let foldedBytes = 0;
  let disposableThrough = through;
  try {
    for (const [shard, changes] of byShard.entries()) {
      const path = shardPath(directory, shard, shards);
      const empty: Shard = { through: 0, lines: new Map() };
      const low = await openDocument(path, empty, { fs, codec: shardCodec });
      // An older generation lacks what is no longer in `dirty`; the next start finds that in the kept segments.
      if (low.data.through < (plan.folded[shard] ?? 0))
        throw new DurableError('Unreadable', `${path} went bad since it was written; restart to restore it`);
      disposableThrough = Math.min(disposableThrough, low.data.through);
      await apply(low.data, changes, reader);
      low.data.through = through;
      await low.write();
      plan.folded[shard] = through;
      for (const line of low.data.lines.values()) foldedBytes += line.length;
    }
  } finally {
    await reader.close();
  }
  return { foldedBytes, disposableThrough };
}

async function apply(
  shard: Shard,
  changes: readonly [string, DirtyEntry][],
  reader: SegmentReader,
): Promise<void> {
  const written: [string, DirtyEntry][] = [];
  for (const [key, entry] of changes) {
    if (entry.removed) shard.lines.delete(key);
    else written.push([key, entry]);
  }
  for (const run of runs(written)) {
    const bytes = await reader.read(run.segment, run.start, run.end - run.start);
    // A copy: what lies between the lines of this shard is not to be held.
    for (const [key, { offset, length }] of run.entries)
      shard.lines.set(key, Buffer.from(bytes.subarray(offset - run.start, offset - run.start + length)));
  }
}

/** Read at once: a call to the system costs more than the bytes between two lines. */
const RUN_BYTES = 256 * 1024;

interface Run {
  readonly segment: number;
  readonly start: number;
  end: number;
  readonly entries: [string, DirtyEntry][];
}

/** Lines that lie close together, in the order of the journal. A line larger than a run is one of its own. */
function runs(entries: readonly [string, DirtyEntry][]): Run[] {
  const found: Run[] = [];
  let last: Run | undefined;
  for (const pair of entries.toSorted(([, a], [, b]) => a.segment - b.segment || a.offset - b.offset)) {
    const { segment, offset, length } = pair[1];
    const end = offset + length;
    if (last?.segment !== segment || end - last.start > RUN_BYTES) {
      last = { segment, start: offset, end, entries: [] };
      found.push(last);
    }
    last.end = end;
    last.entries.push(pair);
  }
  return found;
}

/** Removes segments, oldest first; one that is gone already is fine. Yields those that could not be removed. */
export async function dropSegments(
  fs: FileSystem,
  directory: string,
  segments: Iterable<number>,
): Promise<number[]> {
  const left: number[] = [];
  for (const segment of segments) {
    await fs.unlink(segmentPath(directory, segment)).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') left.push(segment);
    });
  }
  return left;
}

/** Reads lines back out of segments. */
export class SegmentReader {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #files = new Map<number, OpenFile>();

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  async line(entry: DirtyEntry): Promise<Buffer> {
    return this.read(entry.segment, entry.offset, entry.length);
  }

  /** Exactly these bytes; rejects when the segment ends before. */
  async read(segment: number, offset: number, length: number): Promise<Buffer> {
    let file = this.#files.get(segment);
    if (file === undefined) {
      file = await this.#fs.open(segmentPath(this.#directory, segment), 'read');
      this.#files.set(segment, file);
    }
    return file.read(offset, length);
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
    this.#files.clear();
  }
}
