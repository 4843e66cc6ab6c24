/**
 * Telemetry rides on the heartbeat as a JSON array with fixed positions, because its bytes are paid for on metered links:
 *
 * `[1, windowMs, cpu‰, memUsedKiB, memTotalKiB, disk‰, temp10, throttled, rxBps, txBps, pods]`
 *
 * cpu‰ and disk‰ are thousandths; temp10 tenths of a degree; throttled 0 or 1; null where the board cannot tell. `pods` maps the
 * first 8 characters of a pod's uid to `[cpuMilli, memKiB]` or `[cpuMilli, memKiB, {container: [cpuMilli, memKiB]}]`.
 * Later versions may append positions.
 */
import type { PodUsage, Telemetry } from './messages.ts';
import type { Decoded } from './shape.ts';

const VERSION = 1;
const MAX_PODS = 1000;
const KIB = 1024;

type UsageArray = [number, number, Record<string, [number, number]>?];

/** Bytes of a heartbeat that carries this sample. */
export function encodeTelemetry(sample: Telemetry): Uint8Array {
  const array: unknown[] = [
    VERSION,
    Math.round(sample.windowMs),
    Math.round(sample.cpuRatio * 1000),
    Math.round(sample.memoryUsedBytes / KIB),
    Math.round(sample.memoryTotalBytes / KIB),
    Math.round(sample.diskRatio * 1000),
    sample.temperatureCelsius === undefined ? null : Math.round(sample.temperatureCelsius * 10),
    sample.throttled === undefined ? null : Number(sample.throttled),
    sample.rxBytesPerSecond === undefined ? null : Math.round(sample.rxBytesPerSecond),
    sample.txBytesPerSecond === undefined ? null : Math.round(sample.txBytesPerSecond),
  ];
  const pods = Object.entries(sample.pods ?? {});
  if (pods.length > 0)
    array.push(Object.fromEntries(pods.map(([uid, use]) => [uid.slice(0, 8), packUsage(use)])));
  return new TextEncoder().encode(JSON.stringify(array));
}

function packUsage(use: PodUsage): UsageArray {
  const pair = (u: { cpuMilli: number; memoryBytes: number }): [number, number] => [
    Math.round(u.cpuMilli),
    Math.round(u.memoryBytes / KIB),
  ];
  if (use.containers === undefined) return pair(use);
  return [
    ...pair(use),
    Object.fromEntries(Object.entries(use.containers).map(([name, u]) => [name, pair(u)])),
  ];
}

/** Reads a heartbeat's payload; `value` is undefined for the empty one. Never throws; refuses numbers that make no sense. */
export function decodeTelemetry(bytes: Uint8Array): Decoded<Telemetry | undefined> {
  if (bytes.length === 0) return { ok: true, value: undefined };
  let raw: unknown;
  try {
    raw = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's own message quotes foreign bytes; the reason alone is safe to log.
    return { ok: false, why: 'not JSON in UTF-8' };
  }
  if (!Array.isArray(raw) || raw[0] !== VERSION)
    return { ok: false, why: 'not a telemetry array of version 1' };
  const [, windowMs, cpu, memUsed, memTotal, disk, temp, throttled, rx, tx, pods] = raw as unknown[];
  const required = [windowMs, cpu, memUsed, memTotal, disk];
  if (!required.every((n) => isAmount(n)))
    return { ok: false, why: 'a required number is missing or negative' };
  if (Number(cpu) > 1000 || Number(disk) > 1000 || Number(memUsed) > Number(memTotal)) {
    return { ok: false, why: 'a share is above its whole' };
  }
  const usage = unpackPods(pods);
  if (usage === undefined) return { ok: false, why: 'pods: malformed' };
  return {
    ok: true,
    value: {
      windowMs: Number(windowMs),
      cpuRatio: Number(cpu) / 1000,
      memoryUsedBytes: Number(memUsed) * KIB,
      memoryTotalBytes: Number(memTotal) * KIB,
      diskRatio: Number(disk) / 1000,
      ...(typeof temp === 'number' && Number.isFinite(temp) ? { temperatureCelsius: temp / 10 } : {}),
      ...(throttled === 0 || throttled === 1 ? { throttled: throttled === 1 } : {}),
      ...(isAmount(rx) ? { rxBytesPerSecond: rx } : {}),
      ...(isAmount(tx) ? { txBytesPerSecond: tx } : {}),
      ...(Object.keys(usage).length > 0 ? { pods: usage } : {}),
    },
  };
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function unpackPods(raw: unknown): Record<string, PodUsage> | undefined {
  if (raw === undefined || raw === null) return {};
  if (typeof raw !== 'object' || Array.isArray(raw)) return undefined;
  const entries = Object.entries(raw);
  if (entries.length > MAX_PODS) return undefined;
  const pods: [string, PodUsage][] = [];
  for (const [uid, packed] of entries) {
    const use = unpackUsage(packed);
    if (use === undefined) return undefined;
    pods.push([uid, use]);
  }
  return Object.fromEntries(pods);
}

function unpackUsage(packed: unknown): PodUsage | undefined {
  if (!Array.isArray(packed) || !isAmount(packed[0]) || !isAmount(packed[1])) return undefined;
  const own = { cpuMilli: packed[0], memoryBytes: packed[1] * KIB };
  const inner: unknown = packed[2];
  if (inner === undefined || inner === null) return own;
  if (typeof inner !== 'object' || Array.isArray(inner)) return undefined;
  const containers: [string, { cpuMilli: number; memoryBytes: number }][] = [];
  for (const [name, pair] of Object.entries(inner)) {
    if (!Array.isArray(pair) || !isAmount(pair[0]) || !isAmount(pair[1])) return undefined;
    containers.push([name, { cpuMilli: pair[0], memoryBytes: pair[1] * KIB }]);
  }
  return { ...own, containers: Object.fromEntries(containers) };
}
