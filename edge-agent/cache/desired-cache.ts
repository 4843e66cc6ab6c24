import { rename, rm } from 'node:fs/promises';
import { DurableError } from '../../kit/durable-error.ts';
import { DurableMap } from '../../kit/durable-map.ts';
import type { FileSystem } from '../../kit/file-system.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Item, ItemKey } from '../../protocol/wire/messages.ts';
import { type HeldState, NOTHING_HELD } from '../decide/desired-step.ts';

/**
 * `held`: the state is whole. `empty`: nothing was ever written. `unreadable`: something was and not all of it can be had back; then
 * `held` has what is left, at generation 0, and what it lacks says nothing.
 */
export type CacheContent = 'held' | 'empty' | 'unreadable';

export interface CacheOptions {
  readonly log: Logger;
  readonly fs?: FileSystem;
  /** Wall time to note with each write, epoch ms: it costs no write of its own. */
  readonly nowMs: () => number;
}

/** What opening the cache yields. `lastKnownMs` is the wall time of the last write, 0 when unknown. */
export interface OpenedCache {
  readonly cache: DesiredCache;
  readonly content: CacheContent;
  readonly held: HeldState;
  readonly lastKnownMs: number;
}

/** Key of the record beside the items; no item key begins with this character. */
const INDEX_KEY = '#index';
const FORMAT = 1;

interface IndexRecord {
  readonly format: number;
  readonly cluster: string;
  readonly gen: number;
  readonly atMs: number;
}

/**
 * The desired state on the disk: items with their content and whose they are. A step is one record, so that after a power cut
 * either all of it is there or none. Nothing is ever written but accepted steps that change something. An unreadable cache is
 * moved aside and never taken for an empty one.
 */
export class DesiredCache {
  readonly #dir: string;
  readonly #options: CacheOptions;
  #map: DurableMap | undefined;

  private constructor(dir: string, options: CacheOptions, map: DurableMap | undefined) {
    this.#dir = dir;
    this.#options = options;
    this.#map = map;
  }

  /** Reads everything. Never rejects: a cache that cannot be read is `unreadable`, and usable again once the disk is. */
  static async open(dir: string, options: CacheOptions): Promise<OpenedCache> {
    try {
      const { map, entries, report } = await openMap(dir, options);
      const read = readEntries(entries);
      const isWhole = report.damage.length === 0 && (entries.size > 0 || report.tornBytes === 0);
      if (read !== undefined) {
        const cache = new DesiredCache(dir, options, map);
        return isWhole ? { cache, ...read } : { ...unreadable(cache), held: { ...read.held, gen: 0 } };
      }
      await map.close();
      options.log.error('cached desired state is not understood, moving it aside');
    } catch (err) {
      options.log.error('cached desired state cannot be read', { err });
      if (!(err instanceof DurableError) || err.reason !== 'Unreadable') {
        return unreadable(new DesiredCache(dir, options, undefined));
      }
    }
    await moveAside(dir, options.log);
    return unreadable(new DesiredCache(dir, options, undefined));
  }

  /** Bytes and syncs since the start, for metrics and the write budget. */
  get written(): { bytes: number; syncs: number } {
    const counters = this.#map?.counters;
    return { bytes: counters?.bytesWritten ?? 0, syncs: counters?.fsyncs ?? 0 };
  }

  /** Resolves once the step is on the disk. Rejects with DurableError, and then nothing of it is there. */
  async accept(next: HeldState, put: readonly Item[], del: readonly ItemKey[]): Promise<void> {
    this.#map ??= (await openMap(this.#dir, this.#options)).map;
    const { cluster, gen } = next;
    const index: IndexRecord = { format: FORMAT, cluster, gen, atMs: this.#options.nowMs() };
    await this.#map.commit([
      ...put.map((item) => ({ key: item.key, value: item })),
      ...del.map((key) => ({ key, value: undefined })),
      { key: INDEX_KEY, value: index },
    ]);
  }

  async close(): Promise<void> {
    await this.#map?.close();
  }
}

function openMap(dir: string, options: CacheOptions): ReturnType<typeof DurableMap.open> {
  const { log, fs } = options;
  return DurableMap.open(dir, { shards: 1, log, ...(fs === undefined ? {} : { fs }) });
}

function unreadable(cache: DesiredCache): OpenedCache {
  return { cache, content: 'unreadable', held: NOTHING_HELD, lastKnownMs: 0 };
}

/** One spoilt cache is kept for people to look at. */
async function moveAside(dir: string, log: Logger): Promise<void> {
  try {
    await rm(`${dir}.unreadable`, { recursive: true, force: true });
    await rename(dir, `${dir}.unreadable`);
  } catch (err) {
    log.error('the unreadable cache could not be moved aside', { err });
  }
}

/** The state of these entries; undefined when any of them is not understood: a part would look like a deletion of the rest. */
function readEntries(
  entries: ReadonlyMap<string, unknown>,
): { content: CacheContent; held: HeldState; lastKnownMs: number } | undefined {
  if (entries.size === 0) return { content: 'empty', held: NOTHING_HELD, lastKnownMs: 0 };
  const index = entries.get(INDEX_KEY);
  if (!isIndexRecord(index)) return undefined;
  const items = new Map<ItemKey, Item>();
  for (const [key, value] of entries) {
    if (key === INDEX_KEY) continue;
    if (!isItem(value) || value.key !== key) return undefined;
    items.set(key, value);
  }
  const { cluster, gen, atMs } = index;
  return { content: 'held', held: { cluster, gen, items }, lastKnownMs: atMs };
}

function isIndexRecord(value: unknown): value is IndexRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { format, cluster, gen, atMs } = value as Partial<IndexRecord>;
  return (
    format === FORMAT && typeof cluster === 'string' && typeof gen === 'number' && typeof atMs === 'number'
  );
}

/** Shapes were checked when the item came over the wire, and the journal has its own checksum. */
function isItem(value: unknown): value is Item {
  if (typeof value !== 'object' || value === null) return false;
  const { key, rev, kind, body } = value as Partial<Item>;
  return (
    typeof key === 'string' &&
    typeof rev === 'string' &&
    typeof body === 'object' &&
    body !== null &&
    (kind === 'pod' || kind === 'configmap' || kind === 'secret' || kind === 'node')
  );
}
