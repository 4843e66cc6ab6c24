import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { DurableMap } from '../../kit/durable-map.ts';
import { assertFilled, filled, open, paths, reasonOf, set } from '../build/durable-map.ts';
import { FailingDisk, type Fault } from '../fakes/failing-file.ts';
import { spec } from '../spec.ts';

/** Processor time of the turns of the event loop while `work` goes on, longest first: other processes do not lengthen it. */
async function busyTurns(work: () => Promise<void>): Promise<number[]> {
  const turnsMs: number[] = [];
  let before = process.cpuUsage();
  let isOver = false;
  const turn = (): void => {
    const { user, system } = process.cpuUsage(before);
    turnsMs.push((user + system) / 1_000);
    before = process.cpuUsage();
    if (!isOver) setTimeout(turn);
  };
  setTimeout(turn);
  await work();
  isOver = true;
  return turnsMs.sort((a, b) => b - a);
}

spec(
  'DurableMap',
  (it) => {
    it('gives back what was committed, folded or not, also keys and values of any text', async () => {
      const disk = new FailingDisk();
      const { map, report } = await open(disk);
      assert.equal(report.entries, 0);
      const odd = ['', 'a/b', 'ä\n"\\', '#deadbeef 1 2 3', '-"x"', '__proto__'];
      await map.commit(odd.map((key) => set(key, { key, line: 'one\n#two\u0000' })));
      const unfolded = await open(disk.afterKill());
      await map.fold();
      await map.close();
      for (const { entries } of [unfolded, await open(disk)])
        assert.equal(entries, new Map(odd.map((key) => [key, { key, line: 'one\n#two\u0000' }])));
    });

    it('keeps the last of several changes of a key in a batch, and takes values at the call', async () => {
      const disk = new FailingDisk();
      const { map } = await open(disk);
      const value = { n: 1 };
      const done = map.commit([set('a', 0), set('a', value), set('b', 1), set('b', undefined)]);
      value.n = 2;
      await done;
      assert.equal((await open(disk)).entries, new Map([['a', { n: 1 }]]));
    });

    it('refuses what is not JSON before it writes', async () => {
      const { map } = await open(new FailingDisk());
      assert.match(await reasonOf(map.commit([set('a', () => 1)])), /TypeError/);
      assert.is(map.counters.bytesWritten, 0);
    });

    it('writes nothing without commits, not at open and not at close', async () => {
      const disk = await filled();
      const { map } = await open(disk);
      await map.close();
      assert.is(map.counters.bytesWritten, 0);
      assert.is(map.counters.fsyncs, 0);
    });

    it('shares a sync among commits that wait', async () => {
      const { map } = await open(new FailingDisk(), { minJournalBytes: 1e6 });
      await Promise.all(Array.from({ length: 100 }, (_, i) => map.commit([set(`k${i}`, i)])));
      assert.is(map.counters.records, 100);
      assert.ok(map.counters.fsyncs <= 3, `${map.counters.fsyncs} syncs`);
    });

    it('folds by itself, bounds the journal, and costs each write the same however much is stored', async () => {
      const { map } = await open(new FailingDisk(), { minJournalBytes: 2000 });
      const value = 'x'.repeat(100);
      const costs: number[] = [];
      for (let part = 0; part < 4; part += 1) {
        const before = map.counters.bytesWritten;
        for (let i = 0; i < 500; i += 1) await map.commit([set(`k${part}-${i}`, value)]);
        costs.push(map.counters.bytesWritten - before);
      }
      await map.close();
      assert.ok(map.counters.folds > 3, `${map.counters.folds} folds`);
      assert.ok(map.counters.journalBytes < map.counters.foldedBytes, JSON.stringify(map.counters));
      assert.ok((costs[3] ?? 0) < 500 * 150 * 6, `${costs} bytes`);
    });

    it('keeps the number of shards that the directory has', async () => {
      const disk = await filled({ shards: 3 });
      assertFilled(await open(disk, { shards: 16 }));
      assert.is(paths(disk, /shard-.*-of-03\.json$/).length, 3);
    });

    it('takes no commit after close', async () => {
      const { map } = await open(new FailingDisk());
      await map.close();
      assert.is(await reasonOf(map.commit([set('a', 1)])), 'Closed');
    });

    it('keeps the event loop free while it folds 10,000 values of 4 kB', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'durable-map-'));
      try {
        const { map } = await DurableMap.open(directory, { shards: 16, minJournalBytes: 1e9 });
        const text = 'x'.repeat(4000);
        for (let at = 0; at < 10_000; at += 100)
          await map.commit(Array.from({ length: 100 }, (_, i) => set(`Pod/default/p${at + i}`, { text })));
        await map.fold();
        await map.commit(Array.from({ length: 5000 }, (_, i) => set(`Pod/default/p${i * 2}`, { text, i })));
        const turnsMs = await busyTurns(() => map.fold());
        await map.close();
        assert.is(map.counters.folds, 2);
        // The longest ones belong to the collector.
        assert.ok((turnsMs[2] ?? 0) < 20, `turns of ${turnsMs.slice(0, 5)} ms`);
      } finally {
        await rm(directory, { recursive: true });
      }
    });
  },
  { caseTimeoutMs: 30_000 },
);

spec('DurableMap on a failing disk', (it) => {
  for (const fault of ['ENOSPC', 'EIO', 'torn'] as const satisfies readonly Fault[]) {
    it(`rejects with a reason on ${fault}, leaves nothing of the batch, and works again afterwards`, async () => {
      for (const op of ['open', 'write', 'sync', 'syncDirectory'] as const) {
        const disk = new FailingDisk();
        const { map } = await open(disk, { minJournalBytes: 1e6 });
        if (op === 'write' || op === 'sync') await map.commit([set('before', 1)]);
        let failures = 0;
        disk.fault = (call) => (call.op === op && failures++ === 0 ? fault : undefined);
        const refused = [map.commit([set('a', 1), set('b', 1)]), map.commit([set('c', 1)])];
        for (const one of refused) assert.is(await reasonOf(one), fault === 'ENOSPC' ? 'NoSpace' : 'IoError');
        const { entries } = await open(disk.afterKill());
        assert.equal([...entries.keys()], op === 'write' || op === 'sync' ? ['before'] : []);
        await map.commit([set('after', 1)]);
        await map.close();
        const again = await open(disk);
        assert.is(again.entries.get('after'), 1);
        assert.is(again.entries.get('a'), undefined);
        assert.equal(again.report.damage, []);
      }
    });
  }

  it('recovers by itself when a full disk has room again, also when cutting the rest failed', async () => {
    const disk = new FailingDisk();
    const { map } = await open(disk, { minJournalBytes: 1e6 });
    await map.commit([set('a', 1)]);
    disk.capacityBytes = 120;
    disk.fault = ({ op }) => (op === 'truncate' ? 'EIO' : undefined);
    assert.is(await reasonOf(map.commit([set('b', 'x'.repeat(200))])), 'NoSpace');
    assert.is(await reasonOf(map.commit([set('c', 1)])), 'IoError');
    disk.fault = () => undefined;
    assert.is(await reasonOf(map.commit([set('b', 'x'.repeat(200))])), 'NoSpace');
    disk.capacityBytes = 1e6;
    await map.commit([set('d', 1)]);
    const { entries, report } = await open(disk.afterKill());
    assert.equal([...entries.keys()].sort(), ['a', 'd']);
    assert.equal(report.damage, []);
  });

  it('goes on when a fold fails at any call, and folds later', async () => {
    for (let at = 0; at < 60; at += 1) {
      const disk = new FailingDisk();
      const { map } = await open(disk, { minJournalBytes: 1e6 });
      for (let i = 0; i < 12; i += 1) await map.commit([set(`k${i}`, i)]);
      if (at % 2 === 0) await map.fold();
      await map.commit([set('k3', 'new'), set('k4', undefined)]);
      const first = disk.calls;
      disk.fault = ({ index }) => (index === first + at ? 'EIO' : undefined);
      await map.fold();
      disk.fault = () => undefined;
      await map.commit([set('k5', 'later')]);
      const check = async (fs: FailingDisk): Promise<void> => {
        const { entries, report } = await open(fs);
        assert.equal(
          [entries.size, entries.get('k3'), entries.get('k5')],
          [11, 'new', 'later'],
          `call ${at}`,
        );
        assert.equal(report.damage, []);
      };
      await check(disk.afterKill());
      await map.fold();
      await map.close();
      await check(disk);
    }
  });
});
