import type { PodUsage } from '../../protocol/wire/messages.ts';
import type { MachineFiles } from './machine-files.ts';

/** A running container and the pod it belongs to. */
export interface RunningContainer {
  readonly podUid: string;
  readonly name: string;
  readonly id: string;
}

/** Where a container's figures are, and how its processor time is counted. */
interface CgroupPlace {
  /** Directory with cpu.stat (v2) or cpuacct.usage (v1). */
  readonly cpuDir: string | undefined;
  /** Directory with memory.current (v2) or memory.usage_in_bytes (v1); absent when the memory cgroup is off. */
  readonly memoryDir: string | undefined;
  readonly version: 1 | 2;
}

interface Seen {
  readonly place: CgroupPlace;
  cpuMicros: number;
  sinceMs: number;
}

const CGROUP = 'sys/fs/cgroup';
/** How deep the search for a container's directory goes: slices, machines and nested hosts. */
const SEARCH_DEPTH = 7;

/**
 * Use of each pod from the containers' cgroup files: two or three small reads a container, where asking the engine
 * takes a second and a streaming connection each. A container's directory is searched once. With the memory cgroup off,
 * as on a stock Pi, memory is what the container's processes hold resident.
 */
export class PodUsageSampler {
  readonly #files: MachineFiles;
  readonly #seen = new Map<string, Seen>();
  /** Containers whose directory was not found, by the time of the search: not searched again at once. */
  readonly #missing = new Map<string, number>();

  constructor(files: MachineFiles) {
    this.#files = files;
  }

  /** Use by the first 8 characters of the pod's uid; a container's first sample has no CPU rate yet. `nowMs` is monotonic. */
  sample(containers: readonly RunningContainer[], nowMs: number): Record<string, PodUsage> {
    const alive = new Set(containers.map((c) => c.id));
    for (const id of this.#seen.keys()) if (!alive.has(id)) this.#seen.delete(id);
    for (const id of this.#missing.keys()) if (!alive.has(id)) this.#missing.delete(id);
    const pods = new Map<string, Record<string, { cpuMilli: number; memoryBytes: number }>>();
    for (const container of containers) {
      const use = this.#use(container.id, nowMs);
      if (use === undefined) continue;
      const key = container.podUid.slice(0, 8);
      pods.set(key, { ...pods.get(key), [container.name]: use });
    }
    return Object.fromEntries([...pods].map(([uid, parts]) => [uid, sum(parts)]));
  }

  #use(id: string, nowMs: number): { cpuMilli: number; memoryBytes: number } | undefined {
    const seen = this.#seen.get(id) ?? this.#find(id, nowMs);
    if (seen === undefined) return undefined;
    const cpuMicros = this.#cpuMicros(seen.place);
    const memoryBytes = this.#memoryBytes(seen.place);
    if (cpuMicros === undefined || memoryBytes === undefined) return undefined; // Just ended.
    const windowMs = nowMs - seen.sinceMs;
    const cpuMilli = windowMs <= 0 ? 0 : Math.max(0, (cpuMicros - seen.cpuMicros) / windowMs);
    seen.cpuMicros = cpuMicros;
    seen.sinceMs = nowMs;
    return { cpuMilli, memoryBytes };
  }

  /** Working-set memory of a container in bytes; undefined when it has just ended. */
  memoryOf(id: string, nowMs: number): number | undefined {
    const seen = this.#seen.get(id) ?? this.#find(id, nowMs);
    return seen === undefined ? undefined : this.#memoryBytes(seen.place);
  }

  /** Processes and threads of a container; undefined when it has just ended. */
  processesOf(id: string, nowMs: number): number | undefined {
    const place = (this.#seen.get(id) ?? this.#find(id, nowMs))?.place;
    if (place?.cpuDir === undefined) return undefined;
    const pidsDir = place.version === 2 ? place.cpuDir : pidsDirOf(place.cpuDir);
    const counted = this.#files.number(`${pidsDir}/pids.current`);
    if (counted !== undefined) return counted;
    const procs = this.#files.text(`${place.cpuDir}/cgroup.procs`);
    return procs?.split('\n').filter((pid) => pid !== '').length;
  }

  #find(id: string, nowMs: number): Seen | undefined {
    const triedMs = this.#missing.get(id);
    if (triedMs !== undefined && nowMs - triedMs < 60_000) return undefined;
    const place = findCgroup(this.#files, id);
    const cpuMicros = place === undefined ? undefined : this.#cpuMicros(place);
    if (place === undefined || cpuMicros === undefined) {
      this.#missing.set(id, nowMs);
      return undefined;
    }
    const seen: Seen = { place, cpuMicros, sinceMs: nowMs };
    this.#seen.set(id, seen);
    return seen;
  }

  #cpuMicros(place: CgroupPlace): number | undefined {
    if (place.cpuDir === undefined) return undefined;
    if (place.version === 2) return statValue(this.#files.text(`${place.cpuDir}/cpu.stat`), 'usage_usec');
    const nanos = this.#files.number(`${place.cpuDir}/cpuacct.usage`);
    return nanos === undefined ? undefined : nanos / 1000;
  }

  /** Working set as the kubelet counts it: what is charged, less file pages that can be dropped. */
  #memoryBytes(place: CgroupPlace): number | undefined {
    const dir = place.memoryDir;
    if (dir === undefined) return this.#residentBytes(place);
    const isV2 = place.version === 2;
    const charged = this.#files.number(`${dir}/${isV2 ? 'memory.current' : 'memory.usage_in_bytes'}`);
    if (charged === undefined) return undefined;
    const stat = this.#files.text(`${dir}/memory.stat`);
    const droppable = statValue(stat, isV2 ? 'inactive_file' : 'total_inactive_file') ?? 0;
    return Math.max(0, charged - droppable);
  }

  /** Pages of the container's processes that are theirs alone, and shared memory; in KiB by the kernel, whatever its page size. */
  #residentBytes(place: CgroupPlace): number {
    const pids = (this.#files.text(`${place.cpuDir}/cgroup.procs`) ?? '').split('\n').filter((p) => p !== '');
    let kib = 0;
    for (const pid of pids) {
      const status = this.#files.text(`proc/${pid}/status`) ?? '';
      for (const found of status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+)/gm)) kib += Number(found[1]);
    }
    return kib * 1024;
  }
}

/** Finds a container's cgroup directories on a v1, v2 or mixed machine; undefined when there are none. */
export function findCgroup(files: MachineFiles, id: string): CgroupPlace | undefined {
  if (files.text(`${CGROUP}/cgroup.controllers`) !== undefined) {
    const dir = findBelow(files, CGROUP, id);
    if (dir === undefined) return undefined;
    const hasMemory = files.text(`${dir}/memory.current`) !== undefined;
    return { version: 2, cpuDir: dir, memoryDir: hasMemory ? dir : undefined };
  }
  const cpuRoot = ['cpu,cpuacct', 'cpuacct', 'cpuacct,cpu'].find(
    (name) => files.number(`${CGROUP}/${name}/cpuacct.usage`) !== undefined,
  );
  if (cpuRoot === undefined) return undefined;
  const cpuDir = findBelow(files, `${CGROUP}/${cpuRoot}`, id);
  if (cpuDir === undefined) return undefined;
  const memoryDir = `${CGROUP}/memory${cpuDir.slice(`${CGROUP}/${cpuRoot}`.length)}`;
  const hasMemory = files.text(`${memoryDir}/memory.usage_in_bytes`) !== undefined;
  return { version: 1, cpuDir, memoryDir: hasMemory ? memoryDir : undefined };
}

/** The pids hierarchy of cgroup v1 beside that of the processor. */
function pidsDirOf(cpuDir: string): string {
  return cpuDir.replace(/^(sys\/fs\/cgroup)\/[^/]+/, '$1/pids');
}

/** The usual places first, then a search by name for engines with a cgroup parent of their own. */
function findBelow(files: MachineFiles, root: string, id: string): string | undefined {
  const usual = [`${root}/system.slice/docker-${id}.scope`, `${root}/docker/${id}`];
  const found = usual.find((dir) => files.text(`${dir}/cgroup.procs`) !== undefined);
  if (found !== undefined) return found;
  let level = [root];
  for (let depth = 0; depth < SEARCH_DEPTH && level.length > 0; depth++) {
    const next: string[] = [];
    for (const dir of level) {
      for (const name of files.directories(dir)) {
        if (name.includes(id)) return `${dir}/${name}`;
        next.push(`${dir}/${name}`);
      }
    }
    level = next;
  }
  return undefined;
}

function statValue(text: string | undefined, name: string): number | undefined {
  const found = new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '');
  return found === null ? undefined : Number(found[1]);
}

function sum(parts: Readonly<Record<string, { cpuMilli: number; memoryBytes: number }>>): PodUsage {
  const all = Object.values(parts);
  const total = {
    cpuMilli: all.reduce((n, p) => n + p.cpuMilli, 0),
    memoryBytes: all.reduce((n, p) => n + p.memoryBytes, 0),
  };
  return all.length > 1 ? { ...total, containers: parts } : total;
}
