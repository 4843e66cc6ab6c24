/**
 * How fast the hub's store takes durable writes, and whether a write costs more when more is stored.
 *
 *   node --import tsx scripts/bench/store.ts
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Store } from '../../hub/store/store.ts';
import { systemClock } from '../../kit/clock.ts';
import { DurableMap } from '../../kit/durable-map.ts';
import type { KindSpec } from '../../protocol/kinds/kind.ts';
import { storeKinds } from '../../test/build/store-kinds.ts';

/** One measured figure; printed as a JSON line. */
export interface StoreFigure {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly target?: string;
  /** What the value was computed from. */
  readonly detail: Readonly<Record<string, number>>;
}

const ROUNDS = 5;
const CREATES = 3000;
const CALLERS = 16;
const FEW = 10;
const MANY = 10_000;
const SMALL_WRITES = 300;
const SHARDS = 16;

interface OpenStore {
  readonly store: Store;
  readonly map: DurableMap;
  close(): Promise<void>;
}

/** Measures on real files below the system's temporary directory (`TMPDIR` chooses the disk) and reports each figure. */
export async function benchStore(
  report: (figure: StoreFigure) => void,
  kinds: readonly KindSpec[] = storeKinds,
): Promise<void> {
  report(await createsPerSecond(kinds));
  for (const figure of await smallWrites(kinds)) report(figure);
}

async function openStore(kinds: readonly KindSpec[]): Promise<OpenStore> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-store-'));
  const { map, entries } = await DurableMap.open(directory, { shards: SHARDS });
  const store = await Store.open({ kinds, map, entries, clock: systemClock });
  return {
    store,
    map,
    close: async () => {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** A pod with one container as a deployment makes it, about 4 kB with its managed environment. */
function pod(name: string): {
  metadata: { name: string; namespace: string; labels: Record<string, string> };
  spec: unknown;
} {
  const env = Array.from({ length: 40 }, (_, i) => ({
    name: `SETTING_${i}`,
    value: `value of setting ${i}`.padEnd(50, '.'),
  }));
  const container = {
    name: 'app',
    image: 'example.org/team/app:1.2.3',
    env,
    ports: [{ containerPort: 8080 }],
  };
  return {
    metadata: { name, namespace: 'default', labels: { app: 'bench' } },
    spec: { containers: [container] },
  };
}

async function createsPerSecond(kinds: readonly KindSpec[]): Promise<StoreFigure> {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { store, close } = await openStore(kinds);
    const startMs = performance.now();
    await fill(store, CREATES);
    rates.push((CREATES / (performance.now() - startMs)) * 1000);
    await close();
  }
  const detail = { callers: CALLERS, creates: CREATES, slowest: Math.round(Math.min(...rates)) };
  return {
    figure: 'durable pod creates',
    value: Math.round(median(rates)),
    unit: '1/s',
    target: '>= 1000',
    detail,
  };
}

async function fill(store: Store, count: number): Promise<void> {
  const caller = async (id: number): Promise<void> => {
    for (let i = id; i < count; i += CALLERS) await store.createObject('Pod', pod(`pod-${i}`));
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
}

/** Both stores are open at once and take turns, so that whatever else the machine does meets both alike. */
async function smallWrites(kinds: readonly KindSpec[]): Promise<StoreFigure[]> {
  const [few, many] = [await openStore(kinds), await openStore(kinds)];
  await fill(few.store, FEW);
  await fill(many.store, MANY);
  const stored = many.map.counters;
  await Promise.all([few.map.fold(), many.map.fold()]);
  for (const { store } of [few, many]) await writeSmall(store, -1);
  const [ratios, fewMs, manyMs, bytes] = [[], [], [], []] as [number[], number[], number[], number[]];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [a, b]: [number[], number[]] = [[], []];
    for (let i = 0; i < SMALL_WRITES; i += 1) {
      a.push(await writeSmall(few.store, round * SMALL_WRITES + i));
      const before = many.map.counters.bytesWritten;
      b.push(await writeSmall(many.store, round * SMALL_WRITES + i));
      bytes.push(many.map.counters.bytesWritten - before);
    }
    fewMs.push(median(a));
    manyMs.push(median(b));
    ratios.push(median(b) / median(a));
  }
  await Promise.all([few.close(), many.close()]);
  const timeDetail = { fewMs: round3(median(fewMs)), manyMs: round3(median(manyMs)), few: FEW, many: MANY };
  const perByte = stored.bytesWritten / (stored.foldedBytes + stored.journalBytes);
  return [
    {
      figure: 'small write, time with many stored against few',
      value: round3(median(ratios)),
      unit: 'ratio',
      target: '<= 1.2',
      detail: timeDetail,
    },
    {
      figure: 'small write, bytes written',
      value: median(bytes),
      unit: 'B',
      target: '<= 16000',
      detail: { most: Math.max(...bytes) },
    },
    {
      figure: 'bytes written per byte stored, folding included',
      value: round3(perByte),
      unit: 'ratio',
      detail: { stored: MANY },
    },
  ];
}

/** Milliseconds that one durable update of a small object takes. */
async function writeSmall(store: Store, value: number): Promise<number> {
  const object = { metadata: { name: 'small', namespace: 'default' }, data: { value: String(value) } };
  const startMs = performance.now();
  if (value < 0) await store.createObject('ConfigMap', object);
  else await store.updateObject('ConfigMap', object);
  return performance.now() - startMs;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

const round3 = (value: number): number => Math.round(value * 1000) / 1000;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await benchStore((figure) => void process.stdout.write(`${JSON.stringify(figure)}\n`));
