import { withDeadline } from '../../kit/deadline.ts';
import type { Container } from '../../protocol/kinds/pod.ts';
import { bytesOf } from '../../protocol/quantity.ts';
import {
  type ContainerUse,
  type EvictionCandidate,
  type EvictionSignal,
  isCritical,
  RESOURCES,
} from '../decide/evict.ts';
import { plannedContainers } from '../decide/pod-shape.ts';
import { isRuntimeError } from '../decide/runtime-error.ts';
import { bytesBelow } from './disk-use.ts';
import type { ImageStore, Meter, RunningPod } from './ports.ts';

/** How long the engine may walk the files of containers, in ms: memory may become short meanwhile. */
const WRITTEN_MS = 60_000;

/** What the running pods hold of the pressed resource. Only the disk is slow to ask, and asked only when it is full. */
export async function measurePods(
  signal: EvictionSignal,
  pods: readonly RunningPod[],
  tools: { readonly meter: Meter; readonly store: Pick<ImageStore, 'writtenBytes'>; readonly nowMs: number },
): Promise<EvictionCandidate[]> {
  const asked = pods.filter(({ pod }) => !isCritical(priorityOf(pod.spec)));
  const written = signal === 'disk' ? await writtenBytes(tools.store) : new Map<string, number>();
  const usageOf = (id: string, isRunning: boolean): number | undefined => {
    if (signal === 'disk') return written.get(id);
    if (!isRunning) return undefined;
    return signal === 'memory'
      ? tools.meter.memoryOf(id, tools.nowMs)
      : tools.meter.processesOf(id, tools.nowMs);
  };
  const candidates: EvictionCandidate[] = [];
  for (const { pod, containers, volumes } of asked) {
    const specs = new Map(plannedContainers(pod.spec).map((p) => [p.spec.name, p.spec]));
    const uses = containers.flatMap(({ id, name, isRunning }): ContainerUse[] => {
      const usage = usageOf(id, isRunning);
      return usage === undefined ? [] : [{ name, usage, request: requestOf(specs.get(name), signal) }];
    });
    candidates.push({
      uid: pod.metadata.uid,
      ...priorityOf(pod.spec),
      containers: uses,
      ...(signal === 'disk' ? { sharedUsage: await bytesBelow(volumes) } : {}),
    });
  }
  return candidates;
}

async function writtenBytes(store: Pick<ImageStore, 'writtenBytes'>): Promise<ReadonlyMap<string, number>> {
  try {
    return await withDeadline(WRITTEN_MS, undefined, (signal) => store.writtenBytes(signal));
  } catch (error) {
    if (!isRuntimeError(error, 'TimedOut')) throw error;
    return new Map(); // Their volumes alone then say who goes first.
  }
}

/** What makes a pod one that the node cannot do without. */
export function priorityOf(
  spec: RunningPod['pod']['spec'],
): Pick<EvictionCandidate, 'priority' | 'priorityClass'> {
  return { priority: spec.priority ?? 0, priorityClass: spec.priorityClassName ?? '' };
}

function requestOf(spec: Container | undefined, signal: EvictionSignal): number {
  if (signal === 'pids') return 0;
  const name = RESOURCES[signal];
  return bytesOf(spec?.resources?.requests?.[name] ?? spec?.resources?.limits?.[name]);
}
