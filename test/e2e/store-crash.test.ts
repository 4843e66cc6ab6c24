import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { Store } from '../../hub/store/store.ts';
import { systemClock } from '../../kit/clock.ts';
import { DurableMap } from '../../kit/durable-map.ts';
import { storeKinds } from '../build/store-kinds.ts';
import { spec } from '../spec.ts';

const ROUNDS = 20;
const LINES = 1000;
const CHILD = fileURLToPath(new URL('store-child.ts', import.meta.url));

type Line =
  | { readonly start: string; readonly value?: string }
  | { readonly done: string; readonly value?: string; readonly revision: number }
  | { readonly finished: true };

/** Per name: the value last acknowledged, and the one under way when the process was killed. */
interface Ledger {
  readonly acknowledged: Map<string, string | undefined>;
  readonly underWay: Map<string, string | undefined>;
  revision: number;
  acknowledgements: number;
  finished: number;
}

function note(ledger: Ledger, line: Line): void {
  if ('start' in line) ledger.underWay.set(line.start, line.value);
  else if ('done' in line) {
    ledger.underWay.delete(line.done);
    ledger.acknowledged.set(line.done, line.value);
    ledger.revision = Math.max(ledger.revision, line.revision);
    ledger.acknowledgements += 1;
  } else ledger.finished += 1;
}

/** Runs the child until it has reported `killAfter` lines, kills it at that moment, and notes everything it reported. */
async function killedRun(
  ledger: Ledger,
  mode: string,
  directory: string,
  round: number,
  killAfter: number,
): Promise<void> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', CHILD, mode, directory, String(round)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  assert.ok(child.stdout);
  const ended = once(child, 'exit');
  let lines = 0;
  for await (const text of createInterface({ input: child.stdout })) {
    lines += 1;
    if (lines === killAfter) child.kill('SIGKILL');
    note(ledger, JSON.parse(text) as Line);
  }
  const [code, signal] = await ended;
  assert.ok(code === 0 || signal === 'SIGKILL', `ended by itself with ${code} ${signal}`);
}

async function storedValues(
  mode: string,
  directory: string,
): Promise<{ values: Map<string, string>; revision: number; damage: number }> {
  const { map, entries, report } = await DurableMap.open(directory, { shards: 1 });
  const damage = report.damage.length;
  if (mode === 'map') {
    await map.close();
    const values = [...entries].map(([key, value]) => [key, (value as { value: string }).value] as const);
    return { values: new Map(values), revision: Number.POSITIVE_INFINITY, damage };
  }
  const store = await Store.open({ kinds: storeKinds, map, entries, clock: systemClock });
  const values = store.list('ConfigMap').map((o) => [o.metadata.name, o.data?.['value'] ?? ''] as const);
  const { revision } = store;
  await store.close();
  return { values: new Map(values), revision, damage };
}

async function survive(mode: 'store' | 'map'): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'store-crash-'));
  const ledger: Ledger = {
    acknowledged: new Map(),
    underWay: new Map(),
    revision: 0,
    acknowledgements: 0,
    finished: 0,
  };
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const killAfter = 1 + Math.floor(Math.random() * LINES);
      await killedRun(ledger, mode, directory, round, killAfter);
      const { values, revision, damage } = await storedValues(mode, directory);
      const where = `round ${round}, killed after ${killAfter} lines`;
      assert.is(damage, 0, where);
      assert.ok(revision >= ledger.revision, where);
      for (const [name, value] of ledger.acknowledged) {
        const found = values.get(name);
        const isPossible =
          found === value || (ledger.underWay.has(name) && found === ledger.underWay.get(name));
        assert.ok(
          isPossible,
          `${where}: ${name} is ${found?.slice(0, 20)}, acknowledged ${value?.slice(0, 20)}`,
        );
      }
      for (const [name, found] of values) {
        const isKnown = ledger.acknowledged.get(name) === found || ledger.underWay.get(name) === found;
        assert.ok(isKnown, `${where}: ${name} holds what nobody wrote`);
        ledger.acknowledged.set(name, found);
      }
      for (const name of ledger.underWay.keys()) if (!values.has(name)) ledger.acknowledged.delete(name);
      ledger.underWay.clear();
    }
    assert.ok(ledger.acknowledgements > ROUNDS * 20, `${ledger.acknowledgements} acknowledgements`);
    assert.ok(ledger.finished < ROUNDS / 2, `${ledger.finished} rounds came to their end`);
  } finally {
    await rm(directory, { recursive: true });
  }
}

interface FillReport {
  readonly acknowledged: string[];
  readonly refusals: { readonly reason: string; readonly code: number; readonly message: string }[];
  readonly whileFull: { readonly acknowledged: string[]; readonly visible: string[] };
  readonly afterwards: string[];
}

/** The child's report from a file system of 1 MiB that only it can see. */
async function fillTinyDisk(): Promise<FillReport> {
  const directory = await mkdtemp(join(tmpdir(), 'store-full-'));
  const script = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" --import tsx "$3" full "$1" 0';
  const privileges = process.getuid?.() === 0 ? ['-m'] : ['-rm'];
  try {
    const args = [...privileges, 'sh', '-c', script, 'sh', directory, process.execPath, CHILD];
    const { stdout } = await promisify(execFile)('unshare', args, { timeout: 30_000 });
    return JSON.parse(stdout) as FillReport;
  } finally {
    await rm(directory, { recursive: true });
  }
}

const sorted = (names: readonly string[]): string[] => [...names].sort();

spec(
  'A store whose process is killed at any moment',
  (it) => {
    it(`holds every acknowledged write, none torn, in ${ROUNDS} rounds`, () => survive('store'));
    it(`holds every acknowledged commit with one shard, as the agent has it, in ${ROUNDS} rounds`, () =>
      survive('map'));
  },
  { caseTimeoutMs: 120_000 },
);

spec(
  'A store whose disk is full',
  (it) => {
    it('refuses with 507, acknowledges and shows nothing of it, lives, and works again when there is room', async () => {
      const report = await fillTinyDisk();
      assert.ok(report.refusals.length >= 20);
      for (const { reason, code, message } of report.refusals)
        assert.equal(
          [reason, code, message],
          ['InsufficientStorage', 507, 'nothing was stored: the disk of the hub is full'],
        );
      assert.ok(report.whileFull.acknowledged.length > 20);
      assert.equal(sorted(report.whileFull.visible), sorted(report.whileFull.acknowledged));
      assert.ok(report.acknowledged.includes('late0') && report.acknowledged.includes('late19'));
      assert.equal(sorted(report.afterwards), sorted(report.acknowledged));
    });
  },
  { caseTimeoutMs: 60_000 },
);
