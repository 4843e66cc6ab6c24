import { Buffer } from 'node:buffer';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { DurableError } from '../../kit/durable-error.ts';
import { DurableJson, type FileDamage, openDocument } from '../../kit/durable-json.ts';
import { FailingDisk, type Fault } from '../fakes/failing-file.ts';
import { spec } from '../spec.ts';

interface Doc {
  readonly n: number;
  readonly text?: string;
}

const PATH = '/d/doc.json';

async function refusalOf(work: Promise<unknown>): Promise<DurableError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, DurableError);
  return error as DurableError;
}

/** A disk with generation 1 as `.bak` and generation 2 as the newest. */
async function twoGenerations(): Promise<FailingDisk> {
  const disk = new FailingDisk();
  await new DurableJson<Doc>(PATH, { fs: disk }).write({ n: 1 });
  const again = new DurableJson<Doc>(PATH, { fs: disk });
  await again.read();
  await again.write({ n: 2 });
  return disk;
}

spec('DurableJson', (it) => {
  it('is null before the first write, and is what was written after it', async () => {
    const disk = new FailingDisk();
    const adapter = new DurableJson<Doc>(PATH, { fs: disk });
    assert.is(await adapter.read(), null);
    await adapter.write({ n: 1, text: 'ä\u0000\n"' });
    assert.equal(await new DurableJson<Doc>(PATH, { fs: disk }).read(), { n: 1, text: 'ä\u0000\n"' });
  });

  it('serves lowdb on a real disk, private to its user, as plain JSON', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'durable-json-'));
    try {
      const path = join(directory, 'doc.json');
      const low = await openDocument<Doc>(path, { n: 0 });
      assert.is(low.data.n, 0);
      low.data = { n: 7 };
      await low.write();
      assert.is((await stat(path)).mode & 0o777, 0o600);
      assert.equal(JSON.parse((await readFile(path, 'utf8')).split('\n')[0] ?? ''), { n: 7 });
      await writeFile(path, '');
      await refusalOf(openDocument<Doc>(path, { n: 0 }));
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('coalesces writes into the newest', async () => {
    const disk = new FailingDisk();
    const adapter = new DurableJson<Doc>(PATH, { fs: disk });
    await Promise.all(Array.from({ length: 200 }, (_, n) => adapter.write({ n })));
    assert.equal(await adapter.read(), { n: 199 });
    assert.ok(disk.calls < 20, `${disk.calls} calls`);
  });

  const spoiled: readonly [string, (good: Buffer) => Buffer, string][] = [
    ['an empty file', () => Buffer.alloc(0), 'Empty'],
    ['a file of NUL', (good) => Buffer.alloc(good.length), 'Nul'],
    ['a cut-off file', (good) => good.subarray(0, good.length - 9), 'Torn'],
    ['a file cut inside the document', (good) => good.subarray(0, 3), 'Torn'],
    ['a flipped bit', (good) => Buffer.from(good.map((b, i) => (i === 5 ? b ^ 1 : b))), 'Checksum'],
  ];
  for (const [name, spoil, reason] of spoiled) {
    it(`reads the older generation in place of ${name}, and keeps the bad one`, async () => {
      const disk = await twoGenerations();
      const bad = spoil(disk.files.get(PATH) ?? Buffer.alloc(0));
      disk.put(PATH, bad);
      const damage: FileDamage[] = [];
      const adapter = new DurableJson<Doc>(PATH, { fs: disk, onDamage: (d) => damage.push(d) });
      assert.equal(await adapter.read(), { n: 1 });
      assert.equal(damage, [{ file: PATH, reason, restoredFrom: `${PATH}.bak`, movedTo: `${PATH}.bad` }]);
      assert.equal(disk.files.get(`${PATH}.bad`), bad);
      await adapter.write({ n: 3 });
      assert.equal(await new DurableJson<Doc>(PATH, { fs: disk }).read(), { n: 3 });
    });

    it(`never takes ${name} twice for "nothing yet"`, async () => {
      const disk = await twoGenerations();
      for (const path of [PATH, `${PATH}.bak`])
        disk.put(path, spoil(disk.files.get(path) ?? Buffer.alloc(0)));
      for (let start = 0; start < 2; start += 1) {
        const refusal = await refusalOf(new DurableJson<Doc>(PATH, { fs: disk }).read());
        assert.is(refusal.reason, 'Unreadable');
        assert.match(refusal.message, reason);
      }
    });
  }

  it('says IoError of a disk that cannot be read, and reads the older generation', async () => {
    const disk = await twoGenerations();
    disk.fault = ({ op, path }) => (op === 'read' && path === PATH ? 'EIO' : undefined);
    const damage: FileDamage[] = [];
    const adapter = new DurableJson<Doc>(PATH, { fs: disk, onDamage: (d) => damage.push(d) });
    assert.equal(await adapter.read(), { n: 1 });
    assert.is(damage[0]?.reason, 'IoError');
  });

  for (const fault of ['ENOSPC', 'EIO', 'torn'] as const satisfies readonly Fault[]) {
    it(`keeps the former document through ${fault} at every single call`, async () => {
      for (let at = 0; ; at += 1) {
        const disk = await twoGenerations();
        const adapter = new DurableJson<Doc>(PATH, { fs: disk });
        await adapter.read();
        const first = disk.calls;
        disk.fault = ({ index }) => (index === first + at ? fault : undefined);
        const failed = await adapter.write({ n: 3 }).then(
          () => false,
          (error: unknown) =>
            error instanceof DurableError && error.reason === (fault === 'ENOSPC' ? 'NoSpace' : 'IoError'),
        );
        const used = disk.calls - first;
        disk.fault = () => undefined;
        const found = await new DurableJson<Doc>(PATH, { fs: disk }).read();
        assert.ok(found?.n === 2 || found?.n === 3, `call ${at}: ${JSON.stringify(found)}`);
        await adapter.write({ n: 4 });
        assert.equal(await adapter.read(), { n: 4 });
        if (!failed) {
          assert.ok(used <= at, 'a fault was swallowed');
          return;
        }
      }
    });
  }

  it('holds the last acknowledged document whatever call the power goes at', async () => {
    let seed = 1;
    const unit = (): number => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    for (let at = 0; at < 40; at += 1) {
      const disk = new FailingDisk();
      disk.fault = ({ index }) => (index === at ? 'crash' : undefined);
      let acknowledged = 0;
      const run = async (): Promise<void> => {
        const adapter = new DurableJson<Doc>(PATH, { fs: disk });
        await adapter.read();
        for (let n = 1; n <= 4; n += 1) {
          await adapter.write({ n });
          acknowledged = n;
          await adapter.read();
        }
      };
      await run().catch(() => 'crashed, as arranged');
      for (let cut = 0; cut < 25; cut += 1) {
        const found = await new DurableJson<Doc>(PATH, { fs: disk.afterPowerCut(unit) }).read();
        const n = found?.n ?? 0;
        assert.ok(n === acknowledged || n === acknowledged + 1, `call ${at}: ${n} of ${acknowledged}`);
      }
    }
  });
});
