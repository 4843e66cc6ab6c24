import { randomInt } from 'node:crypto';
import type { HistoryLimits } from '../../hub/store/history.ts';
import { Store } from '../../hub/store/store.ts';
import type { DurableMap, MapChange } from '../../kit/durable-map.ts';
import type { KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError } from '../../protocol/status.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { storeKinds } from './store-kinds.ts';

/** A durable map in memory: commits settle when told to, or at once; entries are what a restart would find. */
export class MemoryMap implements Pick<DurableMap, 'commit' | 'close'> {
  readonly entries = new Map<string, unknown>();
  commits = 0;
  /** Thrown by the next commits while set. */
  failure: Error | undefined;
  /** Commits wait for this. */
  gate: Promise<void> = Promise.resolve();

  async commit(changes: readonly MapChange[]): Promise<void> {
    const text = JSON.stringify(changes.map(({ key, value }) => [key, value]));
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
    this.commits += 1;
    for (const [key, value] of JSON.parse(text) as [string, unknown][]) {
      if (value === null) this.entries.delete(key);
      else this.entries.set(key, value);
    }
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

/** A store over a map in memory with a manual clock and counted ids. */
export async function memoryStore(
  options: { map?: MemoryMap; history?: HistoryLimits; kinds?: readonly KindSpec[] } = {},
): Promise<{ store: Store; map: MemoryMap; clock: ManualClock }> {
  const map = options.map ?? new MemoryMap();
  const clock = new ManualClock();
  let count = 0;
  const ids = {
    uid: () => {
      count += 1;
      return `uid-${map.entries.size}-${count}`;
    },
    below: randomInt,
  };
  const { history } = options;
  const store = await Store.open({
    kinds: options.kinds ?? storeKinds,
    map,
    entries: map.entries,
    clock,
    ids,
    ...(history === undefined ? {} : { history }),
  });
  return { store, map, clock };
}

/** An object with a name in the namespace `default`; `more` beside metadata. */
export function named(
  name: string,
  more: Record<string, unknown> = {},
  metadata: Partial<KubeObject['metadata']> = {},
) {
  return { metadata: { name, namespace: 'default', ...metadata }, ...more };
}

/** The ApiError a promise rejects with. Throws when it does not. */
export async function apiError(work: Promise<unknown>): Promise<ApiError> {
  const result: unknown = await work.catch((error: unknown) => error);
  if (result instanceof ApiError) return result;
  throw new Error(`no ApiError but ${String(result)}`);
}
