import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Node, NodeStatus } from '../../protocol/kinds/node.ts';
import { formatBytes, formatCpu } from '../../protocol/quantity.ts';
import { qualifiedNameErrors } from '../../protocol/validate/names.ts';
import type { ImageFact, NodeFacts } from '../../protocol/wire/messages.ts';
import type { Moment } from './moment.ts';
import { DATA_DIR } from './volumes/provision.ts';

/** Where a restarted hub finds how long the device may be silent before it has heard it again. */
export const LEASE_MS = 'coxswain.dev/lease-ms';
/** Which images on a node are for an architecture that it cannot run: JSON, platform to names. Absent: none is. */
export const IMAGE_PLATFORMS = 'coxswain.dev/image-platforms';
/** `not-enforced` on a node whose kernel does not limit the memory of containers. */
export const MEMORY_LIMITS = 'coxswain.dev/memory-limits';
/** Images a node may name; a device that names more does not fill the hub. */
const MAX_IMAGES = 100;
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

/** Annotations the fleet keeps on a node; undefined for those that should not be there. */
export function nodeAnnotations(facts: NodeFacts): Record<string, string | undefined> {
  const limitless = facts.conditions.some((c) => c.type === 'MemoryCgroup' && c.status === 'False');
  return {
    [LEASE_MS]: String(facts.leaseMs),
    [MEMORY_LIMITS]: limitless ? 'not-enforced' : undefined,
    ...(facts.dataDir === undefined ? {} : { [DATA_DIR]: facts.dataDir }),
    ...(facts.images === undefined ? {} : { [IMAGE_PLATFORMS]: foreignImages(facts.images) }),
  };
}

/** The text of the annotation of images for other architectures; undefined when there are none. */
function foreignImages(images: readonly ImageFact[]): string | undefined {
  const names = new Map<string, string[]>();
  for (const [own, , platform] of images.slice(0, MAX_IMAGES)) {
    if (platform !== undefined && platform !== null)
      names.set(platform, [...(names.get(platform) ?? []), ...own]);
  }
  return names.size === 0 ? undefined : JSON.stringify(Object.fromEntries([...names].toSorted()));
}

/** Status as the facts give it; conditions of other writers and times of unchanged conditions are kept from `before`. */
export function nodeStatus(before: NodeStatus | undefined, facts: NodeFacts, now: Moment): NodeStatus {
  const amounts = (cpu: number, memory: number): Record<string, string> => ({
    cpu: formatCpu(Math.max(0, cpu)),
    memory: formatBytes(Math.max(0, memory)),
    'ephemeral-storage': formatBytes(facts.diskBytes),
    pods: String(facts.maxPods),
    ...Object.fromEntries(
      Object.entries(facts.devices ?? {})
        .filter(([name]) => name.includes('/') && qualifiedNameErrors(name).length === 0)
        .map(([name, count]) => [name, String(Math.max(0, count))]),
    ),
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
    ...(facts.images === undefined
      ? {}
      : {
          images: facts.images
            .slice(0, MAX_IMAGES)
            .map(([names, sizeBytes]) => ({ names: [...names], sizeBytes })),
        }),
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

/** True when `node` says already everything that labels and annotations should say, and nothing that they should not. */
export function carries(
  present: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string | undefined>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => present?.[key] === value);
}

/** Labels or annotations with those of `wanted` set, and removed where it says undefined. */
export function withEntries(
  present: Readonly<Record<string, string>> | undefined,
  wanted: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const merged = Object.entries({ ...present, ...wanted });
  return Object.fromEntries(merged.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

/** The lease of a node as its annotation says, in ms; `fallbackMs` when it does not. */
export function leaseMsOf(node: Node, fallbackMs: number): number {
  const noted = Number(node.metadata.annotations?.[LEASE_MS]);
  return Number.isFinite(noted) && noted > 0 ? noted : fallbackMs;
}
