import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Node, NodeStatus } from '../../protocol/kinds/node.ts';
import { formatBytes, formatCpu } from '../../protocol/quantity.ts';
import type { NodeFacts } from '../../protocol/wire/messages.ts';
import type { Moment } from './moment.ts';
import { DATA_DIR } from './volumes/provision.ts';

/** Where a restarted hub finds how long the device may be silent before it has heard it again. */
export const LEASE_MS = 'coxswain.dev/lease-ms';
/** Conditions that others than the device write. */
const NOT_THE_DEVICES = ['Ready', 'DesiredStateRefused'];

/** Labels every node carries; what the device says of itself comes first, so that it cannot rename itself. */
export function nodeLabels(name: string, facts: NodeFacts): Record<string, string> {
  return {
    ...facts.labels,
    'kubernetes.io/hostname': name,
    'kubernetes.io/arch': facts.system.architecture,
    'kubernetes.io/os': facts.system.operatingSystem,
    'coxswain.dev/profile': facts.profile,
  };
}

/** Annotations the fleet keeps on a node. */
export function nodeAnnotations(facts: NodeFacts): Record<string, string> {
  return {
    [LEASE_MS]: String(facts.leaseMs),
    ...(facts.dataDir === undefined ? {} : { [DATA_DIR]: facts.dataDir }),
  };
}

/** Status as the facts give it; conditions of other writers and times of unchanged conditions are kept from `before`. */
export function nodeStatus(before: NodeStatus | undefined, facts: NodeFacts, now: Moment): NodeStatus {
  const amounts = (cpu: number, memory: number): Record<string, string> => ({
    cpu: formatCpu(Math.max(0, cpu)),
    memory: formatBytes(Math.max(0, memory)),
    'ephemeral-storage': formatBytes(facts.diskBytes),
    pods: String(facts.maxPods),
  });
  const present = before?.conditions ?? [];
  const reported = facts.conditions
    .filter((c) => !NOT_THE_DEVICES.includes(c.type))
    .map((c) =>
      timed(
        c,
        present.find((p) => p.type === c.type),
        now,
      ),
    );
  return {
    ...before,
    capacity: amounts(facts.cpuMilli, facts.memoryBytes),
    allocatable: amounts(
      facts.cpuMilli - facts.reservedCpuMilli,
      facts.memoryBytes - facts.reservedMemoryBytes,
    ),
    conditions: [...reported, ...present.filter((c) => NOT_THE_DEVICES.includes(c.type))],
    addresses: facts.addresses.map((a) => ({ ...a })),
    nodeInfo: { ...facts.system },
  };
}

/**
 * Times are the hub's: a board may live in 1970. The heartbeat time is that of the last report with news, so that a device which
 * only connects again causes no write.
 */
function timed(next: Condition, before: Condition | undefined, now: Moment): Condition {
  const same = before?.status === next.status;
  const isNews = !same || before.reason !== next.reason || before.message !== next.message;
  return {
    type: next.type,
    status: next.status,
    ...(next.reason !== undefined && { reason: next.reason }),
    ...(next.message !== undefined && { message: next.message }),
    lastHeartbeatTime: (isNews ? undefined : before.lastHeartbeatTime) ?? now.time,
    lastTransitionTime: (same ? before.lastTransitionTime : undefined) ?? now.time,
  };
}

/** The condition of `before` with this type replaced or added. */
export function withCondition(before: readonly Condition[] | undefined, next: Condition): Condition[] {
  return [...(before ?? []).filter((c) => c.type !== next.type), next];
}

/** True when `node` says already everything that labels and annotations should say. */
export function carries(
  present: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => present?.[key] === value);
}

/** The lease of a node as its annotation says, in ms; `fallbackMs` when it does not. */
export function leaseMsOf(node: Node, fallbackMs: number): number {
  const noted = Number(node.metadata.annotations?.[LEASE_MS]);
  return Number.isFinite(noted) && noted > 0 ? noted : fallbackMs;
}
