/** The real `kubectl drain`, cordon and uncordon against disruption budgets that their controller keeps. */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { BudgetWorld, podOf, until } from './budgets.ts';

let world: BudgetWorld;

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await world.hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

spec(
  'kubectl drain',
  (it) => {
    it('shows with --dry-run=server what it would do', async () => {
      const out = await ok(
        'drain',
        'worker-1',
        '--force',
        '--dry-run=server',
        '--ignore-daemonsets',
        '--delete-emptydir-data',
      );
      assert.match(out, /evicting pod default\/web-\d \(server dry run\)/);
      assert.is(world.serving('web').length, 3);
    });

    it('refuses pods with data of their own and pods of daemon sets, unless told', async () => {
      const { code, err } = await world.hub.kubectl('drain', 'worker-1');
      assert.is(code, 1);
      assert.match(
        err,
        'cannot delete Pods with local storage (use --delete-emptydir-data to override): default/data',
      );
      assert.match(
        err,
        'cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/everywhere',
      );
      await ok('uncordon', 'worker-1');
    });

    it('waits for the budget, which new pods elsewhere fill up', async () => {
      const stop = world.playDevice('web', true);
      const fewestOf = world.countFewest('web');
      const leave = world.playDevice('data', false);
      const { out, err, code } = await world.hub.kubectl(
        'drain',
        'worker-1',
        '--ignore-daemonsets',
        '--delete-emptydir-data',
        '--force',
        '--pod-selector=app!=replacement',
        '--timeout=30s',
      );
      stop();
      leave();
      const fewest = fewestOf();
      assert.is(code, 0, err);
      assert.match(out, 'node/worker-1 drained');
      assert.match(err, "Cannot evict pod as it would violate the pod's disruption budget.");
      assert.ok(fewest >= 2, `saw ${fewest}`);
      assert.is(world.pods('everywhere').length, 1, 'the pod of the daemon set stays');
      assert.is(world.pods('data').length, 0);
      assert.match(await ok('get', 'node', 'worker-1'), 'Ready,SchedulingDisabled');
      await ok('uncordon', 'worker-1');
      assert.not.match(await ok('get', 'node', 'worker-1'), 'SchedulingDisabled');
    });

    it('deletes in spite of budgets with --disable-eviction, and gracefully', async () => {
      await world.budget('kept', { minAvailable: 1 });
      await world.hub.put(podOf('kept', 'kept-1', {}, { terminationGracePeriodSeconds: 9 }));
      await until(() => world.allowed('kept') === 0);
      const graces: (number | undefined)[] = [];
      const unwatch = world.hub.store.port.watch('Pod', world.hub.store.port.revision, ({ object, type }) => {
        const { deletionGracePeriodSeconds: grace, labels } = object.metadata;
        if (labels?.['app'] === 'kept' && type === 'modified' && grace !== undefined) graces.push(grace);
      });
      const stop = world.playDevice('kept', false);
      const how = ['--disable-eviction', '--force', '--ignore-daemonsets', '--pod-selector=app=kept'];
      await ok('drain', 'worker-1', ...how);
      stop();
      unwatch();
      assert.is(world.pods('kept').length, 0);
      assert.is(graces[0], 9);
      await ok('uncordon', 'worker-1');
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      world = await BudgetWorld.start();
      await world.hub.put({
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'everywhere', namespace: 'default' },
        spec: {
          selector: { matchLabels: { app: 'everywhere' } },
          template: {
            metadata: { labels: { app: 'everywhere' } },
            spec: { containers: [{ name: 'main', image: 'busybox' }] },
          },
        },
      });
      const { uid } = (
        world.hub.store.port.getObject('DaemonSet', 'default', 'everywhere') ?? { metadata: { uid: '' } }
      ).metadata;
      const daemon = podOf('everywhere', 'everywhere') as { metadata: object };
      const owner = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'everywhere', uid, controller: true };
      await world.hub.put({ ...daemon, metadata: { ...daemon.metadata, ownerReferences: [owner] } });
      await world.hub.put(podOf('data', 'data', {}, { volumes: [{ name: 'd', emptyDir: {} }] }));
      await world.budget('web', { minAvailable: 2 });
      for (const name of ['web-0', 'web-1', 'web-2']) await world.hub.put(podOf('web', name));
      await until(() => world.allowed('web') === 1);
    },
    after: () => world.stop(),
  },
);
