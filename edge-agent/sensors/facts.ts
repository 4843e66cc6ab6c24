import { networkInterfaces } from 'node:os';
import type { Condition } from '../../protocol/kinds/meta.ts';
import type { NodeFacts } from '../../protocol/wire/messages.ts';
import type { HealthInput, PressureInput } from '../decide/pressure.ts';
import type { Board, Profile } from '../decide/profile.ts';
import type { Inventory } from './inventory.ts';
import type { MachineFiles } from './machine-files.ts';
import { readMemory } from './node-sampler.ts';
import { kubernetesArch } from './platform.ts';

/** What the agent knows besides the machine's files. */
export interface FactsInput {
  readonly nodeName: string;
  readonly profile: Profile;
  readonly agentVersion: string;
  readonly cpuCount: number;
  /** Node's names of platform and architecture: `linux`, `arm64`, `x64`. */
  readonly platform: string;
  readonly arch: string;
  readonly kernelVersion: string;
  /** Empty while the engine has not answered yet. */
  readonly engineVersion: string;
  readonly diskPath: string;
  readonly addresses: NodeFacts['addresses'];
  readonly conditions: readonly Condition[];
  readonly inventory: Inventory | undefined;
  /** Counts of device resources by name. */
  readonly devices: Readonly<Record<string, number>>;
  /** Images on the node; absent while they are not known. */
  readonly images?: NodeFacts['images'];
}

/** The board as profiles see it. The device tree names a Pi; other machines have no model before the inventory. */
export function readBoard(files: MachineFiles, arch: string): Board {
  return { model: files.text('proc/device-tree/model') ?? '', arch };
}

/** Facts of the device as hello and facts reports carry them; equal for an unchanged machine. */
export function collectFacts(files: MachineFiles, input: FactsInput): NodeFacts {
  const { profile } = input;
  const arch = kubernetesArch(input.arch);
  const model = readBoard(files, input.arch).model || (input.inventory?.model ?? '');
  return {
    cpuMilli: input.cpuCount * 1000,
    memoryBytes: readMemory(files).totalBytes,
    diskBytes: files.fileSystem(input.diskPath)?.totalBytes ?? 0,
    maxPods: profile.maxPods,
    reservedCpuMilli: profile.reservedCpuMilli,
    reservedMemoryBytes: profile.reservedMemoryBytes,
    profile: profile.name,
    heartbeatMs: profile.heartbeatMs,
    leaseMs: profile.leaseMs,
    labels: {
      ...profile.labels,
      'kubernetes.io/arch': arch,
      'kubernetes.io/os': input.platform,
      'kubernetes.io/hostname': input.nodeName,
      'coxswain.dev/profile': profile.name,
      ...(labelValue(model) === '' ? {} : { 'coxswain.dev/model': labelValue(model) }),
    },
    addresses: input.addresses,
    system: {
      machineID: files.text('etc/machine-id') ?? '',
      systemUUID: readSystemUuid(files, input.inventory),
      bootID: files.text('proc/sys/kernel/random/boot_id') ?? '',
      kernelVersion: input.kernelVersion,
      osImage: readOsImage(files),
      containerRuntimeVersion: input.engineVersion === '' ? '' : `docker://${input.engineVersion}`,
      kubeletVersion: `v${input.agentVersion}`,
      kubeProxyVersion: '',
      operatingSystem: input.platform,
      architecture: arch,
    },
    conditions: input.conditions,
    ...(Object.keys(input.devices).length === 0 ? {} : { devices: input.devices }),
    ...(input.images === undefined ? {} : { images: input.images }),
  };
}

/** The figures behind the pressure conditions, from the machine's files. */
export function readPressure(
  files: MachineFiles,
  diskPath: string,
  temperatureCelsius: number | undefined,
): PressureInput {
  const memory = readMemory(files);
  const stall = readMemoryStall(files);
  const disk = files.fileSystem(diskPath);
  const pids = readPids(files);
  return {
    memoryAvailableRatio: memory.totalBytes === 0 ? 1 : 1 - memory.usedBytes / memory.totalBytes,
    memoryTotalBytes: memory.totalBytes,
    ...(stall === undefined ? {} : { memoryStallRatio: stall }),
    diskUsedRatio: disk?.usedRatio ?? 0,
    diskTotalBytes: disk?.totalBytes ?? 0,
    pidUsedRatio: pids.usedRatio,
    pidLimit: pids.limit,
    ...(temperatureCelsius === undefined ? {} : { temperatureCelsius }),
  };
}

/** What the other conditions are judged by. */
export function readHealth(files: MachineFiles, isEngineReady: boolean): HealthInput {
  return {
    isEngineReady,
    hasMemoryCgroup: hasMemoryCgroup(files),
    memoryCgroupAdvice: memoryCgroupAdvice(files),
  };
}

/** Addresses of the device: the one it reaches the hub from first, then every other outward one; its name last. */
export function readAddresses(nodeName: string, towardsHub: string | undefined): NodeFacts['addresses'] {
  const outward = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(lo|docker|br-|veth|virbr|cni|cox)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter((a) => !a.internal && !a.address.startsWith('fe80:'))
    .map((a) => a.address);
  const hub = towardsHub === undefined || towardsHub.startsWith('127.') ? [] : [towardsHub];
  const addresses = [...new Set([...hub, ...outward])];
  return [
    ...addresses.slice(0, 4).map((address) => ({ type: 'InternalIP', address })),
    { type: 'Hostname', address: nodeName },
  ];
}

/** True when the kernel counts and limits memory per container. Off by default on Raspberry Pi OS. */
export function hasMemoryCgroup(files: MachineFiles): boolean {
  const controllers = files.text('sys/fs/cgroup/cgroup.controllers');
  if (controllers !== undefined) return controllers.split(' ').includes('memory');
  const line = /^memory\s+\d+\s+\d+\s+(\d)/m.exec(files.text('proc/cgroups') ?? '');
  return line?.[1] === '1';
}

function memoryCgroupAdvice(files: MachineFiles): string {
  const words = 'cgroup_enable=memory cgroup_memory=1';
  const unenforced = 'until then memory limits of containers are not enforced';
  const line = ['boot/firmware/cmdline.txt', 'boot/cmdline.txt'].find((f) => files.text(f) !== undefined);
  if (line !== undefined) return `add "${words}" to the one line of /${line} and reboot; ${unenforced}`;
  return `add "${words}" to the kernel's command line (on most systems GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub) and reboot; ${unenforced}`;
}

/**
 * PSI, where the kernel has it: the share of time in which all tasks waited for memory. The lower of the last minute and the last ten
 * seconds: a moment is no shortage, and one that is over must not cost another pod.
 */
function readMemoryStall(files: MachineFiles): number | undefined {
  const found = /^full avg10=([\d.]+) avg60=([\d.]+)/m.exec(files.text('proc/pressure/memory') ?? '');
  return found === null ? undefined : Math.min(Number(found[1]), Number(found[2])) / 100;
}

/** Threads that exist, of those the kernel allows. */
function readPids(files: MachineFiles): { usedRatio: number; limit: number } {
  const threads = Number(/\/(\d+)/.exec(files.text('proc/loadavg') ?? '')?.[1] ?? 0);
  const limit = Math.min(
    files.number('proc/sys/kernel/pid_max') ?? Number.POSITIVE_INFINITY,
    files.number('proc/sys/kernel/threads-max') ?? Number.POSITIVE_INFINITY,
  );
  if (!Number.isFinite(limit) || limit <= 0) return { usedRatio: 0, limit: 0 };
  return { usedRatio: Math.min(1, threads / limit), limit };
}

function readOsImage(files: MachineFiles): string {
  const release = files.text('etc/os-release') ?? '';
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? '';
}

function readSystemUuid(files: MachineFiles, inventory: Inventory | undefined): string {
  return (
    files.text('sys/class/dmi/id/product_uuid') ??
    files.text('proc/device-tree/serial-number') ??
    inventory?.serial ??
    ''
  );
}

/** A text as a Kubernetes label value: what is not allowed becomes a dash, 63 characters at most. */
function labelValue(text: string): string {
  return text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replace(/^[._-]+|[._-]+$/g, '');
}
