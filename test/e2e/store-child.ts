/**
 * A process for store-crash.test.ts to kill: writes to a store or a bare durable map and reports on standard output, one JSON line
 * each, what it is about to do and what was acknowledged.
 *
 *   node --import tsx test/e2e/store-child.ts store|map|full DIRECTORY ROUND
 */
import { unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Store } from '../../hub/store/store.ts';
import { systemClock } from '../../kit/clock.ts';
import { errorCode } from '../../kit/durable-error.ts';
import { DurableMap } from '../../kit/durable-map.ts';
import { ApiError } from '../../protocol/status.ts';
import { storeKinds } from '../build/store-kinds.ts';

const OPERATIONS = 500;
const CALLERS = 8;
const BALLAST_BYTES = 400 * 1024;

const [mode = '', directory = '', round = ''] = process.argv.slice(2);

/**
 * Written before anything else happens, also when the reader is slow and the pipe is full: `process.stdout` would keep the rest in
 * memory then, and kill -9 would take with it what the ledger must know.
 */
function report(line: unknown): void {
  let rest = Buffer.from(`${JSON.stringify(line)}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(process.stdout.fd, rest));
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); // full: everything stands still until it is read
    }
  }
}

interface Target {
  /** Writes a value under a name, or takes the name away. */
  write(name: string, value: string | undefined, isNew: boolean): Promise<number>;
}

async function storeTarget(): Promise<Target> {
  const store = await openStore();
  return {
    write: async (name, value, isNew) => {
      if (value === undefined) {
        const { object } = await store.deleteObject('ConfigMap', 'default', name);
        return Number(object.metadata.resourceVersion);
      }
      const object = { metadata: { name, namespace: 'default' }, data: { value } };
      const written = isNew
        ? store.createObject('ConfigMap', object)
        : store.updateObject('ConfigMap', object);
      return Number((await written).metadata.resourceVersion);
    },
  };
}

async function openStore(): Promise<Store> {
  const { map, entries } = await DurableMap.open(directory, { shards: 4, minJournalBytes: 50_000 });
  return Store.open({ kinds: storeKinds, map, entries, clock: systemClock });
}

async function mapTarget(): Promise<Target> {
  const { map } = await DurableMap.open(directory, { shards: 1, minJournalBytes: 50_000 });
  let order = 0;
  return {
    write: async (name, value) => {
      order += 1;
      const mine = order;
      await map.commit([{ key: name, value: value === undefined ? undefined : { value } }]);
      return mine;
    },
  };
}

/** Each caller works through its own names: create, update, update, delete, and leaves every other one alive. */
async function work(target: Target): Promise<void> {
  const caller = async (id: number): Promise<void> => {
    for (let i = 0; i < OPERATIONS / CALLERS; i += 1) {
      const name = `r${round}-c${id}-${Math.floor(i / 4)}`;
      const step = i % 4;
      const value =
        step === 3 && Math.floor(i / 4) % 2 === 0
          ? undefined
          : `${step}-${'x'.repeat(200 + ((i * 37) % 900))}`;
      report({ start: name, value });
      report({ done: name, value, revision: await target.write(name, value, step === 0) });
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, (_, id) => caller(id)));
  report({ finished: true });
}

/** Fills a small disk, then makes room. Reports what was acknowledged and how the rest was refused. */
async function fill(): Promise<void> {
  const ballast = join(directory, 'ballast');
  writeFileSync(ballast, Buffer.alloc(BALLAST_BYTES));
  const store = await openStore();
  const acknowledged: string[] = [];
  const refusals: { reason: string; code: number; message: string }[] = [];
  const create = async (name: string): Promise<void> => {
    const object = { metadata: { name, namespace: 'default' }, data: { value: 'x'.repeat(3000) } };
    try {
      await store.createObject('ConfigMap', object);
      acknowledged.push(name);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refusals.push({ reason: error.reason, code: error.code, message: error.message });
    }
  };
  for (let i = 0; i < 400 && refusals.length < 20; i += 1)
    await Promise.all([create(`a${i}`), create(`b${i}`)]);
  const whileFull = { acknowledged: [...acknowledged], visible: visibleNames(store) };
  unlinkSync(ballast);
  await Promise.all(Array.from({ length: 20 }, (_, i) => create(`late${i}`)));
  await store.close();
  const again = await openStore();
  report({ acknowledged, refusals, whileFull, afterwards: visibleNames(again) });
  await again.close();
}

const visibleNames = (store: Store): string[] =>
  store.list('ConfigMap').map((object) => object.metadata.name);

if (mode === 'full') await fill();
else await work(mode === 'store' ? await storeTarget() : await mapTarget());
