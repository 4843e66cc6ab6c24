import { setImmediate as yieldToLoop } from 'node:timers/promises';
import { DurableError, errorCode } from './durable-error.ts';
import { type DamageReason, type FileDamage, openDocument } from './durable-json.ts';
import type { FileSystem } from './file-system.ts';
import { segmentInName, segmentPath } from './journal.ts';
import { type BadRegion, type EntryPosition, keysIn, parsedValue, scanSegment } from './journal-record.ts';
import type { DirtyEntry } from './map-fold.ts';
import { type Shard, shardCodec, shardInName, shardOf, shardPath } from './map-shard.ts';

/** Something stored that could not be read when the map was opened. */
export interface MapDamage {
  readonly file: string;
  readonly reason: DamageReason | 'BadRecord' | 'MissingSegment';
  /** What it means: whether anything is lost, in words for people. */
  readonly lost: string;
  /** Keys still legible in the damaged bytes; their newest change may be the lost one. At most 20. */
  readonly keys: readonly string[];
  /** Where the bad bytes are kept. */
  readonly movedTo?: string;
}

/** What opening found. */
export interface OpenReport {
  readonly entries: number;
  readonly journalBytes: number;
  readonly foldedBytes: number;
  /** Bytes of a write that was never acknowledged, cut from the end of the journal. */
  readonly tornBytes: number;
  readonly damage: readonly MapDamage[];
}

/** State of a directory as found; nothing has been written but what was moved aside. */
export interface LoadedMap {
  readonly report: OpenReport;
  readonly shards: number;
  readonly entries: Map<string, unknown>;
  readonly dirty: Map<string, DirtyEntry>;
  readonly segments: readonly number[];
  /** Per shard, the segment its document holds everything up to. */
  readonly folded: number[];
  readonly at: { segment: number; length: number; exists: boolean; torn: boolean };
}

const KEYS_TOLD = 20;
const PARSE_SLICE_BYTES = 256 * 1024;

interface Loading {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly shards: number;
  readonly entries: Map<string, unknown>;
  readonly dirty: Map<string, DirtyEntry>;
  readonly damage: MapDamage[];
  readonly through: number[];
  foldedBytes: number;
  journalBytes: number;
  tornBytes: number;
}

/**
 * Reads shards and journal. The number of shards on disk wins over `shards`, which holds for a new directory.
 * Rejects with DurableError `Unreadable` when a shard is lost that the journal cannot make good, `IoError` when the disk fails.
 */
export async function loadMap(fs: FileSystem, directory: string, shards: number): Promise<LoadedMap> {
  const names = await fs.readdir(directory);
  const segments = names.flatMap((name) => segmentInName(name) ?? []).sort((a, b) => a - b);
  const counts = new Set(names.flatMap((name) => shardInName(name)?.count ?? []));
  if (counts.size > 1) throw new DurableError('Unreadable', `${directory} holds shards of several layouts`);
  const loading: Loading = {
    fs,
    directory,
    shards: [...counts][0] ?? shards,
    entries: new Map(),
    dirty: new Map(),
    damage: [],
    through: [],
    foldedBytes: 0,
    journalBytes: 0,
    tornBytes: 0,
  };
  for (let shard = 0; shard < loading.shards; shard += 1) await loadShard(loading, shard);
  checkSegments(loading, segments);
  const at = await loadSegments(loading, segments);
  const { entries, dirty, damage, foldedBytes, journalBytes, tornBytes } = loading;
  const report = { entries: entries.size, journalBytes, foldedBytes, tornBytes, damage };
  return { report, shards: loading.shards, entries, dirty, segments, folded: loading.through, at };
}

async function loadShard(loading: Loading, shard: number): Promise<void> {
  const path = shardPath(loading.directory, shard, loading.shards);
  const onDamage = (damage: FileDamage): void => {
    loading.damage.push({
      file: damage.file,
      reason: damage.reason,
      lost: `nothing, ${damage.restoredFrom} and the journal made it good`,
      keys: [],
      ...(damage.movedTo === undefined ? {} : { movedTo: damage.movedTo }),
    });
  };
  const empty: Shard = { through: 0, lines: new Map() };
  const { data } = await openDocument(path, empty, { fs: loading.fs, codec: shardCodec, onDamage });
  loading.through.push(data.through);
  let parsed = 0;
  for (const [key, line] of data.lines) {
    loading.entries.set(key, parsedValue(line));
    loading.foldedBytes += line.length;
    parsed += line.length;
    if (parsed < PARSE_SLICE_BYTES) continue;
    parsed = 0;
    await yieldToLoop();
  }
}

/** Every segment after the least folded shard's must be there; a missing one is a loss to tell, or, at the front, to refuse. */
function checkSegments(loading: Loading, segments: readonly number[]): void {
  const foldedThrough = Math.min(...loading.through);
  const last = Math.max(0, ...segments, ...loading.through);
  const present = new Set(segments);
  for (let segment = foldedThrough + 1; segment <= last; segment += 1) {
    if (present.has(segment)) continue;
    const file = segmentPath(loading.directory, segment);
    // Shards were written before the first segment went: their absence with it means that they are lost.
    if (foldedThrough === 0)
      throw new DurableError('Unreadable', `${file} and a shard it was folded into are missing`);
    loading.damage.push({ file, reason: 'MissingSegment', lost: 'every change in it', keys: [] });
  }
}

async function loadSegments(loading: Loading, segments: readonly number[]): Promise<LoadedMap['at']> {
  const newestFold = Math.max(0, ...loading.through);
  const first = newestFold + 1;
  const fresh = { segment: first, length: 0, exists: segments.includes(first), torn: false };
  const last = await lastInUse(
    loading,
    segments.filter((segment) => segment > newestFold),
  );
  let at = fresh;
  for (const segment of segments) {
    const bytes = await loading.fs.readFile(segmentPath(loading.directory, segment));
    const scan = scanSegment(bytes, segment, segment !== last);
    if (segment > newestFold) loading.journalBytes += bytes.length;
    const torn = await weigh(loading, segment, bytes, scan.bad);
    if (segment === last) at = { segment, length: bytes.length - torn, exists: true, torn: torn > 0 };
    applyEntries(loading, segment, bytes, scan.entries);
    await yieldToLoop();
  }
  return at;
}

/** The newest segment with anything in it; a later empty one is what a stop while starting it leaves. */
async function lastInUse(loading: Loading, segments: readonly number[]): Promise<number | undefined> {
  for (const segment of segments.toReversed()) {
    const bytes = await loading.fs.readFile(segmentPath(loading.directory, segment));
    if (bytes.length > 0) return segment;
  }
  return undefined;
}

function applyEntries(
  loading: Loading,
  segment: number,
  bytes: Buffer,
  entries: readonly EntryPosition[],
): void {
  const newest = new Map<string, EntryPosition>();
  for (const entry of entries) {
    if (segment > (loading.through[shardOf(entry.key, loading.shards)] ?? 0)) newest.set(entry.key, entry);
  }
  for (const [key, { offset, length, removed }] of newest) {
    loading.dirty.set(key, { segment, offset, length, removed });
    if (removed) loading.entries.delete(key);
    else loading.entries.set(key, parsedValue(bytes.subarray(offset, offset + length)));
  }
}

/** Reports damage and keeps a copy of it; yields how many bytes at the end are a torn tail. */
async function weigh(
  loading: Loading,
  segment: number,
  bytes: Buffer,
  bad: readonly BadRegion[],
): Promise<number> {
  // Folded everywhere: what is unreadable in it is held by the shards.
  if (segment <= Math.min(...loading.through)) return 0;
  const torn = bad.find((region) => !region.acknowledged);
  loading.tornBytes += torn?.length ?? 0;
  const damaged = bad.filter((region) => region !== torn);
  if (damaged.length > 0) {
    const file = segmentPath(loading.directory, segment);
    const movedTo = await keepCopy(loading.fs, file, bytes);
    for (const region of damaged) {
      const piece = bytes.subarray(region.offset, region.offset + region.length);
      loading.damage.push({
        file,
        reason: 'BadRecord',
        lost: `the changes in ${region.length} bytes at ${region.offset}`,
        keys: keysIn(piece, KEYS_TOLD),
        ...(movedTo === undefined ? {} : { movedTo }),
      });
    }
  }
  return torn?.length ?? 0;
}

async function keepCopy(fs: FileSystem, file: string, bytes: Buffer): Promise<string | undefined> {
  const copy = `${file}.bad`;
  try {
    const handle = await fs.open(copy, 'create');
    try {
      await handle.write(bytes, 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return copy;
  } catch (error) {
    // The segment itself stays until it is folded; only a full or failing disk comes here, and the report says "not kept".
    if (errorCode(error) === '') throw error;
    return undefined;
  }
}
