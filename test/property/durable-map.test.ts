import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { DurableMap, type MapChange } from '../../kit/durable-map.ts';
import { FailingDisk } from '../fakes/failing-file.ts';
import { spec } from '../spec.ts';

const DIR = '/map';

/** Batches handed in one after the other; those of one group without waiting in between. */
type Plan = readonly (readonly (readonly MapChange[])[])[];

const change = fc.record({
  key: fc.integer({ min: 0, max: 8 }).map((n) => `key-${n}`),
  value: fc.option(fc.string({ maxLength: 60 }), { nil: undefined }),
});
const plan: fc.Arbitrary<Plan> = fc.array(
  fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
  { minLength: 1, maxLength: 12 },
);

function apply(state: ReadonlyMap<string, unknown>, batch: readonly MapChange[]): Map<string, unknown> {
  const next = new Map(state);
  for (const { key, value } of batch) {
    if (value === undefined) next.delete(key);
    else next.set(key, value);
  }
  return next;
}

const text = (state: ReadonlyMap<string, unknown>): string =>
  JSON.stringify([...state].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Runs the plan until the disk crashes; yields how many batches were acknowledged, in order, and how many handed in. */
async function run(disk: FailingDisk, groups: Plan): Promise<{ acknowledged: number; handedIn: number }> {
  const seen = { acknowledged: 0, handedIn: 0 };
  try {
    const { map } = await DurableMap.open(DIR, { shards: 2, fs: disk, minJournalBytes: 400 });
    for (const group of groups) {
      seen.handedIn += group.length;
      await Promise.all(
        group.map(async (batch) => {
          await map.commit(batch);
          seen.acknowledged += 1;
        }),
      );
    }
    await map.close();
  } catch (error) {
    if (!disk.crashed) throw error;
  }
  return seen;
}

spec(
  'DurableMap, whenever it is stopped',
  (it) => {
    it('holds exactly the acknowledged batches, perhaps some that were under way, each whole', async () => {
      await fc.assert(
        fc.asyncProperty(
          plan,
          plan,
          fc.integer({ min: 0, max: 250 }),
          fc.boolean(),
          fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
          async (first, second, crashAt, powerCut, numbers) => {
            let states = [new Map<string, unknown>()];
            let disk = new FailingDisk();
            // The second life starts from what the first left, crashes too, and is looked at by a third.
            for (const groups of [first, second]) {
              const calls = crashAt;
              disk.fault = ({ index }) => (index === calls ? 'crash' : undefined);
              const { acknowledged, handedIn } = await run(disk, groups);
              const base = states[0] ?? new Map<string, unknown>();
              states = [base];
              for (const batch of groups.flat()) states.push(apply(states.at(-1) ?? base, batch));
              const possible = states.slice(acknowledged, handedIn + 1);
              disk = powerCut ? disk.afterPowerCut(() => numbers.next().value) : disk.afterKill();
              const { entries, report, map } = await DurableMap.open(DIR, { shards: 2, fs: disk });
              await map.close();
              assert.equal(report.damage, []);
              const found = possible.find((state) => text(state) === text(entries));
              assert.ok(found, `${text(entries)} is none of ${possible.map(text).join(' ')}`);
              states = [new Map(entries)];
              disk = new FailingDisk(disk.files);
            }
          },
        ),
        { numRuns: 1500 },
      );
    });

    it('never throws on random bytes in its files, nor opens empty over them', async () => {
      await fc.assert(
        fc.asyncProperty(
          plan,
          fc.nat(),
          fc.uint8Array({ minLength: 1, maxLength: 40 }),
          async (groups, where, junk) => {
            const disk = new FailingDisk();
            await run(disk, groups);
            const paths = [...disk.files.keys()].sort();
            const path = paths[where % paths.length] ?? '';
            const bytes = Buffer.from(disk.files.get(path) ?? Buffer.alloc(0));
            bytes.set(junk.slice(0, bytes.length), where % Math.max(1, bytes.length - junk.length));
            disk.put(path, bytes);
            const opened = await DurableMap.open(DIR, { shards: 2, fs: disk }).catch(
              (error: unknown) => error,
            );
            if (opened instanceof Error) assert.is('reason' in opened && opened.reason, 'Unreadable');
          },
        ),
        { numRuns: 500 },
      );
    });
  },
  { caseTimeoutMs: 60_000 },
);
