import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, sleep } from '../../kit/clock.ts';
import { withDeadline } from '../../kit/deadline.ts';
import { type StorageLimits, type StorageUse, upperDirIn } from '../decide/local-storage.ts';
import { bytesBelow, bytesOfFiles, isFolder, type WalkBounds } from './disk-use.ts';
import type { LayerStore, RunningPod } from './ports.ts';

/** After each batch of files the walk rests this many times as long as the batch took, so that it never takes a whole core. */
const REST = 4;
const LONGEST_REST_MS = 1_000;
/** How long the engine may count what a container has written when it does not say where that lies, in ms. */
const ENGINE_MS = 60_000;

/** Where a container writes; without `layer` the engine has to count. */
interface Places {
  readonly layer?: string;
  readonly logs?: string;
}

/**
 * Measures what pods use of the disk. What a container has written is counted in the upper folder of its overlay, which holds nothing
 * else; the engine is asked once a container where that is, and counts only where the folder cannot be seen from here.
 */
export class StorageMeter {
  readonly #store: LayerStore;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #places = new Map<string, Places>();

  constructor(store: LayerStore, clock: Clock, signal: AbortSignal) {
    this.#store = store;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** What the limits are about, no more. Layers are counted of the newest container of each name, logs of all. */
  async measure(pod: RunningPod, limits: StorageLimits): Promise<StorageUse> {
    const volumes = new Map<string, number>();
    const enough = new Map(limits.volumes.map((l) => [l.name, l.bytes]));
    const counted = limits.pod === undefined ? [...enough.keys()] : limits.onDisk;
    for (const name of counted) {
      const enoughBytes = enough.get(name) ?? limits.pod?.bytes;
      volumes.set(name, await bytesBelow(join(pod.volumes, name), this.#bounds(enoughBytes)));
    }
    const containers = new Map<string, number>();
    if (limits.pod === undefined) return { volumes, containers };
    for (const container of pod.containers) {
      const { id, name, attempt } = container;
      const isNewest = !pod.containers.some((c) => c.name === name && c.attempt > attempt);
      const bytes = await this.#containerBytes(id, isNewest, limits.pod.bytes);
      containers.set(name, (containers.get(name) ?? 0) + bytes);
    }
    return { volumes, containers };
  }

  /** Forgets where other containers than these write. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#places.keys()) if (!ids.has(id)) this.#places.delete(id);
  }

  async #containerBytes(id: string, withLayer: boolean, enoughBytes: number): Promise<number> {
    const places = await this.#placesOf(id);
    const logs = places.logs === undefined ? 0 : await bytesOfFiles(places.logs);
    if (!withLayer) return logs;
    if (places.layer !== undefined) return logs + (await bytesBelow(places.layer, this.#bounds(enoughBytes)));
    return logs + (await withDeadline(ENGINE_MS, this.#signal, (s) => this.#store.layerBytes(id, s)));
  }

  async #placesOf(id: string): Promise<Places> {
    const known = this.#places.get(id);
    if (known !== undefined) return known;
    const told = await this.#store.layerOf(id);
    if (told === undefined) return {};
    const layer = told.upperDir ?? (await upperDirOf(told.pid));
    const places = {
      ...(layer !== undefined && (await isFolder(layer)) ? { layer } : {}),
      ...(told.logPath === undefined ? {} : { logs: told.logPath }),
    };
    this.#places.set(id, places);
    return places;
  }

  #bounds(enoughBytes: number | undefined): WalkBounds {
    let sinceMs = this.#clock.monotonicMs();
    const pause = async (): Promise<void> => {
      const tookMs = this.#clock.monotonicMs() - sinceMs;
      if (tookMs > 0) await sleep(this.#clock, Math.min(tookMs * REST, LONGEST_REST_MS), this.#signal);
      sinceMs = this.#clock.monotonicMs();
    };
    return { pause, ...(enoughBytes === undefined ? {} : { enoughBytes }) };
  }
}

async function upperDirOf(pid: number | undefined): Promise<string | undefined> {
  if (pid === undefined) return undefined;
  try {
    return upperDirIn(await readFile(`/proc/${pid}/mountinfo`, 'utf8'));
  } catch {
    return undefined; // It has just ended, or its processes cannot be seen from here: the engine counts.
  }
}
