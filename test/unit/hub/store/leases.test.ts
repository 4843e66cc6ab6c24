import * as assert from 'uvu/assert';
import type { Store } from '../../../../hub/store/store.ts';
import { DurableError } from '../../../../kit/durable-error.ts';
import type { Lease } from '../../../../protocol/kinds/core.ts';
import { leaseKind } from '../../../../protocol/kinds/lease-kind.ts';
import { apiError, type MemoryMap, memoryStore, named } from '../../../build/store.ts';
import { storeKinds } from '../../../build/store-kinds.ts';
import { spec } from '../../../spec.ts';

const kinds = [...storeKinds.filter(({ kind }) => kind !== 'Lease'), leaseKind];
const SECONDS = ['00', '02', '04', '06'] as const;

const open = async (map?: MemoryMap) => memoryStore({ kinds, ...(map === undefined ? {} : { map }) });

const held = (holderIdentity: string, second: string, namespace = 'default') =>
  named(
    'leader',
    { spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: `2026-01-01T00:00:${second}.000000Z` } },
    { namespace },
  );

const holder = (store: Store): string | undefined =>
  store.get('Lease', 'default', 'leader')?.spec?.holderIdentity;

spec('Store, leases of people', (it) => {
  it('remembers after a restart who held one, so that nobody else leads at once', async () => {
    const { store, map } = await open();
    await store.createObject('Lease', held('a', SECONDS[0]));
    await store.updateObject('Lease', held('b', SECONDS[1]));
    const again = (await open(map)).store;
    assert.is(holder(again), 'b');
  });

  it('spares the disk what only renews, and goes on renewing when it is full', async () => {
    const { store, map } = await open();
    await store.createObject('Lease', held('a', SECONDS[0]));
    const commits = map.commits;
    await store.updateObject('Lease', held('a', SECONDS[1]));
    map.failure = new DurableError('NoSpace', 'full');
    const renewed = (await store.updateObject('Lease', held('a', SECONDS[2]))) as Lease;
    assert.equal([map.commits, renewed.spec?.renewTime], [commits, '2026-01-01T00:00:04.000000Z']);
    assert.is((await apiError(store.updateObject('Lease', held('b', SECONDS[3])))).code, 507);
    assert.is(holder(store), 'a');
    const again = (await open(map)).store;
    assert.is(again.get('Lease', 'default', 'leader')?.spec?.renewTime, '2026-01-01T00:00:00.000000Z');
  });

  it('brings none back that was deleted after renewals', async () => {
    const { store, map } = await open();
    await store.createObject('Lease', held('a', SECONDS[0]));
    await store.updateObject('Lease', held('a', SECONDS[1]));
    await store.deleteObject('Lease', 'default', 'leader');
    assert.is(holder((await open(map)).store), undefined);
  });

  it('never writes those of devices', async () => {
    const { store, map } = await open();
    const commits = map.commits;
    await store.createObject('Lease', held('a', SECONDS[0], 'kube-node-lease'));
    await store.updateObject('Lease', held('b', SECONDS[1], 'kube-node-lease'));
    await store.deleteObject('Lease', 'kube-node-lease', 'leader');
    assert.is(map.commits, commits);
  });
});
