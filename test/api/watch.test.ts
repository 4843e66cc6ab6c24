/** Watches on the wire: order, selectors, bookmarks, versions, slow and absent readers. */
import type { IncomingMessage } from 'node:http';
import * as assert from 'uvu/assert';
import type { Status } from '../../protocol/status.ts';
import { spec } from '../spec.ts';
import { eventually, startHub, type TestHub } from './hub.ts';

interface WatchEvent {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly apiVersion: string;
    readonly metadata: {
      readonly name?: string;
      readonly resourceVersion: string;
      readonly annotations?: Record<string, string>;
    };
    readonly rows?: { object: { metadata: { name: string } } }[];
    readonly columnDefinitions?: unknown;
  } & Partial<Pick<Status, 'code' | 'reason'>>;
}

interface Watching {
  readonly events: WatchEvent[];
  readonly response: IncomingMessage;
  /** True once the body has come to its proper end. */
  readonly ended: () => boolean;
  names(): string[];
}

let hub: TestHub;
const MAPS = '/api/v1/namespaces/default/configmaps';
const merge = { 'content-type': 'application/merge-patch+json' };
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

async function watch(query: string, headers: Record<string, string> = {}): Promise<Watching> {
  const response = await hub.open(`${MAPS}?watch=true${query}`, headers);
  const events: WatchEvent[] = [];
  let text = '';
  let ended = false;
  response.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) events.push(JSON.parse(line) as WatchEvent);
  });
  response.on('end', () => {
    ended = true;
  });
  response.on('error', () => undefined); // a cut connection: `ended` stays false
  const names = (): string[] => events.map((e) => `${e.type} ${e.object.metadata.name ?? ''}`);
  return { events, response, ended: () => ended, names };
}

const put = (name: string, labels: Record<string, string> = {}): Promise<unknown> =>
  hub.put({ kind: 'ConfigMap', metadata: { name, namespace: 'default', labels } });
const remove = (name: string): Promise<unknown> => hub.ask('DELETE', `${MAPS}/${name}`);
const label = (name: string, labels: object): Promise<unknown> =>
  hub.ask('PATCH', `${MAPS}/${name}`, { headers: merge, body: { metadata: { labels } } });
const revision = async (): Promise<string> => {
  const list = (await hub.ask('GET', MAPS)).json as { metadata: { resourceVersion: string } };
  return list.metadata.resourceVersion;
};

spec(
  'watches',
  (it) => {
    it('sends its head before the first event', async () => {
      const { response } = await watch(`&resourceVersion=${await revision()}`);
      assert.is(response.statusCode, 200);
      assert.is(response.headers['content-type'], 'application/json');
      response.destroy();
    });

    it('tells what is there, then what comes, with kind and a rising version', async () => {
      await put('old');
      const w = await watch('');
      await eventually('the initial state is told', () => w.events.length === 1);
      await put('new');
      await label('new', { a: 'b' });
      await remove('new');
      await eventually('all is told', () => w.events.length === 4);
      assert.equal(w.names(), ['ADDED old', 'ADDED new', 'MODIFIED new', 'DELETED new']);
      const versions = w.events.map((e) => Number(e.object.metadata.resourceVersion));
      assert.equal(
        versions,
        versions.toSorted((a, b) => a - b),
      );
      assert.is(new Set(versions).size, 4);
      for (const { object } of w.events) assert.is(`${object.apiVersion} ${object.kind}`, 'v1 ConfigMap');
      w.response.destroy();
      await remove('old');
    });

    it('goes on strictly after a version', async () => {
      await put('before');
      const from = await revision();
      await put('after');
      const w = await watch(`&resourceVersion=${from}`);
      await eventually('the rest is told', () => w.events.length > 0);
      assert.equal(w.names(), ['ADDED after']);
      w.response.destroy();
      await remove('before');
      await remove('after');
    });

    it('tells entering a selection as ADDED and leaving it as DELETED', async () => {
      const w = await watch(`&labelSelector=in%3Dyes&resourceVersion=${await revision()}`);
      await put('moves');
      await label('moves', { in: 'yes' });
      await label('moves', { other: 'x' });
      await label('moves', { in: null });
      await remove('moves');
      await put('end', { in: 'yes' });
      await eventually('the last is told', () => w.names().includes('ADDED end'));
      assert.equal(w.names(), ['ADDED moves', 'MODIFIED moves', 'DELETED moves', 'ADDED end']);
      const versions = w.events.map((e) => Number(e.object.metadata.resourceVersion));
      assert.equal(
        versions,
        versions.toSorted((a, b) => a - b),
      );
      w.response.destroy();
      await remove('end');
    });

    it('watches one object by name', async () => {
      const w = await watch('&fieldSelector=metadata.name%3Dpicked&resourceVersion=0');
      await put('other');
      await put('picked');
      await eventually('it is told', () => w.events.length > 0);
      assert.equal(w.names(), ['ADDED picked']);
      w.response.destroy();
      await remove('other');
      await remove('picked');
    });

    it('lists by watching, up to a bookmark', async () => {
      await put('there');
      const query = '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
      const w = await watch(query);
      await eventually('the bookmark came', () => w.events.some((e) => e.type === 'BOOKMARK'));
      assert.equal(w.names(), ['ADDED there', 'BOOKMARK ']);
      assert.equal(w.events[1]?.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
      assert.is(w.events[1]?.object.kind, 'ConfigMap');
      w.response.destroy();
      await remove('there');
    });

    it('tells Tables of one row, columns only once', async () => {
      const w = await watch(`&resourceVersion=${await revision()}`, TABLE);
      await put('t1');
      await put('t2');
      await eventually('both are told', () => w.events.length === 2);
      assert.equal(
        w.events.map((e) => e.object.rows?.[0]?.object.metadata.name),
        ['t1', 't2'],
      );
      assert.ok(Array.isArray(w.events[0]?.object.columnDefinitions));
      assert.is(w.events[1]?.object.columnDefinitions, null);
      w.response.destroy();
      await remove('t1');
      await remove('t2');
    });

    it('ends cleanly at its time', async () => {
      const w = await watch('&timeoutSeconds=1');
      await eventually('it has ended', w.ended);
      await eventually('the store is let go of', () => hub.store.watchers() === 0);
    });

    it('lets go of the store when the reader is gone', async () => {
      const w = await watch('');
      await eventually('it watches', () => hub.store.watchers() === 1);
      w.response.destroy();
      await eventually('the store is let go of', () => hub.store.watchers() === 0);
    });

    it('cuts a reader that does not read, and goes on for the others', async () => {
      const from = await revision();
      const stuck = await hub.open(`${MAPS}?watch=true&resourceVersion=${from}`);
      stuck.on('error', () => undefined); // being cut off is what this is about
      stuck.pause();
      const good = await watch(`&resourceVersion=${from}`);
      const big = 'x'.repeat(60_000);
      await hub.put({ kind: 'ConfigMap', metadata: { name: 'big', namespace: 'default' }, data: { big } });
      for (let round = 0; round < 110; round++) {
        const writes = Array.from({ length: 100 }, (_, i) =>
          hub.store.port.modifyObject(
            'ConfigMap',
            'default',
            'big',
            (o) => ({
              ...o,
              metadata: { ...o.metadata, labels: { n: `${round}-${i}` } },
            }),
            {},
          ),
        );
        await Promise.all(writes);
        await eventually('the good reader keeps up', () => good.events.length >= (round + 1) * 100);
        good.events.length = Math.min(good.events.length, (round + 1) * 100);
      }
      await eventually('the stuck reader is cut', () => hub.store.watchers() === 1, 20_000);
      assert.ok(hub.complaints.some((line) => line.includes('watch cut off')));
      hub.complaints.length = 0;
      good.response.destroy();
      stuck.destroy();
      await remove('big');
    });

    it('tells a version that is too old, or of another life of the hub, as ERROR 410', async () => {
      for (const from of ['1', '99999999999']) {
        const w = await watch(`&resourceVersion=${from}`);
        await eventually('it has ended', w.ended);
        assert.is(w.response.statusCode, 200);
        assert.is(w.events.length, 1);
        assert.is(w.events[0]?.type, 'ERROR');
        assert.is(w.events[0]?.object.code, 410);
        assert.is(w.events[0]?.object.reason, 'Expired');
      }
    });

    it('ends cleanly when the server stops', async () => {
      const w = await watch('');
      await eventually('it watches', () => hub.store.watchers() === 1);
      await hub.server.stop();
      await eventually('it has ended', w.ended);
      assert.is(hub.store.watchers(), 0);
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startHub();
      await hub.ask('DELETE', MAPS, { body: {} });
    },
    after: () => hub.stop(),
  },
);
