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
import { kinds } from '../../protocol/kinds/index.ts';
import { type Bench, type Figure, limitFigure, median, ratioFigure } from './figure.ts';

const ROUNDS = 5;
const QUICK_ROUNDS = 2;
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

/** Measures on real files below the system's temporary directory (`TMPDIR` chooses the disk). */
export const benchStore: Bench = async (report, { quick }) => {
  const rounds = quick ? QUICK_ROUNDS : ROUNDS;
  report(await createsPerSecond(rounds));
  for (const figure of await smallWrites(rounds)) report(figure);
};

async function openStore(): Promise<OpenStore> {
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

async function createsPerSecond(rounds: number): Promise<Figure> {
  const rates: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { store, close } = await openStore();
    const startMs = performance.now();
    await fill(store, CREATES);
    rates.push((CREATES / (performance.now() - startMs)) * 1000);
    await close();
  }
  const value = Math.round(median(rates));
  const note = `${CALLERS} callers, pods of 4 kB, slowest round ${Math.round(Math.min(...rates))}`;
  return {
    name: 'store: durable pod creates',
    value,
    unit: '1/s',
    target: '>= 1000 1/s',
    ok: value >= 1000,
    note,
  };
}

async function fill(store: Store, count: number): Promise<void> {
  const caller = async (id: number): Promise<void> => {
    for (let i = id; i < count; i += CALLERS) await store.createObject('Pod', pod(`pod-${i}`));
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
}

/** Both stores are open at once and take turns, so that whatever else the machine does meets both alike. */
async function smallWrites(rounds: number): Promise<Figure[]> {
  const [few, many] = [await openStore(), await openStore()];
  await fill(few.store, FEW);
  await fill(many.store, MANY);
  const stored = many.map.counters;
  await Promise.all([few.map.fold(), many.map.fold()]);
  for (const { store } of [few, many]) await writeSmall(store, -1);
  const [fewMs, manyMs, bytes] = [[], [], []] as [number[], number[], number[]];
  for (let i = 0; i < rounds * SMALL_WRITES; i += 1) {
    fewMs.push(await writeSmall(few.store, i));
    const before = many.map.counters.bytesWritten;
    manyMs.push(await writeSmall(many.store, i));
    bytes.push(many.map.counters.bytesWritten - before);
  }
  await Promise.all([few.close(), many.close()]);
  const note = `against ${FEW} stored; medians of ${fewMs.length} writes each, taken in turn`;
  const perByte = stored.bytesWritten / (stored.foldedBytes + stored.journalBytes);
  return [
    ratioFigure(`store: small write, ${MANY} stored`, median(manyMs), median(fewMs), 'ms', 1.2, note),
    limitFigure('store: small write, bytes written', Math.max(...bytes), 'B', 16_000, 'most of all writes'),
    { name: 'store: bytes written per byte stored, folding included', value: perByte, unit: '' },
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

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await benchStore((figure) => void process.stdout.write(`${JSON.stringify(figure)}\n`), { quick: false });
