import { kinds } from '../protocol/kinds/index.ts';
import type { KindSpec } from '../protocol/kinds/kind.ts';
import { type Alarm, MinuteAlarm } from './controllers/alarm.ts';
import { Autoscaler } from './controllers/autoscaler.ts';
import { CronJobController } from './controllers/cron-job.ts';
import type { CustomResources } from './controllers/custom-resources.ts';
import { DaemonSetController } from './controllers/daemon-set.ts';
import { DeploymentController } from './controllers/deployment.ts';
import { DisruptionController } from './controllers/disruption.ts';
import { GarbageController } from './controllers/garbage.ts';
import { JobController } from './controllers/job.ts';
import { NamespaceController } from './controllers/namespace.ts';
import { NodeLifecycleController } from './controllers/node-lifecycle.ts';
import type { PersistentVolumeController } from './controllers/persistent-volumes.ts';
import { PriorityClassController } from './controllers/priority-classes.ts';
import { Rebalancer } from './controllers/rebalancer.ts';
import { ReplicaSetController } from './controllers/replica-set.ts';
import { ResourceQuotaController } from './controllers/resource-quota.ts';
import { ScaleTargets } from './controllers/scale-targets.ts';
import { StatefulSetController } from './controllers/stateful-set.ts';
import { VolumeBinder } from './controllers/volume-binder.ts';
import type { Liveness } from './fleet/liveness.ts';
import { liveSource, podUse, usageSource } from './live-source.ts';
import type { Loop, LoopDeps } from './loop.ts';
import { Scheduler, type SchedulerPorts } from './scheduler/scheduler.ts';
import type { TelemetryView } from './telemetry/telemetry-view.ts';

/** What the loops share with other rooms. */
export interface SharedParts {
  readonly custom: CustomResources;
  readonly volumes: PersistentVolumeController;
  readonly liveness: Liveness;
  readonly telemetry: TelemetryView;
  /** What every namespace is given to know the hub by. */
  readonly caPem: string;
}

/** Other parts than the hub's own, for simulated time. */
export interface OtherParts {
  readonly alarm?: Alarm;
  readonly scheduler?: SchedulerPorts;
}

/** Every controller and the scheduler, in the order they are started. */
export function controlLoops(deps: LoopDeps, parts: SharedParts, other: OtherParts = {}): Loop[] {
  const { custom, volumes, liveness, telemetry, caPem } = parts;
  const live = liveSource(telemetry);
  const scales = new ScaleTargets(
    deps,
    allKinds(() => custom.served()),
  );
  const storedKinds = allKinds(() => custom.stored());
  const scheduler = new Scheduler(deps, live, { volumes: new VolumeBinder(deps), ...other.scheduler });
  return [
    custom,
    new NamespaceController(deps, caPem, () => custom.stored()),
    new GarbageController(deps, { customKinds: () => custom.stored() }),
    new NodeLifecycleController(deps, liveness),
    new ReplicaSetController(deps),
    new DeploymentController(deps),
    new DaemonSetController(deps),
    new StatefulSetController(deps),
    new JobController(deps),
    new CronJobController(deps, other.alarm ?? new MinuteAlarm(deps.clock)),
    new PriorityClassController(deps),
    new ResourceQuotaController(deps, storedKinds),
    new DisruptionController(deps, scales),
    new Autoscaler(deps, scales, usageSource(telemetry)),
    volumes,
    scheduler,
    new Rebalancer(deps, { live, useOf: podUse(telemetry), preview: scheduler.preview }),
  ];
}

/** The hub's own kinds and the custom ones of now; the same array while those are the same. */
export function allKinds(custom: () => readonly KindSpec[]): () => readonly KindSpec[] {
  let of: readonly KindSpec[] | undefined;
  let all: readonly KindSpec[] = kinds;
  return () => {
    const now = custom();
    if (now !== of) {
      of = now;
      all = [...kinds, ...now];
    }
    return all;
  };
}
