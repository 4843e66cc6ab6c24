import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { DesiredCache, type OpenedCache } from '../../edge-agent/cache/desired-cache.ts';
import { FlooredClock, noteTime, readNotedTime } from '../../edge-agent/cache/floored-clock.ts';
import { indexOf } from '../../edge-agent/decide/desired-step.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { Item } from '../../protocol/wire/messages.ts';
import { podItem } from '../build/desired.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const AT_MS = Date.UTC(2026, 4, 1);
const withDir = async (run: (dir: string) => Promise<void>): Promise<void> => {
  const root = mkdtempSync(join(tmpdir(), 'cox-cache-'));
  try {
    await run(join(root, 'cache'));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
};
const open = (dir: string): Promise<OpenedCache> =>
  DesiredCache.open(dir, { log: silentLogger, nowMs: () => AT_MS });
const accept = (opened: OpenedCache, gen: number, items: Item[], put = items, del: string[] = []) =>
  opened.cache.accept({ cluster: 'c1', gen, items: new Map(items.map((i) => [i.key, i])) }, put, del);
const bytesIn = (dir: string): number =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(dir, name)))
    .reduce((n, s) => n + (s.isFile() ? s.size : 0), 0);
const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).isFile());

spec('DesiredCache', (it) => {
  it('is empty at first, and holds what was accepted', () =>
    withDir(async (dir) => {
      const first = await open(dir);
      assert.is(first.content, 'empty');
      await accept(first, 4, [podItem('a'), podItem('b')]);
      await accept(first, 5, [podItem('a', '2')], [podItem('a', '2')], ['pod/b']);
      await first.cache.close();
      const second = await open(dir);
      assert.is(second.content, 'held');
      assert.equal([second.held.cluster, second.held.gen], ['c1', 5]);
      assert.equal(indexOf(second.held), { 'pod/a': '2' });
      assert.is(second.lastKnownMs, AT_MS);
      await second.cache.close();
    }));

  it('keeps an accepted empty set apart from never having been told', () =>
    withDir(async (dir) => {
      const first = await open(dir);
      await accept(first, 4, [podItem('a')]);
      await accept(first, 5, [], [], ['pod/a']);
      await first.cache.close();
      const second = await open(dir);
      assert.equal([second.content, second.held.gen, second.held.items.size], ['held', 5, 0]);
      await second.cache.close();
    }));

  it('writes nothing but accepted steps', () =>
    withDir(async (dir) => {
      const first = await open(dir);
      await accept(first, 4, [podItem('a')]);
      const { bytes } = first.cache.written;
      const onDisk = bytesIn(dir);
      await first.cache.close();
      const second = await open(dir);
      await second.cache.close();
      assert.is(bytesIn(dir), onDisk);
      assert.ok(bytes < 2000, `${bytes} bytes for one pod`);
    }));

  it('survives a torn last write: the step before is whole', () =>
    withDir(async (dir) => {
      for (let cut = 1; cut < 400; cut += 23) {
        const first = await open(dir);
        await accept(first, 4, [podItem('a')]);
        const sizes = new Map(filesIn(dir).map((path) => [path, statSync(path).size]));
        await accept(first, 5, [podItem('a', '2'), podItem('b')]);
        await first.cache.close();
        for (const path of filesIn(dir)) {
          const { size } = statSync(path);
          const before = sizes.get(path) ?? 0;
          if (size > before) truncateSync(path, Math.max(before, size - cut));
        }
        const second = await open(dir);
        assert.is(second.content, 'held');
        const held = indexOf(second.held);
        const isWhole = second.held.gen === 5 ? held['pod/b'] === '1' : held['pod/a'] === '1';
        assert.ok(isWhole, `cut ${cut}: gen ${second.held.gen} with ${JSON.stringify(held)}`);
        await second.cache.close();
        rmSync(dir, { recursive: true });
      }
    }));

  it('never takes a spoilt cache for an empty one, and works again', () =>
    withDir(async (dir) => {
      const first = await open(dir);
      await accept(first, 4, [podItem('a')]);
      await first.cache.close();
      for (const path of filesIn(dir)) writeFileSync(path, 'not what was written');
      const second = await open(dir);
      assert.is(second.content, 'unreadable');
      await accept(second, 9, [podItem('c')]);
      await second.cache.close();
      const third = await open(dir);
      assert.equal([third.content, indexOf(third.held)], ['held', { 'pod/c': '1' }]);
      await third.cache.close();
    }));

  it('does not act on a format of the future', () =>
    withDir(async (dir) => {
      const first = await open(dir);
      await accept(first, 4, [{ ...podItem('a'), kind: 'hologram' } as unknown as Item]);
      await first.cache.close();
      const second = await open(dir);
      assert.is(second.content, 'unreadable');
      await second.cache.close();
    }));
});

spec('FlooredClock', (it) => {
  it('goes on from the last known time on a board that boots in 1970', async () => {
    const base = new ManualClock(0);
    const clock = new FlooredClock(base, AT_MS);
    await base.advance(5000);
    assert.is(clock.nowMs(), AT_MS + 5000);
    base.jumpWall(AT_MS + 86_400_000);
    assert.is(clock.nowMs(), AT_MS + 86_400_000);
  });

  it('takes the hub’s word, also against a floor that was wrong', async () => {
    const base = new ManualClock(0);
    const clock = new FlooredClock(base, Date.UTC(2100, 0, 1));
    clock.raise(AT_MS);
    assert.is(clock.nowMs(), Date.UTC(2100, 0, 1));
    clock.learn(AT_MS);
    await base.advance(1000);
    assert.is(clock.nowMs(), AT_MS + 1000);
  });

  it('notes the time and reads it back; nothing noted is 0', () =>
    withDir(async (dir) => {
      assert.is(await readNotedTime(join(dir, 'clock')), 0);
      await noteTime(join(dir, 'clock'), AT_MS + 0.4);
      assert.is(await readNotedTime(join(dir, 'clock')), AT_MS);
      writeFileSync(join(dir, 'clock'), '');
      assert.is(await readNotedTime(join(dir, 'clock')), 0);
    }));
});
