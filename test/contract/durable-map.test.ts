import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import * as assert from 'uvu/assert';
import { DurableError } from '../../kit/durable-error.ts';
import { DurableMap, type DurableMapOptions, type MapChange, type OpenedMap } from '../../kit/durable-map.ts';
import { FailingDisk, type Fault } from '../fakes/failing-file.ts';
import { spec } from '../spec.ts';

const DIR = '/map';
const SMALL = { shards: 4, minJournalBytes: 300 };

const open = (fs: FailingDisk, options: Partial<DurableMapOptions> = {}): Promise<OpenedMap> =>
  DurableMap.open(DIR, { ...SMALL, fs, ...options });
const set = (key: string, value: unknown): MapChange => ({ key, value });

async function reasonOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof DurableError ? error.reason : String(error)),
  );
}

/** Twenty keys written three times over with folds between, closed. */
async function filled(options: Partial<DurableMapOptions> = {}): Promise<FailingDisk> {
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

function assertFilled({ entries }: OpenedMap): void {
  assert.is(entries.size, 19);
  assert.equal(entries.get('k0'), { i: 0, round: 3 });
  assert.equal(entries.get('k2'), { i: 2, round: 3 });
  assert.equal(entries.get('k19'), { i: 19, round: 2 });
}

/** Paths of the disk that match, sorted. */
const paths = (disk: FailingDisk, pattern: RegExp): string[] =>
  [...disk.files.keys()].filter((path) => pattern.test(path)).sort();

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
        const delay = monitorEventLoopDelay({ resolution: 1 });
        await map.fold();
        delay.enable();
        await map.commit(Array.from({ length: 5000 }, (_, i) => set(`Pod/default/p${i * 2}`, { text, i })));
        delay.reset();
        await map.fold();
        delay.disable();
        await map.close();
        assert.is(map.counters.folds, 2);
        // The median must be far below; single pauses belong to the collector and to a shared machine.
        assert.ok(delay.percentile(99) / 1e6 < 20, `blocked for ${delay.percentile(99) / 1e6} ms`);
      } finally {
        await rm(directory, { recursive: true });
      }
    });
  },
  { caseTimeoutMs: 30_000 },
);

spec('DurableMap on damaged files', (it) => {
  it('cuts a torn tail and says how much', async () => {
    const disk = await filled();
    const last = paths(disk, /journal-\d+\.log$/).at(-1) ?? '';
    const bytes = disk.files.get(last) ?? Buffer.alloc(0);
    disk.put(last, bytes.subarray(0, bytes.length - 3));
    const opened = await open(disk);
    assert.ok(opened.report.tornBytes > 0);
    assert.equal(opened.report.damage, []);
    assert.equal(opened.entries.get('k2'), { i: 2, round: 2 });
    await opened.map.commit([set('new', 1)]);
    await opened.map.close();
    const again = await open(disk);
    assert.is(again.report.tornBytes, 0);
    assert.is(again.entries.get('new'), 1);
  });

  const spoil: readonly [string, (bytes: Buffer) => Buffer | undefined][] = [
    ['missing', () => undefined],
    ['empty', () => Buffer.alloc(0)],
    ['full of NUL', (bytes) => Buffer.alloc(bytes.length)],
    ['cut', (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ];
  for (const [name, change] of spoil) {
    it(`loses nothing when any one shard file is ${name}`, async () => {
      for (const path of paths(await filled(), /shard-.*\.json$/)) {
        const disk = await filled();
        const bytes = change(disk.files.get(path) ?? Buffer.alloc(0));
        if (bytes === undefined) disk.remove(path);
        else disk.put(path, bytes);
        const opened = await open(disk);
        assertFilled(opened);
        assert.is(opened.report.damage.length, bytes === undefined ? 0 : 1);
        await opened.map.close();
        const again = await open(disk);
        assertFilled(again);
        assert.equal(again.report.damage, []);
      }
    });
  }

  it('refuses to open when both generations of a shard are gone: never empty instead', async () => {
    const [path = ''] = paths(await filled(), /shard-.*\.json$/);
    for (const ruin of ['remove', 'empty'] as const) {
      const disk = await filled();
      for (const file of [path, `${path}.bak`])
        ruin === 'remove' ? disk.remove(file) : disk.put(file, Buffer.alloc(0));
      assert.is(await reasonOf(open(disk)), 'Unreadable');
      assert.is(await reasonOf(open(disk)), 'Unreadable');
    }
  });

  it('refuses to open when all shards are gone but the journal says there were some', async () => {
    const disk = await filled();
    for (const path of paths(disk, /shard-/)) disk.remove(path);
    assert.is(await reasonOf(open(disk)), 'Unreadable');
  });

  it('tells what a bad record in the middle took, keeps its bytes and everything else', async () => {
    const disk = await filled();
    const last = paths(disk, /journal-\d+\.log$/).at(-1) ?? '';
    const bytes = Buffer.from(disk.files.get(last) ?? Buffer.alloc(0));
    const at = bytes.indexOf('"round":3');
    bytes[at + 8] = 0x39;
    disk.put(last, bytes);
    const opened = await open(disk);
    const [damage] = opened.report.damage;
    assert.is(opened.report.damage.length, 1);
    assert.is(damage?.reason, 'BadRecord');
    assert.equal(damage?.keys, ['k0', 'k1']);
    assert.equal(disk.files.get(damage?.movedTo ?? ''), bytes);
    assert.equal(opened.entries.get('k2'), { i: 2, round: 3 });
    assert.equal(opened.entries.get('k0'), { i: 0, round: 2 });
    await opened.map.close();
    const again = await open(disk);
    assert.equal(again.report.damage, []);
    assert.equal(again.entries, opened.entries);
  });

  it('tells of a journal file that is missing in between, and refuses when shards are missing with it', async () => {
    for (const folded of [true, false]) {
      const disk = folded ? await filled() : new FailingDisk();
      const { map } = await open(disk, { minJournalBytes: 1e6 });
      await map.commit([set('a', 1)]);
      // The fold cannot write its shards: the closed segment stays.
      disk.fault = ({ path }) => (path.includes('shard') ? 'EIO' : undefined);
      await map.fold();
      await map.commit([set('b', 1)]);
      disk.fault = () => undefined;
      const [closed = ''] = paths(disk, /journal-\d+\.log$/).slice(-2);
      disk.remove(closed);
      if (!folded) {
        assert.is(await reasonOf(open(disk)), 'Unreadable');
        continue;
      }
      const { report, entries } = await open(disk);
      assert.is(report.damage[0]?.reason, 'MissingSegment');
      assert.is(report.damage[0]?.file, closed);
      assert.equal([entries.get('a'), entries.get('b')], [undefined, 1]);
      assert.equal((await open(disk)).report.damage, []);
    }
  });
});

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
