import type { Pod } from '../protocol/kinds/pod.ts';
import type { PodUsage } from '../protocol/wire/messages.ts';
import type { TelemetryPort } from './api/ports.ts';
import type { UsageSource } from './controllers/autoscaler.ts';
import type { ReadUse } from './controllers/pod-mover.ts';
import type { LiveSource } from './scheduler/scheduler.ts';
import type { Store } from './store/store.ts';
import type { TelemetryView } from './telemetry/telemetry-view.ts';

/** What the scheduler sees of telemetry: fresh samples only, with the damped load. */
export function liveSource(
  telemetry: TelemetryView,
): LiveSource & { readonly heardAtMs: (node: string) => number | undefined } {
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
    heardAtMs: (node) => telemetry.node(node)?.confirmedAtMs,
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

/** What autoscalers see of telemetry: the use of pods on nodes that speak. A figure speaks as long as beats confirm it. */
export function usageSource(telemetry: TelemetryView): UsageSource {
  return {
    read: (pod, resource, container) => {
      const nodeName = pod.spec.nodeName ?? '';
      const node = telemetry.fresh(nodeName);
      const known = node === undefined ? undefined : telemetry.pod(nodeName, pod.metadata.uid);
      const part = known === undefined ? undefined : partOf(pod, known, container);
      // A device tells of a pod that runs nothing at the moment with zeros; what runs holds memory.
      if (node === undefined || known === undefined || part === undefined) return undefined;
      if (part.cpuMilli <= 0 && part.memoryBytes <= 0) return undefined;
      const amount =
        resource === 'cpu' ? part.cpuMilli : resource === 'memory' ? part.memoryBytes : undefined;
      if (amount === undefined) return undefined;
      return { amount, atMs: node.confirmedWallMs, windowMs: known.windowMs };
    },
    subscribe: (listener) => telemetry.subscribePods(listener),
  };
}

/** What rebalancing sees of telemetry: the use of a pod as a whole while its device speaks. */
export function podUse(telemetry: TelemetryView): ReadUse {
  return ({ metadata, spec }) => {
    const nodeName = spec.nodeName ?? '';
    const known = telemetry.isFresh(nodeName) ? telemetry.pod(nodeName, metadata.uid) : undefined;
    if (known === undefined) return undefined;
    return { cpuMilli: Math.round(known.cpuMilli), memoryBytes: Math.round(known.memoryBytes) };
  };
}

/** A pod of one container is told as a whole. */
function partOf(
  pod: Pod,
  use: PodUsage,
  container: string | undefined,
): { readonly cpuMilli: number; readonly memoryBytes: number } | undefined {
  if (container === undefined) return use;
  if (use.containers !== undefined) return use.containers[container];
  const [only, ...others] = pod.spec.containers;
  return only?.name === container && others.length === 0 ? use : undefined;
}
