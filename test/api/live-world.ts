/** A hub's API for the real kubectl, with the loops behind it and devices in memory, on the machine's clock. */
import { DaemonSetController } from '../../hub/controllers/daemon-set.ts';
import { DeploymentController } from '../../hub/controllers/deployment.ts';
import { GarbageController } from '../../hub/controllers/garbage.ts';
import { NodeLifecycleController } from '../../hub/controllers/node-lifecycle.ts';
import { PodGarbageController } from '../../hub/controllers/pod-garbage.ts';
import { ReplicaSetController } from '../../hub/controllers/replica-set.ts';
import { replicationControllers } from '../../hub/controllers/replica-sources.ts';
import { EventRecorder } from '../../hub/events/event-recorder.ts';
import { Fleet } from '../../hub/fleet/fleet.ts';
import { Liveness } from '../../hub/fleet/liveness.ts';
import { liveSource } from '../../hub/live-source.ts';
import type { LoopDeps } from '../../hub/loop.ts';
import { Scheduler } from '../../hub/scheduler/scheduler.ts';
import { Store } from '../../hub/store/store.ts';
import { TelemetryView } from '../../hub/telemetry/telemetry-view.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { tokenIssuer } from '../build/token-issuer.ts';
import { MemoryDevice, MemoryLink } from '../fakes/memory-devices.ts';
import { startHub, type TestHub } from './hub.ts';

export interface LiveWorld {
  readonly hub: TestHub;
  readonly store: Store;
  /** Boots a device; its node is ready for pods soon after. */
  device(name: string): MemoryDevice;
  /** Standard output of a kubectl that must succeed. */
  ok(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

/** Starts the hub and its loops. Devices start and stop containers at once. */
export async function startLiveWorld(): Promise<LiveWorld> {
  const hub = await startHub();
  const store = hub.store.port;
  if (!(store instanceof Store)) throw new Error('the test hub has no store of its own');
  const link = new MemoryLink();
  const clock = systemClock;
  const log = silentLogger;
  const events = new EventRecorder({ client: store, clock, log, component: 'coxswain-hub' });
  const deps: LoopDeps = { view: store, client: store, clock, log, events };
  const telemetry = new TelemetryView(clock);
  const liveness = new Liveness({ clock });
  const identity = { clusterId: 'cluster-1', clusterCidr: '10.42.0.0/16' };
  const loops = [
    new Fleet({
      ...deps,
      link,
      liveness,
      telemetry,
      deviceEvents: events,
      identity,
      tokens: tokenIssuer(store, clock),
      hubName: 'hub',
      newStreamId: () => 'none',
    }),
    new DeploymentController(deps),
    new ReplicaSetController(deps),
    new ReplicaSetController(deps, replicationControllers(deps)),
    new DaemonSetController(deps),
    new NodeLifecycleController(deps, liveness),
    new GarbageController(deps),
    new PodGarbageController(deps),
    new Scheduler(deps, liveSource(telemetry)),
  ];
  const ending = new AbortController();
  for (const loop of loops) loop.start(ending.signal);
  const devices: MemoryDevice[] = [];
  return {
    hub,
    store,
    device: (name) => {
      const device = new MemoryDevice(link, clock, name);
      devices.push(device);
      device.connect();
      return device;
    },
    ok: async (...args) => {
      const { code, out, err } = await hub.kubectl(...args);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${out}${err}`);
      return out;
    },
    stop: async () => {
      for (const device of devices) device.cut();
      await Promise.all(loops.map((loop) => loop.stop()));
      liveness.stop();
      await events.stop();
      await hub.stop();
    },
  };
}
