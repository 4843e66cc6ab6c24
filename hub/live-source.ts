import type { TelemetryPort } from './api/ports.ts';
import type { LiveSource } from './scheduler/scheduler.ts';
import type { Store } from './store/store.ts';
import type { TelemetryView } from './telemetry/telemetry-view.ts';

/** What the scheduler sees of telemetry: fresh samples only, with the damped load. */
export function liveSource(telemetry: TelemetryView): LiveSource {
  return {
    read: (node) => {
      const known = telemetry.fresh(node);
      if (known === undefined) return undefined;
      const { sample, load, confirmedAtMs } = known;
      return {
        heldCpuRatio: load.heldCpuRatio,
        heldMemoryRatio: load.heldMemoryRatio,
        cpuRatio: load.cpuRatio,
        memoryUsedBytes: sample.memoryUsedBytes,
        memoryTotalBytes: sample.memoryTotalBytes,
        ...(sample.temperatureCelsius === undefined ? {} : { temperatureCelsius: sample.temperatureCelsius }),
        ...(sample.throttled === undefined ? {} : { throttled: sample.throttled }),
        confirmedAtMs,
        windowMs: sample.windowMs,
      };
    },
    subscribe: (listener) => telemetry.subscribe(listener),
  };
}

/** What the API shows of telemetry. Pods are found by uid through the store, because devices name them by their own node. */
export function telemetryPort(telemetry: TelemetryView, store: Pick<Store, 'byUid'>): TelemetryPort {
  return {
    node: (name) => {
      const known = telemetry.node(name);
      return known === undefined ? undefined : { sample: known.sample, atMs: known.confirmedWallMs };
    },
    pod: (uid) => {
      const nodeName = store.byUid('Pod', uid)?.spec.nodeName;
      const known = nodeName === undefined ? undefined : telemetry.pod(nodeName, uid);
      if (known === undefined) return undefined;
      const { receivedWallMs, windowMs, ...sample } = known;
      return { sample, atMs: receivedWallMs };
    },
  };
}
