import type { Telemetry } from '../../protocol/wire/messages.ts';
import type { MachineFiles } from './machine-files.ts';
import { Thermometer } from './thermometer.ts';

/** Use of memory in bytes; `used` is what is not available to new work. */
export interface MemoryUse {
  readonly totalBytes: number;
  readonly usedBytes: number;
}

interface Counters {
  readonly sinceMs: number;
  readonly busyTicks: number;
  readonly allTicks: number;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/** Interfaces that repeat the traffic of others, or never leave the machine. */
const INNER_INTERFACE = /^(lo|docker|br-|veth|virbr|cni|flannel|cox|vxlan|wg|tun|tap|dummy|ifb)/;
const THROTTLED_FILES = [
  'sys/devices/platform/soc/soc:firmware/get_throttled',
  'sys/class/misc/vcio/get_throttled',
];
/** Bits 0-3 of the firmware's answer: under-voltage, frequency capped, throttled, soft temperature limit, all "now". */
const THROTTLED_NOW = 0xf;

/**
 * Samples the whole machine: some five small reads a time, no child process, no lasting allocation. Rates cover the time
 * since the previous sample. What the board cannot tell stays absent.
 */
export class NodeSampler {
  readonly #files: MachineFiles;
  readonly #diskPath: string;
  readonly #thermometer: Thermometer;
  readonly #throttledFile: string | undefined;
  #last: Counters;

  /** `diskPath` lies on the file system that holds images and pods. `nowMs` is monotonic. */
  constructor(files: MachineFiles, diskPath: string, nowMs: number) {
    this.#files = files;
    this.#diskPath = diskPath;
    this.#thermometer = new Thermometer(files);
    this.#throttledFile = THROTTLED_FILES.find((path) => files.text(path) !== undefined);
    this.#last = this.#count(nowMs);
  }

  /** One sample without pods. `nowMs` is monotonic. */
  sample(nowMs: number): Telemetry {
    const now = this.#count(nowMs);
    const last = this.#last;
    this.#last = now;
    const windowMs = Math.max(1, now.sinceMs - last.sinceMs);
    const allTicks = now.allTicks - last.allTicks;
    const memory = readMemory(this.#files);
    const celsius = this.#thermometer.read();
    const throttled = this.#throttled();
    const perSecond = (bytes: number): number => Math.max(0, (bytes * 1000) / windowMs);
    return {
      windowMs,
      cpuRatio: allTicks <= 0 ? 0 : clampRatio((now.busyTicks - last.busyTicks) / allTicks),
      memoryUsedBytes: memory.usedBytes,
      memoryTotalBytes: memory.totalBytes,
      diskRatio: clampRatio(this.#files.fileSystem(this.#diskPath)?.usedRatio ?? 0),
      ...(celsius === undefined ? {} : { temperatureCelsius: celsius }),
      ...(throttled === undefined ? {} : { throttled }),
      rxBytesPerSecond: perSecond(now.rxBytes - last.rxBytes),
      txBytesPerSecond: perSecond(now.txBytes - last.txBytes),
    };
  }

  #count(nowMs: number): Counters {
    return { sinceMs: nowMs, ...readCpu(this.#files), ...readNetwork(this.#files) };
  }

  #throttled(): boolean | undefined {
    if (this.#throttledFile === undefined) return undefined;
    const bits = Number.parseInt(this.#files.text(this.#throttledFile) ?? '', 16);
    return Number.isNaN(bits) ? undefined : (bits & THROTTLED_NOW) !== 0;
  }
}

/** Memory from /proc/meminfo; kernels without MemAvailable are taken at free, buffers and cached. */
export function readMemory(files: MachineFiles): MemoryUse {
  const text = files.text('proc/meminfo') ?? '';
  const kib = (name: string): number | undefined => {
    const found = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text);
    return found === null ? undefined : Number(found[1]);
  };
  const total = kib('MemTotal') ?? 0;
  const available =
    kib('MemAvailable') ?? (kib('MemFree') ?? 0) + (kib('Buffers') ?? 0) + (kib('Cached') ?? 0);
  return { totalBytes: total * 1024, usedBytes: Math.max(0, total - available) * 1024 };
}

function readCpu(files: MachineFiles): { busyTicks: number; allTicks: number } {
  const line = /^cpu +(.*)$/m.exec(files.text('proc/stat') ?? '')?.[1] ?? '';
  // user nice system idle iowait irq softirq steal; guest time is inside user already.
  const ticks = line.split(' ').slice(0, 8).map(Number);
  const allTicks = ticks.reduce((n, t) => n + t, 0);
  return { busyTicks: allTicks - (ticks[3] ?? 0) - (ticks[4] ?? 0), allTicks };
}

function readNetwork(files: MachineFiles): { rxBytes: number; txBytes: number } {
  let rxBytes = 0;
  let txBytes = 0;
  for (const line of (files.text('proc/net/dev') ?? '').split('\n')) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).trim();
    if (at < 0 || INNER_INTERFACE.test(name)) continue;
    const counts = line
      .slice(at + 1)
      .trim()
      .split(/ +/);
    rxBytes += Number(counts[0] ?? 0);
    txBytes += Number(counts[8] ?? 0);
  }
  return { rxBytes, txBytes };
}

function clampRatio(value: number): number {
  return Math.min(1, Math.max(0, value));
}
