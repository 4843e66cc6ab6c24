import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { spec } from '../spec.ts';
import { type ApiClient, HubProcess, hubThatEnds } from './hub-process.ts';

const ROUNDS = 20;
const OPERATIONS = 500;
const CALLERS = 8;
const KINDS = { configmaps: 'data', secrets: 'stringData' } as const;
type Plural = keyof typeof KINDS;

interface Stored {
  readonly value: string;
  readonly uid: string;
  readonly revision: number;
}

interface Item extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** What the client knows: what was acknowledged, and per object the write that was under way when the hub died. */
interface Ledger {
  readonly acknowledged: Map<string, Stored>;
  readonly deleted: Set<string>;
  /** The value under way; undefined for a deletion. */
  readonly underWay: Map<string, string | undefined>;
  /** Revision of every acknowledged create and update. */
  readonly revisions: number[];
  acknowledgements: number;
}

interface WatchEvent {
  readonly type: string;
  readonly object: { readonly code?: number; readonly metadata?: KubeObject['metadata'] };
}

const collection = (plural: Plural): string => `/api/v1/namespaces/default/${plural}`;
const pathOf = (key: string): string => `/api/v1/namespaces/default/${key}`;
const newest = (ledger: Ledger): number => Math.max(0, ...ledger.revisions);

function manifest(plural: Plural, name: string, value: string): unknown {
  return { metadata: { name }, [KINDS[plural]]: { value } };
}

function textOf(plural: Plural, item: Item): string {
  const text = item.data?.['value'] ?? '';
  return plural === 'secrets' ? Buffer.from(text, 'base64').toString() : text;
}

function storedOf(plural: Plural, item: Item): Stored {
  const { uid, resourceVersion } = item.metadata;
  return { value: textOf(plural, item), uid, revision: Number(resourceVersion) };
}

/** Works through names of its own: create, update, update, and delete for every other one. Ends when the hub is gone. */
async function caller(api: ApiClient, ledger: Ledger, id: string, onAnswer: () => void): Promise<void> {
  for (let i = 0; i < OPERATIONS / CALLERS; i += 1) {
    const turn = Math.floor(i / 4);
    const plural: Plural = turn % 2 === 0 ? 'configmaps' : 'secrets';
    const name = `${id}-${turn}`;
    const key = `${plural}/${name}`;
    const step = i % 4;
    const value = step === 3 && turn % 4 < 2 ? undefined : `${step}-${'x'.repeat((i * 137) % 2000)}-${name}`;
    ledger.underWay.set(key, value);
    let reply: { status: number; text: string };
    try {
      if (value === undefined) reply = await api.ask('DELETE', pathOf(key));
      else if (step === 0) reply = await api.ask('POST', collection(plural), manifest(plural, name, value));
      else reply = await api.ask('PUT', pathOf(key), manifest(plural, name, value));
    } catch {
      return; // the hub is gone: what was under way may have happened or not
    }
    assert.ok(reply.status < 300, `${key}: ${reply.status} ${reply.text}`);
    ledger.underWay.delete(key);
    ledger.acknowledgements += 1;
    if (value === undefined) {
      ledger.acknowledged.delete(key);
      ledger.deleted.add(key);
    } else {
      const stored = storedOf(plural, JSON.parse(reply.text) as Item);
      ledger.acknowledged.set(key, stored);
      ledger.revisions.push(stored.revision);
    }
    onAnswer();
  }
}

/** Kills the hub in the moment of a random answer, with the requests of all other callers under way. */
async function killedRound(hub: HubProcess, ledger: Ledger, round: number): Promise<number> {
  const killAt = 1 + Math.floor(Math.random() * (OPERATIONS - CALLERS));
  let answers = 0;
  let killed: Promise<void> | undefined;
  const onAnswer = (): void => {
    answers += 1;
    if (answers === killAt) killed = hub.kill();
  };
  const callers = Array.from({ length: CALLERS }, (_, id) =>
    caller(hub.api, ledger, `r${round}-${id}`, onAnswer),
  );
  await Promise.all(callers);
  await killed;
  assert.not.ok(hub.isAlive, `round ${round}: killed`);
  return killAt;
}

/** Compares what the restarted hub holds with the ledger, and settles what was under way as the hub tells it. */
async function checkStored(api: ApiClient, ledger: Ledger, where: string): Promise<number> {
  const found = new Map<string, Stored>();
  let listRevision = 0;
  for (const plural of ['configmaps', 'secrets'] as const) {
    const list = await api.get<{ metadata: { resourceVersion: string }; items: Item[] }>(collection(plural));
    listRevision = Number(list.metadata.resourceVersion);
    assert.ok(listRevision >= newest(ledger), `${where}: revision ${listRevision} after ${newest(ledger)}`);
    for (const item of list.items) {
      if (item.metadata.name !== 'kube-root-ca.crt')
        found.set(`${plural}/${item.metadata.name}`, storedOf(plural, item));
    }
  }
  for (const [key, stored] of ledger.acknowledged) {
    const now = found.get(key);
    if (ledger.underWay.has(key)) {
      const isNext = now?.value === ledger.underWay.get(key);
      assert.ok(
        isNext || now?.value === stored.value,
        `${where}: ${key} was under way and holds ${now?.value}`,
      );
    } else assert.equal(now, stored, `${where}: ${key}`);
  }
  for (const [key, now] of found) {
    assert.not.ok(ledger.deleted.has(key), `${where}: ${key} was deleted and is back`);
    const isKnown = ledger.acknowledged.has(key) || ledger.underWay.get(key) === now.value;
    assert.ok(isKnown, `${where}: ${key} holds what nobody wrote: ${now.value}`);
    ledger.acknowledged.set(key, now);
  }
  for (const key of ledger.underWay.keys()) {
    if (found.has(key)) continue;
    if (ledger.acknowledged.delete(key)) ledger.deleted.add(key);
  }
  ledger.underWay.clear();
  return listRevision;
}

/** A watch from a version of the life before tells all that came after it, or 410; one from the newest list misses nothing. */
async function checkWatches(
  api: ApiClient,
  ledger: Ledger,
  listRevision: number,
  round: number,
): Promise<string> {
  const old = ledger.revisions[Math.floor(Math.random() * ledger.revisions.length)] ?? 1;
  const marker = `marker-${round}`;
  const from = (revision: number): string =>
    `${collection('configmaps')}?watch=1&resourceVersion=${revision}`;
  const isMarker = (e: WatchEvent): boolean => e.object.metadata?.name === marker;
  const fromList = api.watch<WatchEvent>(from(listRevision), isMarker);
  const fromOld = api.watch<WatchEvent>(from(old), (e) => e.type === 'ERROR' || isMarker(e));
  const made = await api.ask('POST', collection('configmaps'), manifest('configmaps', marker, marker));
  assert.is(made.status, 201);
  const stored = storedOf('configmaps', JSON.parse(made.text) as Item);
  assert.ok(
    stored.revision > listRevision && stored.revision > newest(ledger),
    `round ${round}: a new revision is newer`,
  );
  const seen = await fromList;
  assert.equal(
    seen.map((e) => [e.type, e.object.metadata?.name]),
    [['ADDED', marker]],
    `round ${round}`,
  );
  const events = await fromOld;
  const last = events.at(-1);
  if (last?.type === 'ERROR') assert.equal([events.length, last.object.code], [1, 410], `round ${round}`);
  else {
    const told = new Set(events.map((e) => Number(e.object.metadata?.resourceVersion)));
    const missed = [...ledger.acknowledged]
      .filter(([key, s]) => key.startsWith('configmaps/') && s.revision > old && !told.has(s.revision))
      .map(([key]) => key);
    assert.equal(missed, [], `round ${round}: a watch from ${old} went on and missed`);
  }
  ledger.acknowledged.set(`configmaps/${marker}`, stored);
  ledger.revisions.push(stored.revision);
  return last?.type === 'ERROR' ? '410' : 'continued';
}

const directory = mkdtempSync(join(tmpdir(), 'hub-crash-'));
let hub: HubProcess | undefined;

spec(
  'a hub that is killed at any moment',
  (it) => {
    it(`keeps every acknowledged write, none torn, in ${ROUNDS} rounds of ${OPERATIONS}`, async () => {
      const ledger: Ledger = {
        acknowledged: new Map(),
        deleted: new Set(),
        underWay: new Map(),
        revisions: [],
        acknowledgements: 0,
      };
      const watches: Record<string, number> = {};
      hub = await HubProcess.start({ dataDir: directory });
      for (let round = 0; round < ROUNDS; round += 1) {
        const killAt = await killedRound(hub, ledger, round);
        hub = await HubProcess.start({ dataDir: directory });
        assert.equal(
          hub.log.filter((l) => l.includes('"error"')),
          [],
          `round ${round}`,
        );
        const revision = await checkStored(hub.api, ledger, `round ${round}, killed at answer ${killAt}`);
        const how = await checkWatches(hub.api, ledger, revision, round);
        watches[how] = (watches[how] ?? 0) + 1;
      }
      assert.ok(ledger.acknowledgements >= OPERATIONS, `${ledger.acknowledgements} acknowledged`);
      process.stdout.write(
        `${ledger.acknowledgements} acknowledged writes, watches: ${JSON.stringify(watches)}\n`,
      );
    });

    it('refuses a data directory that another hub is using, and takes it over when that one is dead', async () => {
      const first = hub ?? (await HubProcess.start({ dataDir: directory }));
      const second = await hubThatEnds({ dataDir: directory });
      assert.is(second.code, 1);
      assert.match(second.log, `another hub (pid ${first.pid}) is using ${directory}: stop it first`);
      assert.is(
        (await first.api.ask('POST', collection('configmaps'), manifest('configmaps', 'two', 'x'))).status,
        201,
      );
      await first.kill();
      hub = await HubProcess.start({ dataDir: directory });
      assert.is((await hub.api.ask('GET', `${collection('configmaps')}/two`)).status, 200);
    });
  },
  {
    caseTimeoutMs: 80_000,
    after: async () => {
      await hub?.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  },
);
