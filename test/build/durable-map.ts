import * as assert from 'uvu/assert';
import { DurableError } from '../../kit/durable-error.ts';
import { DurableMap, type DurableMapOptions, type MapChange, type OpenedMap } from '../../kit/durable-map.ts';
import { FailingDisk } from '../fakes/failing-file.ts';

const DIR = '/map';
const SMALL = { shards: 4, minJournalBytes: 300 };

/** Opens the map of a disk, by default with few shards and early folds. */
export const open = (fs: FailingDisk, options: Partial<DurableMapOptions> = {}): Promise<OpenedMap> =>
  DurableMap.open(DIR, { ...SMALL, fs, ...options });
/** A change that sets a key. */
export const set = (key: string, value: unknown): MapChange => ({ key, value });

/** The reason that a promise rejects with; `none` when it does not. */
export async function reasonOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof DurableError ? error.reason : String(error)),
  );
}

/** Twenty keys written three times over with folds between, closed. */
export async function filled(options: Partial<DurableMapOptions> = {}): Promise<FailingDisk> {
  const disk = new FailingDisk();
  const { map } = await open(disk, options);
  for (let round = 0; round < 3; round += 1) {
    for (let i = 0; i < 20; i += 1) await map.commit([set(`k${i}`, { i, round })]);
    await map.fold();
  }
  await map.commit([set('k0', { i: 0, round: 3 }), set('k1', undefined)]);
  await map.commit([set('k2', { i: 2, round: 3 })]);
  await map.close();
  return disk;
}

/** Fails unless the map holds what `filled` left. */
export function assertFilled({ entries }: OpenedMap): void {
  assert.is(entries.size, 19);
  assert.equal(entries.get('k0'), { i: 0, round: 3 });
  assert.equal(entries.get('k2'), { i: 2, round: 3 });
  assert.equal(entries.get('k19'), { i: 19, round: 2 });
}

/** Paths of the disk that match, sorted. */
export const paths = (disk: FailingDisk, pattern: RegExp): string[] =>
  [...disk.files.keys()].filter((path) => pattern.test(path)).sort();
