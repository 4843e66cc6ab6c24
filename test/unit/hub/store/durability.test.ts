import * as assert from 'uvu/assert';
import { DurableError } from '../../../../kit/durable-error.ts';
import { apiError, MemoryMap, memoryStore, named } from '../../../build/store.ts';
import { settle } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

/** A gate that commits wait for, and its key. */
function gate(map: MemoryMap): () => void {
  let open = (): void => undefined;
  map.gate = new Promise((resolve) => {
    open = resolve;
  });
  return open;
}

const full = new DurableError('NoSpace', 'full');

spec('Store, durable before visible', (it) => {
  it('shows and resolves nothing before the disk has it, then everything in order', async () => {
    const { store, map } = await memoryStore();
    const open = gate(map);
    const log: string[] = [];
    store.subscribe((change) => log.push(`seen ${change.object.metadata.name}`));
    const writes = ['a', 'b'].map((name) =>
      store.createObject('ConfigMap', named(name)).then(() => log.push(`done ${name}`)),
    );
    await settle();
    assert.equal([log, store.list('ConfigMap').length], [[], 0]);
    open();
    await Promise.all(writes);
    assert.equal(log, ['seen a', 'seen b', 'done a', 'done b']);
  });

  it('shares commits among writes that wait', async () => {
    const { store, map } = await memoryStore();
    const before = map.commits;
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.createObject('ConfigMap', named(`c${i}`))));
    assert.is(map.commits - before, 1);
  });

  it('does not acknowledge a write without effect before what it is based on', async () => {
    const { store, map } = await memoryStore();
    const open = gate(map);
    const made = store.createObject('ConfigMap', named('a'));
    let acknowledged = false;
    const same = store.updateObject('ConfigMap', named('a')).then(() => {
      acknowledged = true;
    });
    await settle();
    assert.is(acknowledged, false);
    open();
    await Promise.all([made, same]);
  });

  it('refuses with 507 on a full disk, shows nothing of it, and works again afterwards', async () => {
    const { store, map } = await memoryStore();
    const kept = await store.createObject('ConfigMap', named('kept'));
    const open = gate(map);
    const first = store.createObject('ConfigMap', named('a'));
    await settle();
    const second = store.createObject('ConfigMap', named('b'));
    const third = store.updateObject('ConfigMap', { ...kept, data: { k: 'v' } } as typeof kept);
    map.failure = full;
    open();
    for (const write of [first, second, third]) {
      const error = await apiError(write);
      assert.equal([error.reason, error.code], ['InsufficientStorage', 507]);
      assert.is(error.cause, full);
    }
    assert.equal(store.list('ConfigMap'), [kept]);
    map.failure = undefined;
    const again = await store.createObject('ConfigMap', named('a'));
    assert.ok(Number(again.metadata.resourceVersion) > Number(kept.metadata.resourceVersion));
    await store.updateObject('ConfigMap', { ...kept, data: { k: 'w' } } as typeof kept);
    assert.equal([...map.entries.keys()].filter((k) => k.startsWith('ConfigMap')).sort(), [
      'ConfigMap/default/a',
      'ConfigMap/default/kept',
    ]);
  });

  it('refuses with 500 when the disk fails otherwise', async () => {
    const { store, map } = await memoryStore();
    map.failure = new DurableError('IoError', 'broken');
    assert.is((await apiError(store.createObject('ConfigMap', named('a')))).reason, 'InternalError');
  });

  it('keeps memory-only kinds off the disk, and going when it fails', async () => {
    const { store, map } = await memoryStore();
    const commits = map.commits;
    const lease = await store.createObject('Lease', named('n'));
    assert.equal([map.commits, store.getObject('Lease', 'default', 'n')], [commits, lease]);
    map.failure = full;
    const refused = apiError(store.createObject('Namespace', { metadata: { name: 'new' } }));
    const inNew = apiError(store.createObject('Event', named('e', {}, { namespace: 'new' })));
    const beat = await store.updateObject('Lease', named('n', { spec: { n: 2 } }));
    assert.is(store.getObject('Lease', 'default', 'n'), beat);
    assert.equal([(await refused).reason, (await inNew).reason], ['InsufficientStorage', 'NotFound']);
    assert.equal(store.list('Event'), []);
  });

  it('never hands out a version twice: not after a restart, not those of deletions and of memory-only kinds', async () => {
    const map = new MemoryMap();
    let newest = 0;
    for (let life = 0; life < 4; life += 1) {
      const { store } = await memoryStore({ map });
      const made = await store.createObject('ConfigMap', named(`c${life}`));
      assert.ok(Number(made.metadata.resourceVersion) > newest);
      await store.deleteObject('ConfigMap', 'default', `c${life}`);
      for (let i = 0; i < 10; i += 1) await store.updateObject('Lease', named('n', { spec: { i } }));
      newest = store.revision;
    }
  });

  it('goes on with memory-only kinds for tens of thousands of versions while the disk is full', async () => {
    const { store, map } = await memoryStore();
    await store.createObject('ConfigMap', named('a'));
    map.failure = full;
    for (let i = 0; i < 30_000; i += 1) await store.updateObject('Lease', named('n', { spec: { i } }));
    assert.is((store.getObject('Lease', 'default', 'n') as { spec?: { i?: number } }).spec?.i, 29_999);
  });

  it('comes back with everything durable, and nothing else', async () => {
    const { store, map } = await memoryStore();
    await store.createObject('Deployment', named('d'));
    await store.createObject('Lease', named('n'));
    await store.createObject('ConfigMap', named('gone'));
    await store.deleteObject('ConfigMap', 'default', 'gone');
    const again = (await memoryStore({ map })).store;
    assert.equal(again.list('Deployment'), store.list('Deployment'));
    assert.ok(Object.isFrozen(again.list('Deployment')[0]?.spec));
    assert.equal([again.list('Lease'), again.list('ConfigMap')], [[], []]);
    assert.is(again.byUid('Deployment', store.list('Deployment')[0]?.metadata.uid ?? '')?.metadata.name, 'd');
  });

  it('settles what was handed in before it closes, and takes nothing after', async () => {
    const { store } = await memoryStore();
    const write = store.createObject('ConfigMap', named('a'));
    await store.close();
    await write;
    assert.is((await apiError(store.createObject('ConfigMap', named('b')))).reason, 'ServiceUnavailable');
  });

  it('refuses to start on entries that are not its own', async () => {
    const map = new MemoryMap();
    map.entries.set('Pod/default/x', { hello: 1 });
    const error = await memoryStore({ map }).catch((e: unknown) => e);
    assert.match(String(error), 'is not an object of this store');
  });
});
