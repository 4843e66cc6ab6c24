import * as assert from 'uvu/assert';
import type { HistoryLimits } from '../../../../hub/store/history.ts';
import { PageExpired } from '../../../../hub/store/list-pages.ts';
import type { Store } from '../../../../hub/store/store.ts';
import { ApiError } from '../../../../protocol/status.ts';
import { memoryStore, named } from '../../../build/store.ts';
import { spec } from '../../../spec.ts';

async function withMaps(
  names: readonly string[],
  history?: HistoryLimits,
): Promise<Awaited<ReturnType<typeof memoryStore>>> {
  const made = await memoryStore(history === undefined ? {} : { history });
  for (const namespace of ['a', 'a-b', 'b'])
    await made.store.createObject('Namespace', { metadata: { name: namespace } });
  for (const full of names) {
    const [namespace = '', name = ''] = full.split('/');
    await made.store.createObject('ConfigMap', named(name, {}, { namespace }));
  }
  return made;
}

const names = (list: readonly { metadata: { name: string; namespace?: string } }[]): string[] =>
  list.map((o) => `${o.metadata.namespace}/${o.metadata.name}`);

spec('Store as a view', (it) => {
  it('lists by namespace and name, in the order of Kubernetes’ keys', async () => {
    const { store } = await withMaps(['b/x', 'a/z', 'a-b/m', 'a/b', 'a/b-1', 'b/a']);
    assert.equal(names(store.list('ConfigMap')), ['a-b/m', 'a/b', 'a/b-1', 'a/z', 'b/a', 'b/x']);
    assert.equal(names(store.list('ConfigMap', 'a')), ['a/b', 'a/b-1', 'a/z']);
    assert.equal(names(store.list('ConfigMap', 'none')), []);
    assert.is(store.list('ConfigMap'), store.list('ConfigMap', ''));
  });

  it('never changes a list it has handed out, and hands out the same until something changes', async () => {
    const { store } = await withMaps(['a/x', 'b/x']);
    const [all, a, b] = [store.list('ConfigMap'), store.list('ConfigMap', 'a'), store.list('ConfigMap', 'b')];
    await store.deleteObject('ConfigMap', 'a', 'x');
    assert.equal([all.length, a.length], [2, 1]);
    assert.equal([store.list('ConfigMap').length, store.list('ConfigMap', 'a').length], [1, 0]);
    assert.is(store.list('ConfigMap', 'b'), b);
  });

  it('finds by uid, by controller and by node, as objects come, change and go', async () => {
    const { store } = await memoryStore();
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'X', name: 'x', uid: 'owner', controller: true },
      { apiVersion: 'v1', kind: 'X', name: 'y', uid: 'other' },
    ];
    const pods = [];
    for (const name of ['b', 'a'])
      pods.push(await store.createObject('Pod', named(name, {}, { ownerReferences })));
    const [b, a] = pods;
    assert.equal(names(store.ownedBy('Pod', 'owner')), ['default/a', 'default/b']);
    assert.equal([store.ownedBy('Pod', 'other'), store.ownedBy('Pod', '')], [[], []]);
    assert.is(store.byUid('Pod', b?.metadata.uid ?? ''), b);
    for (const pod of [b, a])
      await store.bind('default', pod?.metadata.name ?? '', pod?.metadata.uid ?? '', 'n1');
    assert.equal(names(store.podsOnNode('n1')), ['default/a', 'default/b']);
    await store.modifyObject('Pod', 'default', 'a', (o) => ({
      ...o,
      metadata: { ...o.metadata, ownerReferences: [] },
    }));
    assert.equal(names(store.ownedBy('Pod', 'owner')), ['default/b']);
    assert.equal(names(store.ownedBy('Pod', '')), ['default/a'], 'without controller');
    assert.equal(store.podsOnNode('n1')[0]?.metadata.ownerReferences, []);
    await store.deleteObject('Pod', 'default', 'b', { gracePeriodSeconds: 0 });
    assert.equal([store.ownedBy('Pod', 'owner'), names(store.podsOnNode('n1'))], [[], ['default/a']]);
    assert.is(store.byUid('Pod', b?.metadata.uid ?? ''), undefined);
  });
});

async function readAll(
  store: Store,
  limit: number,
  between: () => Promise<unknown>,
): Promise<{ seen: string[]; revisions: Set<number> }> {
  const seen: string[] = [];
  const revisions = new Set<number>();
  let continueToken: string | undefined;
  do {
    const page = store.listPage('ConfigMap', {
      limit,
      ...(continueToken === undefined ? {} : { continueToken }),
    });
    seen.push(...names(page.items));
    revisions.add(page.revision);
    continueToken = page.continueToken;
    await between();
  } while (continueToken !== undefined);
  return { seen, revisions };
}

spec('Store.listPage', (it) => {
  it('pages through one state, whatever is written in between', async () => {
    const { store } = await withMaps(['a/1', 'a/2', 'a/3', 'b/1', 'b/2']);
    let n = 0;
    const { seen, revisions } = await readAll(store, 2, async () => {
      n += 1;
      await store.createObject('ConfigMap', named(`new-${n}`, {}, { namespace: 'a' }));
      if (n === 1) await store.deleteObject('ConfigMap', 'b', '2');
    });
    assert.equal(seen, ['a/1', 'a/2', 'a/3', 'b/1', 'b/2']);
    assert.is(revisions.size, 1);
  });

  it('tells how many remain, but not with a selector', async () => {
    const { store } = await withMaps(['a/1', 'a/2', 'a/3']);
    const all = store.listPage('ConfigMap', { limit: 1 });
    assert.is(all.remaining, 2);
    const some = store.listPage('ConfigMap', { limit: 1, matches: (o) => o.metadata.name !== '2' });
    assert.equal([some.remaining, some.continueToken !== undefined], [undefined, true]);
    const last = store.listPage('ConfigMap', { limit: 2, matches: (o) => o.metadata.name !== '2' });
    assert.equal([names(last.items), last.continueToken], [['a/1', 'a/3'], undefined]);
    assert.is(store.listPage('ConfigMap', { namespace: 'a', limit: 3 }).continueToken, undefined);
    assert.is(store.listPage('ConfigMap', {}).items.length, 3);
  });

  it('says Expired for a list let go of, with a token that goes on in the newest state', async () => {
    const { store, clock } = await withMaps(['a/1', 'a/2', 'a/3'], { changes: 1, bytes: 1_000_000 });
    const page = store.listPage('ConfigMap', { limit: 1 });
    await store.deleteObject('ConfigMap', 'a', '2');
    await store.createObject('ConfigMap', named('4', {}, { namespace: 'a' }));
    await clock.advance(5 * 60_000);
    assert.is(clock.pending, 0);
    try {
      store.listPage('ConfigMap', { limit: 1, continueToken: page.continueToken ?? '' });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, PageExpired);
      const expired = error as PageExpired;
      assert.equal([expired.code, expired.toStatus().metadata.continue], [410, expired.continueToken]);
      const rest = store.listPage('ConfigMap', { limit: 5, continueToken: expired.continueToken });
      assert.equal(names(rest.items), ['a/3', 'a/4']);
    }
  });

  it('makes a list let go of anew while the past is known', async () => {
    const { store, clock } = await withMaps(['a/1', 'a/2', 'a/3']);
    const page = store.listPage('ConfigMap', { limit: 1 });
    await store.deleteObject('ConfigMap', 'a', '2');
    await clock.advance(5 * 60_000);
    const rest = store.listPage('ConfigMap', { limit: 5, continueToken: page.continueToken ?? '' });
    assert.equal([names(rest.items), rest.revision], [['a/2', 'a/3'], page.revision]);
  });

  it('reads a version of the past exactly', async () => {
    const { store } = await withMaps(['a/1', 'b/2']);
    const { revision, items } = store.listPage('ConfigMap', {});
    await store.deleteObject('ConfigMap', 'b', '2');
    const changed = { ...named('1', {}, { namespace: 'a' }), data: { x: 'y' } };
    await store.updateObject('ConfigMap', changed);
    await store.createObject('ConfigMap', named('0', {}, { namespace: 'a' }));
    const past = store.listPage('ConfigMap', { revision });
    assert.equal([past.items, past.revision], [items, revision]);
    const page = store.listPage('ConfigMap', { revision, namespace: 'a', limit: 1 });
    assert.equal([names(page.items), page.continueToken], [['a/1'], undefined]);
  });

  it('refuses a token that is none', async () => {
    const { store } = await memoryStore();
    for (const continueToken of ['x', 'e30', Buffer.from('{"v":1,"rv":"1","after":2}').toString('base64url')])
      assert.throws(
        () => store.listPage('ConfigMap', { continueToken }),
        (error: unknown) => error instanceof ApiError && error.reason === 'BadRequest',
      );
  });
});
