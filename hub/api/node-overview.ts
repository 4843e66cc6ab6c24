import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Telemetry } from '../../protocol/wire/messages.ts';
import type { ApiContext } from './context.ts';

/** One node of `GET /coxswain/v1/nodes`. */
export interface NodeOverview {
  readonly name: string;
  readonly ready: boolean;
  /** Internal address, or empty. */
  readonly address: string;
  /** Pods bound to the node that have not finished. */
  readonly podCount: number;
  /** Absent while the hub has heard nothing. */
  readonly telemetry?: Omit<Telemetry, 'pods'>;
  /** Age of the telemetry by the hub's clock. */
  readonly ageMs?: number;
}

/** All nodes with what they live through now: what `cox top` prints. */
export function nodeOverviews(context: ApiContext): NodeOverview[] {
  const counts = new Map<string, number>();
  for (const object of context.store.listObjects('Pod').items) {
    const { spec, status } = object as Pod;
    if (spec.nodeName === undefined || status?.phase === 'Succeeded' || status?.phase === 'Failed') continue;
    counts.set(spec.nodeName, (counts.get(spec.nodeName) ?? 0) + 1);
  }
  return context.store
    .listObjects('Node')
    .items.map((object) => overview(context, object as Node, counts.get(object.metadata.name) ?? 0));
}

function overview(context: ApiContext, node: Node, podCount: number): NodeOverview {
  const { name } = node.metadata;
  const newest = context.telemetry.node(name);
  const ready = node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
  const address = node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address ?? '';
  if (newest === undefined) return { name, ready, address, podCount };
  const { pods: _pods, ...telemetry } = newest.sample;
  const ageMs = Math.max(0, context.clock.nowMs() - newest.atMs);
  return { name, ready, address, podCount, telemetry, ageMs };
}
