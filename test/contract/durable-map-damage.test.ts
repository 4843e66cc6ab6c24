import * as assert from 'uvu/assert';
import { assertFilled, filled, open, paths, reasonOf, set } from '../build/durable-map.ts';
import { FailingDisk } from '../fakes/failing-file.ts';
import { spec } from '../spec.ts';

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
