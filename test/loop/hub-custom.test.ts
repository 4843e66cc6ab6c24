import * as assert from 'uvu/assert';
import type { CustomResourceDefinition } from '../../protocol/crd/types.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const ID = 'Widget.example.com';
const DEFINITION = {
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  } satisfies CustomResourceDefinition['spec'],
};

function isEstablished(world: HubWorld): boolean {
  const found = world.store.get('CustomResourceDefinition', '', 'widgets.example.com');
  return (found?.status?.conditions ?? []).some((c) => c.type === 'Established' && c.status === 'True');
}

async function withWidget(namespace = 'default'): Promise<{ world: HubWorld; uid: string }> {
  const world = await HubWorld.start();
  await world.store.create('CustomResourceDefinition', DEFINITION);
  await world.until(() => isEstablished(world));
  if (namespace !== 'default') await world.store.create('Namespace', { metadata: { name: namespace } });
  const made = await world.store.createObject(ID, { metadata: { name: 'w', namespace } });
  return { world, uid: made.metadata.uid };
}

spec(
  'custom resources',
  (it) => {
    it('are there again after a restart, at once', async () => {
      const { world, uid } = await withWidget();
      await world.stop(true);
      const next = await HubWorld.start({ directory: world.directory });
      assert.is(next.store.getObject(ID, 'default', 'w')?.metadata.uid, uid);
      await next.store.createObject(ID, { metadata: { name: 'w2', namespace: 'default' } });
      await next.stop();
    });

    it('go with their namespace', async () => {
      const { world } = await withWidget('team');
      await world.store.delete('Namespace', '', 'team');
      await world.until(() => world.store.get('Namespace', '', 'team') === undefined);
      assert.is(world.store.getObject(ID, 'team', 'w'), undefined);
      await world.stop();
    });

    it('own other objects, which go with them', async () => {
      const { world, uid } = await withWidget();
      const owner = { apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid };
      await world.store.create('ConfigMap', {
        metadata: { name: 'owned', namespace: 'default', ownerReferences: [owner] },
      });
      await world.clock.advance(1_000);
      assert.ok(world.store.get('ConfigMap', 'default', 'owned'), 'kept while its owner is there');
      await world.store.deleteObject(ID, 'default', 'w');
      await world.until(() => world.store.get('ConfigMap', 'default', 'owned') === undefined);
      await world.stop();
    });

    it('go before their definition, which waits for finalizers', async () => {
      const { world } = await withWidget();
      await world.store.modifyObject(ID, 'default', 'w', (current) => ({
        ...current,
        metadata: { ...current.metadata, finalizers: ['example.com/hold'] },
      }));
      await world.store.delete('CustomResourceDefinition', '', 'widgets.example.com');
      await world.until(
        () => world.store.getObject(ID, 'default', 'w')?.metadata.deletionTimestamp !== undefined,
      );
      assert.ok(world.store.get('CustomResourceDefinition', '', 'widgets.example.com'));
      let refused = '';
      await world.store
        .createObject(ID, { metadata: { name: 'late', namespace: 'default' } })
        .catch((error) => {
          refused = String(error);
        });
      assert.match(refused, /create not allowed while custom resource definition is terminating/);
      await world.store.modifyObject(ID, 'default', 'w', (current) => ({
        ...current,
        metadata: { ...current.metadata, finalizers: [] },
      }));
      await world.until(
        () => world.store.get('CustomResourceDefinition', '', 'widgets.example.com') === undefined,
      );
      await world.stop();
    });
  },
  { caseTimeoutMs: 30_000 },
);
