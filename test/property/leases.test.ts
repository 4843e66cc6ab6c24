import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { Store } from '../../hub/store/store.ts';
import { leaseKind } from '../../protocol/kinds/lease-kind.ts';
import { type MemoryMap, memoryStore, named } from '../build/store.ts';
import { storeKinds } from '../build/store-kinds.ts';
import { spec } from '../spec.ts';

const kinds = [...storeKinds.filter(({ kind }) => kind !== 'Lease'), leaseKind];

const KEY = 'Lease/default/leader';

const write = fc.record({
  do: fc.constantFrom('write', 'delete', 'restart'),
  holderIdentity: fc.constantFrom('a', 'b'),
  renewTime: fc.constantFrom('2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:02.000000Z'),
  label: fc.constantFrom('x', 'y'),
});

const start = async (map?: MemoryMap): Promise<{ store: Store; map: MemoryMap }> =>
  memoryStore({ kinds, ...(map === undefined ? {} : { map }) });

/** All of the lease that must outlive a restart. */
function lasting(store: Store): unknown {
  const lease = store.get('Lease', 'default', 'leader');
  if (lease === undefined) return undefined;
  const { uid, labels } = lease.metadata;
  return { uid, labels, holder: lease.spec?.holderIdentity };
}

spec('leases over restarts', (it) => {
  it('are found as they were left but for their renewals, and are written only when more changes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 20 }), async (plan) => {
        let { store, map } = await start();
        for (const { do: verb, holderIdentity, renewTime, label } of plan) {
          const [before, stored] = [lasting(store), map.entries.get(KEY)];
          const object = named('leader', { spec: { holderIdentity, renewTime } }, { labels: { label } });
          if (verb === 'write') await store.updateObject('Lease', object);
          if (verb === 'delete')
            await store.deleteObject('Lease', 'default', 'leader').catch(() => undefined);
          const isSame = JSON.stringify(lasting(store)) === JSON.stringify(before);
          assert.is(map.entries.get(KEY) === stored, isSame, `${verb} of ${JSON.stringify(before)}`);
          if (verb === 'restart') ({ store, map } = await start(map));
          if (verb === 'restart') assert.equal(lasting(store), before);
        }
      }),
      { numRuns: 200 },
    );
  });
});
