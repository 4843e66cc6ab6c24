import { toTime } from '../../kit/clock.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { bytesOf, cpuMilli } from '../../protocol/quantity.ts';
import type { ApiContext } from './context.ts';

const NANO_OF_MILLI = 1_000_000;

/**
 * A node and its pods as a kubelet's `/stats/summary` has them, from the newest telemetry. What devices do not measure (counters of
 * processor time, page faults, file systems of containers) is left out, as is everything of what has not reported.
 */
export function nodeSummary(context: ApiContext, node: Node, pods: readonly Pod[]): object {
  return {
    node: { nodeName: node.metadata.name, ...nodeUse(context, node) },
    pods: pods.filter((pod) => pod.status?.phase === 'Running').map((pod) => podUse(context, pod)),
  };
}

function nodeUse(context: ApiContext, { metadata, status }: Node): object {
  const newest = context.telemetry.node(metadata.name);
  if (newest === undefined) return {};
  const { sample, atMs } = newest;
  const time = toTime(atMs);
  const { memoryUsedBytes: used, memoryTotalBytes: total, diskRatio } = sample;
  const nanoCores = Math.round(sample.cpuRatio * cpuMilli(status?.capacity?.['cpu']) * NANO_OF_MILLI);
  const diskBytes = bytesOf(status?.capacity?.['ephemeral-storage']);
  const usedBytes = Math.round(diskBytes * diskRatio);
  return {
    cpu: { time, usageNanoCores: nanoCores },
    memory: { time, availableBytes: total - used, usageBytes: used, workingSetBytes: used },
    ...(diskBytes === 0
      ? {}
      : { fs: { time, availableBytes: diskBytes - usedBytes, capacityBytes: diskBytes, usedBytes } }),
  };
}

function podUse(context: ApiContext, pod: Pod): object {
  const { name, namespace, uid } = pod.metadata;
  const { startTime, containerStatuses = [] } = pod.status ?? {};
  const head = { podRef: { name, namespace, uid }, ...(startTime === undefined ? {} : { startTime }) };
  const newest = context.telemetry.pod(uid);
  if (newest === undefined) return { ...head, containers: [] };
  const { sample, atMs } = newest;
  const time = toTime(atMs);
  const parts = sample.containers ?? { [pod.spec.containers[0]?.name ?? '']: sample };
  const containers = Object.entries(parts).map(([container, part]) => {
    const startedAt = containerStatuses.find((c) => c.name === container)?.state?.running?.startedAt;
    return {
      name: container,
      ...(startedAt === undefined ? {} : { startTime: startedAt }),
      ...use(time, part),
    };
  });
  return { ...head, ...use(time, sample), containers };
}

const use = (time: string, part: { readonly cpuMilli: number; readonly memoryBytes: number }): object => ({
  cpu: { time, usageNanoCores: Math.round(part.cpuMilli * NANO_OF_MILLI) },
  memory: { time, workingSetBytes: part.memoryBytes },
});
