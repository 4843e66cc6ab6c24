import { randomUUID } from 'node:crypto';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { VERSION } from '../kit/version.ts';
import { kinds } from '../protocol/kinds/index.ts';
import { controlLoops, type SharedParts } from './control-loops.ts';
import { CustomResources } from './controllers/custom-resources.ts';
import { PersistentVolumeController } from './controllers/persistent-volumes.ts';
import { EventRecorder } from './events/event-recorder.ts';
import { Fleet } from './fleet/fleet.ts';
import { Liveness } from './fleet/liveness.ts';
import type { Ground } from './ground.ts';
import type { Loop, LoopDeps } from './loop.ts';
import { TelemetryView } from './telemetry/telemetry-view.ts';

/** What the rooms are told by the hub's settings. */
export interface RoomsOptions {
  readonly clusterCidr: string;
  readonly rebalanceAfterSeconds: number;
  readonly failedPodsKept?: number;
  readonly terminatedPodsKept?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The rooms behind the doors: what keeps pods and devices as they should be. */
export interface Rooms {
  readonly deps: LoopDeps;
  readonly telemetry: TelemetryView;
  readonly fleet: Fleet;
  readonly custom: CustomResources;
  /** All that is to be started, in this order. */
  readonly loops: readonly Loop[];
}

/** Puts the rooms together on the ground; starts none. What ends apart from the loops is handed to `onStop`. */
export function makeRooms(
  options: RoomsOptions,
  { authority, store, people, link }: Ground,
  onStop: (stop: () => Promise<void> | void) => void,
): Rooms {
  const { clock, log } = options;
  const events = new EventRecorder({ client: store, clock, log, component: 'coxswain-hub' });
  onStop(() => events.stop());
  const deps: LoopDeps = { view: store, client: store, clock, log, events };
  const telemetry = new TelemetryView(clock);
  const liveness = new Liveness({ clock });
  onStop(() => liveness.stop());
  const volumes = new PersistentVolumeController(deps);
  const custom = new CustomResources(deps, store, kinds);
  const fleet = new Fleet({
    ...deps,
    volumes,
    link,
    liveness,
    telemetry,
    deviceEvents: events,
    identity: { clusterId: authority.clusterId, clusterCidr: options.clusterCidr },
    tokens: people.issuer,
    hubName: `coxswain-hub/${VERSION}`,
    newStreamId: randomUUID,
  });
  const shared: SharedParts = {
    custom,
    volumes,
    liveness,
    telemetry,
    rebalanceAfterMs: options.rebalanceAfterSeconds * 1000,
    caPem: authority.caPem,
    kept: keptPods(options),
  };
  return {
    deps,
    telemetry,
    fleet,
    custom,
    loops: [...controlLoops(deps, shared), ...people.loops(deps), fleet],
  };
}

function keptPods({ failedPodsKept, terminatedPodsKept }: RoomsOptions): SharedParts['kept'] {
  return {
    ...(failedPodsKept === undefined ? {} : { keepFailedPods: failedPodsKept }),
    ...(terminatedPodsKept === undefined ? {} : { keepTerminatedPods: terminatedPodsKept }),
  };
}
