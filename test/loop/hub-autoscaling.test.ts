import * as assert from 'uvu/assert';
import { ScaleTargets } from '../../hub/controllers/scale-targets.ts';
import type { CustomResourceDefinition } from '../../protocol/crd/types.ts';
import type { HorizontalPodAutoscaler } from '../../protocol/kinds/autoscaling.ts';
import type { Event } from '../../protocol/kinds/core.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const CONTAINER = { name: 'main', image: 'busybox:latest', resources: { requests: { cpu: '100m' } } };

async function deployScaled(world: HubWorld, replicas: number): Promise<void> {
  const labels = { app: 'web' };
  await world.deploy('web', replicas, {
    template: { metadata: { labels }, spec: { containers: [CONTAINER] } },
  });
  await world.until(() => world.ready('web').length === replicas);
}

/** Every pod of the world shares the demand; a device that tells nothing has none. */
function share(
  world: HubWorld,
  devices: Awaited<ReturnType<HubWorld['devices']>>,
  demandMilli: () => number,
): void {
  const useOf = (): { cpuMilli: number; memoryBytes: number } => ({
    cpuMilli: demandMilli() / Math.max(1, world.ready('web').length),
    memoryBytes: 5_000_000,
  });
  for (const device of devices) device.useOf = useOf;
}

async function autoscale(
  world: HubWorld,
  parts: Partial<HorizontalPodAutoscaler['spec']> = {},
): Promise<void> {
  await world.store.create('HorizontalPodAutoscaler', {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 2,
      maxReplicas: 8,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
        },
      ],
      ...parts,
    },
  });
}

const hpa = (world: HubWorld): HorizontalPodAutoscaler | undefined =>
  world.store.get('HorizontalPodAutoscaler', 'default', 'web');
const condition = (world: HubWorld, type: string): string => {
  const found = hpa(world)?.status?.conditions?.find((c) => c.type === type);
  return `${found?.status} ${found?.reason}`;
};
const replicas = (world: HubWorld): number | undefined =>
  world.store.get('Deployment', 'default', 'web')?.spec.replicas;
const eventsOf = (world: HubWorld, reason: string): Event[] =>
  world.store.list('Event', 'default').filter((e) => e.reason === reason);

spec(
  'autoscaling by live telemetry',
  (it) => {
    it('answers a surge as soon as it is told, in the steps allowed, and lets go after five quiet minutes', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1', 'worker-2');
      await deployScaled(world, 2);
      let demand = 100;
      share(world, devices, () => demand);
      await autoscale(world);
      await world.until(() => condition(world, 'ScalingActive') === 'True ValidMetricFound', 500);
      assert.is(replicas(world), 2);

      demand = 400;
      const surgeMs = world.clock.monotonicMs();
      await world.until(() => replicas(world) === 6, 200);
      const tookMs = world.clock.monotonicMs() - surgeMs;
      // Simulated time runs on while a busy disk writes; a poll would take its 15 s.
      assert.ok(tookMs <= 12_000, `one beat and a second to gather, not a poll: ${tookMs} ms`);
      await world.until(() => replicas(world) === 8, 500);
      const secondMs = world.clock.monotonicMs() - surgeMs;
      assert.ok(
        secondMs >= 15_000 && secondMs <= 45_000,
        `the policy lets the rest through later: ${secondMs} ms`,
      );
      await world.until(() => world.ready('web').length === 8, 200);
      await world.until(() => eventsOf(world, 'SuccessfulRescale').length === 2);
      const messages = eventsOf(world, 'SuccessfulRescale').map((e) => e.message);
      assert.ok(
        messages.includes(
          'New size: 6; reason: cpu resource utilization (percentage of request) above target',
        ),
      );

      demand = 100;
      const quietMs = world.clock.monotonicMs();
      await world.until(() => condition(world, 'AbleToScale') === 'True ScaleDownStabilized', 1000);
      assert.is(replicas(world), 8);
      await world.until(() => replicas(world) === 2, 1000);
      assert.ok(world.clock.monotonicMs() - quietMs >= 295_000);
      await world.stop();
    });

    it('does nothing while devices are silent, and says so', async () => {
      const world = await HubWorld.start();
      const [device] = await world.devices('worker-1');
      assert.ok(device);
      await deployScaled(world, 3);
      await autoscale(world);
      await world.until(() => condition(world, 'ScalingActive') === 'False FailedGetResourceMetric', 500);
      share(world, [device], () => 150);
      await world.until(() => condition(world, 'ScalingActive') === 'True ValidMetricFound', 500);
      device.cut();
      await world.until(() => condition(world, 'ScalingActive') === 'False FailedGetResourceMetric', 500);
      assert.is(replicas(world), 3);
      assert.is(eventsOf(world, 'SuccessfulRescale').length, 0);
      await world.stop();
    });

    it('writes nothing while nothing changes', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1');
      await deployScaled(world, 2);
      share(world, devices, () => 100);
      await autoscale(world);
      await world.until(
        () => hpa(world)?.status?.currentMetrics?.[0]?.resource?.current.averageUtilization === 50,
        500,
      );
      await world.clock.advance(20_000);
      const version = hpa(world)?.metadata.resourceVersion;
      for (let s = 0; s < 120; s++) await world.clock.advance(1_000);
      assert.is(hpa(world)?.metadata.resourceVersion, version);
      await world.stop();
    });

    it('scales custom resources by their scale', async () => {
      const world = await HubWorld.start();
      await world.store.create('CustomResourceDefinition', GADGETS);
      await world.until(() => world.store.kinds.some((k) => k.kind === 'Gadget'));
      await world.store.createObject('Gadget.example.org', {
        apiVersion: 'example.org/v1',
        kind: 'Gadget',
        metadata: { name: 'g', namespace: 'default' },
        spec: { size: 9 },
      } as never);
      const scaleTargetRef = { apiVersion: 'example.org/v1', kind: 'Gadget', name: 'g' };
      await autoscale(world, { scaleTargetRef });
      const size = (): unknown =>
        (
          world.store.getObject('Gadget.example.org', 'default', 'g') as
            | { spec?: { size?: number } }
            | undefined
        )?.spec?.size;
      await world.until(() => size() === 8, 200);
      await world.stop();
    });

    it('scales every kind with a scale, of whatever version the reference is', async () => {
      const world = await HubWorld.start();
      const labels = { app: 'set' };
      const template = { metadata: { labels }, spec: { containers: [CONTAINER] } };
      const metadata = { name: 'set', namespace: 'default' };
      const selector = { matchLabels: labels };
      await world.store.create('ReplicaSet', { metadata, spec: { replicas: 12, selector, template } });
      await world.store.create('StatefulSet', {
        metadata,
        spec: { replicas: 12, selector, serviceName: 'set', template },
      });
      for (const kind of ['ReplicaSet', 'StatefulSet'] as const) {
        await world.store.create('HorizontalPodAutoscaler', {
          metadata: { name: kind.toLowerCase(), namespace: 'default' },
          spec: { scaleTargetRef: { apiVersion: 'apps/v1beta1', kind, name: 'set' }, maxReplicas: 5 },
        });
        await world.until(() => world.store.get(kind, 'default', 'set')?.spec.replicas === 5, 200);
      }
      await world.stop();
    });

    it('lets a number stand that somebody set meanwhile', async () => {
      const world = await HubWorld.start();
      await world.deploy('web', 3);
      const scales = new ScaleTargets({ view: world.store, client: world.store }, () => kinds);
      const ref = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
      assert.is(await scales.set(ref, 'default', 4, 6), false);
      assert.is(replicas(world), 3);
      assert.is(await scales.set(ref, 'default', 3, 6), true);
      assert.is(replicas(world), 6);
      assert.is(await scales.set({ ...ref, name: 'gone' }, 'default', 3, 6), false);
      assert.equal(scales.find({ ...ref, kind: 'Nothing' }, 'default'), {
        ok: false,
        reason: 'NoKind',
        why: 'no matches for kind "Nothing" in group "apps"',
      });
      assert.equal(scales.find({ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd' }, 'default'), {
        ok: false,
        reason: 'NoScale',
        why: 'daemonsets.apps does not implement the scale subresource',
      });
      await world.stop();
    });

    it('stands back where a second autoscaler claims the pods', async () => {
      const world = await HubWorld.start();
      const devices = await world.devices('worker-1');
      await deployScaled(world, 3);
      share(world, devices, () => 600);
      await autoscale(world);
      await world.store.create('HorizontalPodAutoscaler', {
        metadata: { name: 'other', namespace: 'default' },
        spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 5 },
      });
      await world.until(() => condition(world, 'ScalingActive') === 'False AmbiguousSelector', 500);
      await world.stop();
    });

    it('tells of a target that is not there', async () => {
      const world = await HubWorld.start();
      await autoscale(world);
      await world.until(() => condition(world, 'AbleToScale') === 'False FailedGetScale', 200);
      const [found] = hpa(world)?.status?.conditions ?? [];
      assert.match(found?.message ?? '', 'deployments.apps "web" not found');
      await world.stop();
    });
  },
  { caseTimeoutMs: 60_000 },
);

spec('disruption budgets of running pods', (it) => {
  it('follow pods, scale and lost devices', async () => {
    const world = await HubWorld.start();
    const [first] = await world.devices('worker-1', 'worker-2');
    await deployScaled(world, 4);
    await world.store.create('PodDisruptionBudget', {
      metadata: { name: 'web', namespace: 'default' },
      spec: { selector: { matchLabels: { app: 'web' } }, maxUnavailable: '25%' },
    });
    const status = (): PodDisruptionBudget['status'] =>
      world.store.get('PodDisruptionBudget', 'default', 'web')?.status;
    await world.until(() => status()?.disruptionsAllowed === 1);
    assert.equal([status()?.expectedPods, status()?.desiredHealthy, status()?.currentHealthy], [4, 3, 4]);
    await world.store.modify('Deployment', 'default', 'web', (draft) => {
      draft.spec.replicas = 8;
      return true;
    });
    await world.until(() => status()?.expectedPods === 8 && status()?.disruptionsAllowed === 2);
    first?.cut();
    await world.until(() => (status()?.disruptionsAllowed ?? 9) === 0, 200);
    await world.stop();
  });
});

const GADGETS = {
  metadata: { name: 'gadgets.example.org' },
  spec: {
    group: 'example.org',
    scope: 'Namespaced',
    names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        },
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.size',
            statusReplicasPath: '.status.size',
            labelSelectorPath: '.status.selector',
          },
        },
      },
    ],
  },
} as unknown as Pick<CustomResourceDefinition, 'spec'> & { metadata: { name: string } };
