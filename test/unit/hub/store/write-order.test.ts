import * as assert from 'uvu/assert';
import { DurableError } from '../../../../kit/durable-error.ts';
import { apiError, MemoryMap, memoryStore, named } from '../../../build/store.ts';
import { settle } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

const metadata = (name: string) => ({ metadata: { name, namespace: 'default' } });

spec('Store, what somebody waits for goes first', (it) => {
  it('lets a write of a client pass those of loops that are not on their way yet', async () => {
    const { store, map } = await memoryStore();
    const seen: string[] = [];
    store.subscribe((change) => seen.push(change.object.metadata.name));
    let open = (): void => undefined;
    map.gate = new Promise((resolve) => {
      open = resolve;
    });
    const loops = Array.from({ length: 300 }, (_, i) => store.create('ConfigMap', metadata(`loop-${i}`)));
    const asked = store.createObject('ConfigMap', named('asked'));
    open();
    await Promise.all([...loops, asked]);
    const at = seen.indexOf('asked');
    assert.ok(at > 0 && at <= 128, `after ${at} of 300`);
    const order = seen.filter((name) => name !== 'asked');
    assert.equal(
      order,
      Array.from({ length: 300 }, (_, i) => `loop-${i}`),
      'loops’ writes keep their order',
    );
  });

  it('goes on with what waits also while many others never stop asking', async () => {
    const { store } = await memoryStore();
    let isDone = false;
    let rounds = 0;
    const ask = async (name: string): Promise<void> => {
      for (let round = 0; round < 20 && !isDone; round++) {
        rounds = Math.max(rounds, round);
        await store.createObject('ConfigMap', named(`${name}-${round}`));
      }
    };
    const clients = Array.from({ length: 300 }, (_, i) => ask(`asked-${i}`));
    await store.create('ConfigMap', metadata('loop'));
    isDone = true;
    await Promise.all(clients);
    assert.ok(rounds < 5, `it took ${rounds} rounds`);
  });

  it('plans what waited against the newest state, and refuses it like any other', async () => {
    const { store } = await memoryStore();
    const loops = Array.from({ length: 300 }, (_, i) => store.create('ConfigMap', metadata(`loop-${i}`)));
    const late = apiError(store.create('ConfigMap', metadata('taken')));
    await store.createObject('ConfigMap', named('taken'));
    await Promise.all(loops);
    assert.is((await late).reason, 'AlreadyExists');
  });

  it('settles what waits when the disk refuses what is before it, and when it is closed', async () => {
    const map = new MemoryMap();
    const { store } = await memoryStore({ map });
    map.failure = new DurableError('NoSpace', 'full');
    const writes = Array.from({ length: 200 }, (_, i) => store.create('ConfigMap', metadata(`c-${i}`)));
    const results = Promise.allSettled(writes);
    await settle();
    await store.close();
    const settled = await results;
    assert.is(settled.length, 200);
    assert.ok(settled.every((result) => result.status === 'rejected'));
  });
});
