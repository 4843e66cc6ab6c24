import type { PodSpec } from '../../protocol/kinds/pod.ts';
import { bytesOf, formatBytes } from '../../protocol/quantity.ts';

/** A bound of a container or volume in bytes, and as the pod's author wrote it. */
export interface StorageLimit {
  readonly name: string;
  readonly bytes: number;
  readonly shown: string;
}

/** What a pod may use of the node's disk. A pod with a limit of containers has one in all, as for the kubelet. */
export interface StorageLimits {
  readonly volumes: readonly StorageLimit[];
  readonly containers: readonly StorageLimit[];
  readonly pod?: Omit<StorageLimit, 'name'>;
  /** Names of all emptyDirs on the disk: they count against the limit of the pod. */
  readonly onDisk: readonly string[];
}

/** What a pod uses of the disk, in bytes by name: containers with their logs, and emptyDirs. */
export interface StorageUse {
  readonly containers: ReadonlyMap<string, number>;
  readonly volumes: ReadonlyMap<string, number>;
}

/** The last look at a pod's use. Times are monotonic ms. */
export interface StorageLook {
  readonly atMs: number;
  /** How long the measuring took. */
  readonly costMs: number;
  /** Bytes to the nearest limit. */
  readonly headroomBytes: number;
  /** Share of the nearest limit that is used. */
  readonly usedRatio: number;
  /** How fast the nearest limit came closer since the look before; 0 when it did not, undefined when there was none. */
  readonly bytesPerMs: number | undefined;
  /** Used bytes of the whole disk then. */
  readonly diskUsedBytes: number;
}

/** Time between two looks at a pod, in ms: the kubelet's period at its limit, and the longest. */
const SOON_MS = 10_000;
const LATE_MS = 60_000;
/** Measuring may take this share of the time. */
const COST = 10;
const NEAR_RATIO = 0.8;
const RESOURCE = 'ephemeral-storage';

/** The limits of a pod; undefined for the many that have none and are never measured. A limit of 0 is none. Pure; never throws. */
export function storageLimits(spec: PodSpec): StorageLimits | undefined {
  const disks = (spec.volumes ?? []).filter(
    (v) => v.emptyDir !== undefined && v.emptyDir.medium !== 'Memory',
  );
  const volumes = disks.flatMap(({ name, emptyDir }) => limitOf(name, emptyDir?.sizeLimit));
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  const containers = [...spec.containers, ...sidecars].flatMap((c) =>
    limitOf(c.name, c.resources?.limits?.[RESOURCE]),
  );
  const pod = podLimit(spec);
  if (volumes.length === 0 && pod === undefined) return undefined;
  return { volumes, containers, onDisk: disks.map((v) => v.name), ...(pod === undefined ? {} : { pod }) };
}

function limitOf(name: string, quantity: string | number | undefined): StorageLimit[] {
  const bytes = bytesOf(quantity);
  return bytes > 0 ? [{ name, bytes, shown: String(quantity) }] : [];
}

/** Containers and sidecars together, or the largest init step when that is more. */
function podLimit(spec: PodSpec): StorageLimits['pod'] {
  const texts: string[] = [];
  const limit = (c: PodSpec['containers'][number]): number => {
    const quantity = c.resources?.limits?.[RESOURCE];
    if (quantity !== undefined) texts.push(String(quantity));
    return bytesOf(quantity);
  };
  let sidecars = 0;
  let peak = 0;
  const containers = spec.containers.reduce((sum, c) => sum + limit(c), 0);
  for (const init of spec.initContainers ?? []) {
    if (init.restartPolicy === 'Always') sidecars += limit(init);
    else peak = Math.max(peak, limit(init) + sidecars);
  }
  const bytes = Math.max(containers + sidecars, peak);
  if (bytes === 0) return undefined;
  const written = texts.find((text) => bytesOf(text) === bytes);
  return { bytes, shown: written ?? sumText(bytes, texts[0] ?? '') };
}

/** A sum is written in the style of what was added first. */
function sumText(bytes: number, style: string): string {
  if (/i$/.test(style)) return formatBytes(bytes);
  const units = ['', 'k', 'M', 'G', 'T', 'P'];
  let power = 0;
  while (power < units.length - 1 && bytes % 1000 ** (power + 1) === 0) power++;
  return `${bytes / 1000 ** power}${units[power]}`;
}

/** The kubelet's message about the first limit that is exceeded, in its order; undefined when the pod keeps to them. Pure. */
export function exceededLimit(limits: StorageLimits, use: StorageUse): string | undefined {
  const volume = limits.volumes.find(({ name, bytes }) => (use.volumes.get(name) ?? 0) > bytes);
  if (volume !== undefined)
    return `Usage of EmptyDir volume "${volume.name}" exceeds the limit "${volume.shown}". `;
  if (limits.pod !== undefined && totalOf(use) > limits.pod.bytes)
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${limits.pod.shown}. `;
  const container = limits.containers.find(({ name, bytes }) => (use.containers.get(name) ?? 0) > bytes);
  if (container === undefined) return undefined;
  return `Container ${container.name} exceeded its local ephemeral storage limit "${container.shown}". `;
}

function totalOf(use: StorageUse): number {
  return [...use.containers.values(), ...use.volumes.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** What to remember of a look, for `isStorageDue`. */
export function storageLook(
  limits: StorageLimits,
  use: StorageUse,
  now: Pick<StorageLook, 'atMs' | 'costMs' | 'diskUsedBytes'>,
  before: StorageLook | undefined,
): StorageLook {
  const pairs: (readonly [used: number, limit: number])[] = [
    ...limits.volumes.map((l) => [use.volumes.get(l.name) ?? 0, l.bytes] as const),
    ...limits.containers.map((l) => [use.containers.get(l.name) ?? 0, l.bytes] as const),
    ...(limits.pod === undefined ? [] : [[totalOf(use), limits.pod.bytes] as const]),
  ];
  const headroomBytes = Math.min(...pairs.map(([used, limit]) => Math.max(0, limit - used)));
  const elapsedMs = before === undefined ? 0 : now.atMs - before.atMs;
  const closer = before === undefined ? 0 : before.headroomBytes - headroomBytes;
  return {
    ...now,
    headroomBytes,
    usedRatio: Math.max(...pairs.map(([used, limit]) => used / limit)),
    bytesPerMs: before === undefined ? undefined : elapsedMs > 0 && closer > 0 ? closer / elapsedMs : 0,
  };
}

/**
 * Whether to measure a pod again: 10 s after the first time, because most of what a pod writes it writes as it starts; then after 60 s; after half the time it needs to its limit at its last pace, or 10 s near the limit; at
 * once when the disk as a whole has taken in half of what it had left. Never within 10 s, and never so often that measuring takes
 * more than a tenth of the time. Pure.
 */
export function isStorageDue(
  last: StorageLook | undefined,
  now: Pick<StorageLook, 'atMs' | 'diskUsedBytes'>,
): boolean {
  if (last === undefined) return true;
  const ageMs = now.atMs - last.atMs;
  if (ageMs < Math.max(SOON_MS, last.costMs * COST)) return false;
  if (now.diskUsedBytes - last.diskUsedBytes >= last.headroomBytes / 2) return true;
  if (last.bytesPerMs === undefined) return true;
  const arrivalMs = last.bytesPerMs > 0 ? last.headroomBytes / last.bytesPerMs / 2 : LATE_MS;
  return last.usedRatio >= NEAR_RATIO || ageMs >= Math.min(LATE_MS, arrivalMs);
}

/**
 * The folder that takes what a container writes, from the `mountinfo` of one of its processes: engines that do not tell it themselves
 * mount it all the same. Undefined when the container's root is no overlay.
 */
export function upperDirIn(mountinfo: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [mount = '', system = ''] = line.split(' - ');
    if (mount.split(' ')[4] !== '/') continue;
    const [type, , options = ''] = system.split(' ');
    if (type !== 'overlay') return undefined;
    const found = options.split(',').find((option) => option.startsWith('upperdir='));
    return found === undefined ? undefined : unescapeMount(found.slice('upperdir='.length));
  }
  return undefined;
}

/** The kernel writes blanks and backslashes of a path as octal. */
function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
