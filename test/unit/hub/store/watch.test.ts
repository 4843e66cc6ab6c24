import * as assert from 'uvu/assert';
import type { Change } from '../../../../hub/cluster.ts';
import { ApiError } from '../../../../protocol/status.ts';
import { memoryStore, named } from '../../../build/store.ts';
import { spec } from '../../../spec.ts';

const brief = (change: Change): string => `${change.type} ${change.kind} ${change.object.metadata.name}`;

spec('Store.watch', (it) => {
  it('replays what came after the version, then goes on live, strictly after it', async () => {
    const { store } = await memoryStore();
    const first = await store.createObject('ConfigMap', named('a'));
    await store.createObject('ConfigMap', named('b'));
    const seen: string[] = [];
    const stop = store.watch('ConfigMap', Number(first.metadata.resourceVersion), (c) => seen.push(brief(c)));
    assert.equal(seen, ['added ConfigMap b']);
    await store.createObject('Pod', named('p'));
    await store.updateObject('ConfigMap', named('a', { data: { k: 'v' } }));
    await store.deleteObject('ConfigMap', 'default', 'b');
    stop();
    await store.createObject('ConfigMap', named('c'));
    assert.equal(seen, ['added ConfigMap b', 'modified ConfigMap a', 'deleted ConfigMap b']);
  });

  it('watches all kinds in the order of their revisions', async () => {
    const { store } = await memoryStore();
    const from = store.revision;
    for (const name of ['x', 'y']) {
      await store.createObject('Pod', named(name));
      await store.createObject('Lease', named(name));
    }
    const seen: Change[] = [];
    store.watch(undefined, from, (change) => seen.push(change));
    assert.equal(seen.map(brief), ['added Pod x', 'added Lease x', 'added Pod y', 'added Lease y']);
    assert.equal(
      seen.map((c) => c.revision),
      [1, 2, 3, 4].map((n) => from + n),
    );
  });

  it('waits for a version of the future', async () => {
    const { store } = await memoryStore();
    const seen: number[] = [];
    store.watch('Pod', store.revision + 2, (change) => seen.push(change.revision));
    for (const name of ['a', 'b', 'c']) await store.createObject('Pod', named(name));
    assert.equal(seen, [store.revision]);
  });

  for (const [limit, history] of [
    ['count', { changes: 5, bytes: 1e9 }],
    ['memory', { changes: 1e9, bytes: 2000 }],
  ] as const) {
    it(`says Expired when the past is gone, bounded by ${limit}`, async () => {
      const { store } = await memoryStore({ history });
      const from = store.revision;
      for (let i = 0; i < 40; i += 1) await store.createObject('Pod', named(`p${i}`));
      assert.throws(
        () => store.watch('Pod', from, () => undefined),
        (error: unknown) =>
          error instanceof ApiError &&
          error.reason === 'Expired' &&
          new RegExp(`^too old resource version: ${from} \\(\\d+\\)$`).test(error.message),
      );
      assert.throws(() => store.watch(undefined, from, () => undefined), /too old/);
      const seen: number[] = [];
      store.watch('Pod', store.revision - 2, (change) => seen.push(change.revision));
      assert.equal(seen, [store.revision - 1, store.revision]);
      // What other kinds remember is their own matter.
      store.watch('ConfigMap', from, () => undefined);
    });
  }

  it('knows nothing from before a restart', async () => {
    const { store, map } = await memoryStore();
    await store.createObject('Pod', named('p'));
    const again = (await memoryStore({ map })).store;
    assert.ok(again.revision >= store.revision);
    if (again.revision > store.revision)
      assert.throws(() => again.watch('Pod', store.revision - 1, () => undefined), /too old/);
    again.watch('Pod', again.revision, () => undefined);
  });

  it('shows every listener the state of the change itself, and lets it write and watch from inside', async () => {
    const { store } = await memoryStore();
    const seen: string[] = [];
    const inner: string[] = [];
    store.subscribe((change) => {
      assert.is(store.revision, change.revision);
      assert.is(
        store.getObject(change.kind, change.object.metadata.namespace ?? '', change.object.metadata.name),
        change.type === 'deleted' ? undefined : change.object,
      );
      seen.push(brief(change));
      if (change.kind === 'Pod' && change.type === 'added') {
        store.watch('Pod', change.revision - 1, (c) => inner.push(brief(c)));
        store
          .deleteObject('Pod', 'default', change.object.metadata.name)
          .catch((error: unknown) => inner.push(String(error)));
      }
    });
    await Promise.all([store.createObject('Pod', named('p')), store.createObject('ConfigMap', named('c'))]);
    await store.createObject('ConfigMap', named('d'));
    assert.equal(seen, ['added Pod p', 'added ConfigMap c', 'deleted Pod p', 'added ConfigMap d']);
    assert.equal(inner, ['added Pod p', 'deleted Pod p']);
  });

  it('calls nobody after stop, not even within the same change', async () => {
    const { store } = await memoryStore();
    const seen: string[] = [];
    const stops: (() => void)[] = [];
    store.subscribe(() => {
      for (const stop of stops) stop();
    });
    stops.push(store.subscribe((change) => seen.push(brief(change))));
    await store.createObject('Pod', named('p'));
    assert.equal(seen, []);
  });
});
