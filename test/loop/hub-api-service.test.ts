import * as assert from 'uvu/assert';
import { ApiServiceController } from '../../hub/controllers/api-service.ts';
import { silentLogger } from '../../kit/logger.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const place = { hosts: ['192.0.2.10'], port: 6443, serviceCidr: '10.96.0.0/16' };

function keep(world: HubWorld, more: Partial<typeof place> = {}): ApiServiceController {
  const { store, clock, events } = world;
  const deps = { view: store, client: store, clock, log: silentLogger, events };
  const loop = new ApiServiceController(deps, { ...place, ...more });
  loop.start(new AbortController().signal);
  return loop;
}

const service = (world: HubWorld) => world.store.get('Service', 'default', 'kubernetes');
const endpoints = (world: HubWorld) => world.store.get('Endpoints', 'default', 'kubernetes')?.subsets;
const slice = (world: HubWorld) => world.store.get('EndpointSlice', 'default', 'kubernetes');
const addresses = (world: HubWorld) => slice(world)?.endpoints?.flatMap((e) => e.addresses);

spec("the API's own Service and endpoints", (it) => {
  it('are there, and come back when somebody deletes or changes them', async () => {
    const world = await HubWorld.start();
    const loop = keep(world);
    await world.until(() => addresses(world) !== undefined && endpoints(world) !== undefined);
    assert.is(service(world)?.spec.clusterIP, '10.96.0.1');
    assert.is(slice(world)?.metadata.labels?.['kubernetes.io/service-name'], 'kubernetes');
    await world.store.delete('Service', 'default', 'kubernetes');
    await world.store.delete('EndpointSlice', 'default', 'kubernetes');
    await world.store.modify('Endpoints', 'default', 'kubernetes', (draft) => {
      draft.subsets = [];
      return true;
    });
    await world.until(
      () =>
        service(world)?.spec.clusterIP === '10.96.0.1' &&
        addresses(world)?.[0] === '192.0.2.10' &&
        endpoints(world)?.[0]?.addresses?.[0]?.ip === '192.0.2.10',
    );
    await loop.stop();
    await world.stop();
  });

  it('follow the hub to other addresses, and take another address for the Service when theirs is taken', async () => {
    const world = await HubWorld.start();
    await world.store.create('Service', {
      metadata: { name: 'early', namespace: 'default' },
      spec: { clusterIP: '10.96.0.1', ports: [{ port: 80 }] },
    });
    const before = keep(world);
    await world.until(() => service(world) !== undefined && addresses(world) !== undefined);
    assert.is.not(service(world)?.spec.clusterIP, '10.96.0.1');
    await before.stop();
    const after = keep(world, { hosts: ['192.0.2.20'], port: 7443 });
    await world.until(
      () =>
        addresses(world)?.[0] === '192.0.2.20' &&
        slice(world)?.ports?.[0]?.port === 7443 &&
        endpoints(world)?.[0]?.ports?.[0]?.port === 7443 &&
        service(world)?.spec.ports?.[0]?.targetPort === 7443,
    );
    await after.stop();
    await world.stop();
  });
});
