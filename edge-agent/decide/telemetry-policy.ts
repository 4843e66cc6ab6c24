import type { PodUsage, Telemetry } from '../../protocol/wire/messages.ts';

/**
 * What counts as news in telemetry. Bytes are paid for on metered links: a sample costs about 70 bytes on a heartbeat
 * that goes out anyway, so an idle device spends its budget on beats, not on noise.
 */
export interface TelemetryPolicy {
  /** Without news a sample goes out this often, so that the hub can tell old figures from steady ones, in ms. */
  readonly keepAliveMs: number;
  /** Least time between two samples, in ms; saw-tooth load may not eat the budget. */
  readonly minIntervalMs: number;
  /** Time constant of the smoothing of CPU and network rates, in ms. */
  readonly smoothingMs: number;
  readonly cpuRatioStep: number;
  readonly memoryRatioStep: number;
  readonly diskRatioStep: number;
  readonly temperatureStepCelsius: number;
  /** Relative change of a pod's CPU or memory, and of network rates. */
  readonly usageRatioStep: number;
  /** Changes of a pod's CPU below this are no news, in thousandths of a core. */
  readonly usageFloorMilli: number;
  /** Changes of a pod's memory below this are no news, in bytes. */
  readonly usageFloorBytes: number;
  /** The same three for samples that go out anyway to keep alive: finer, because a pod more costs 20 bytes then. */
  readonly keepAliveUsage: PodUsageSteps;
  /** Changes of a network rate below this are no news, in bytes a second. */
  readonly networkFloorBytesPerSecond: number;
}

/** By how much a pod's use must change to be told. */
export type PodUsageSteps = Pick<TelemetryPolicy, 'usageRatioStep' | 'usageFloorMilli' | 'usageFloorBytes'>;

/** Steps shared by all profiles; the profile brings the cadence. */
export const TELEMETRY_STEPS = {
  smoothingMs: 10_000,
  cpuRatioStep: 0.1,
  memoryRatioStep: 0.05,
  diskRatioStep: 0.02,
  temperatureStepCelsius: 3,
  usageRatioStep: 0.25,
  usageFloorMilli: 20,
  usageFloorBytes: 4 * 1024 * 1024,
  keepAliveUsage: { usageRatioStep: 0.05, usageFloorMilli: 5, usageFloorBytes: 1024 * 1024 },
  networkFloorBytesPerSecond: 50_000,
} as const;

/** What the decision remembers between samples. */
export interface TelemetryMemory {
  readonly smoothed?: Telemetry;
  /** What the hub was last told, pods included, and when on the monotonic clock. */
  readonly told?: { readonly sample: Telemetry; readonly sinceMs: number };
  /** Keep-alives since all pods were told. */
  readonly brief?: number;
}

/** Every so many keep-alives carry all pods again: their use is kept by the hub, and thirty of them cost 600 bytes. */
const FULL_EVERY = 10;

/** The next memory and, when there is something to tell, the sample for the heartbeat. */
export interface TelemetryVerdict {
  readonly memory: TelemetryMemory;
  readonly send?: Telemetry;
}

/**
 * Smooths a fresh sample and decides whether the hub should hear of it. Pods that did not change are left out of what is
 * sent, but for every tenth keep-alive; a vanished pod is told once with zero use. Pure; never throws. `nowMs` is monotonic.
 */
export function decideTelemetry(
  memory: TelemetryMemory,
  fresh: Telemetry,
  nowMs: number,
  policy: TelemetryPolicy,
): TelemetryVerdict {
  const smoothed = smooth(memory.smoothed, fresh, policy);
  const { told } = memory;
  if (told === undefined) return tell(smoothed, smoothed.pods ?? {}, nowMs);
  const brief = memory.brief ?? 0;
  const ageMs = nowMs - told.sinceMs;
  if (ageMs < policy.minIntervalMs) return { memory: { smoothed, told, brief } };
  const isKeepAlive = ageMs >= policy.keepAliveMs;
  if (isKeepAlive && brief + 1 >= FULL_EVERY) return tell(smoothed, allPods(told.sample, smoothed), nowMs);
  const pods = changedPods(told.sample, smoothed, isKeepAlive ? policy.keepAliveUsage : policy);
  const hasNews = Object.keys(pods).length > 0 || isNews(told.sample, smoothed, policy);
  if (!hasNews && !isKeepAlive) return { memory: { smoothed, told, brief } };
  const known = Object.fromEntries(
    Object.entries({ ...told.sample.pods, ...pods }).filter(([uid]) => smoothed.pods?.[uid] !== undefined),
  );
  return {
    memory: {
      smoothed,
      told: { sample: { ...smoothed, pods: known }, sinceMs: nowMs },
      brief: brief + (isKeepAlive ? 1 : 0),
    },
    send: withPods(smoothed, pods),
  };
}

function tell(
  smoothed: Telemetry,
  pods: Readonly<Record<string, PodUsage>>,
  nowMs: number,
): TelemetryVerdict {
  return { memory: { smoothed, told: { sample: smoothed, sinceMs: nowMs } }, send: withPods(smoothed, pods) };
}

function withPods(sample: Telemetry, pods: Readonly<Record<string, PodUsage>>): Telemetry {
  const { pods: _all, ...rest } = sample;
  return Object.keys(pods).length === 0 ? rest : { ...rest, pods };
}

const NO_USE: PodUsage = { cpuMilli: 0, memoryBytes: 0 };

/** Every pod's use, and zero for those the hub still believes in. */
function allPods(told: Telemetry, now: Telemetry): Record<string, PodUsage> {
  const gone = Object.keys(told.pods ?? {}).map((uid): [string, PodUsage] => [uid, NO_USE]);
  return { ...Object.fromEntries(gone), ...now.pods };
}

function changedPods(told: Telemetry, now: Telemetry, steps: PodUsageSteps): Record<string, PodUsage> {
  const changed: [string, PodUsage][] = [];
  for (const [uid, use] of Object.entries(allPods(told, now))) {
    const before = told.pods?.[uid];
    const hasGone = now.pods?.[uid] === undefined;
    if (before === undefined || hasGone || usageMoved(before, use, steps)) changed.push([uid, use]);
  }
  return Object.fromEntries(changed);
}

function usageMoved(before: PodUsage, now: PodUsage, steps: PodUsageSteps): boolean {
  return (
    moved(before.cpuMilli, now.cpuMilli, steps.usageRatioStep, steps.usageFloorMilli) ||
    moved(before.memoryBytes, now.memoryBytes, steps.usageRatioStep, steps.usageFloorBytes)
  );
}

function isNews(told: Telemetry, now: Telemetry, policy: TelemetryPolicy): boolean {
  const memoryStepBytes = policy.memoryRatioStep * now.memoryTotalBytes;
  const net = (a: number | undefined, b: number | undefined): boolean =>
    moved(a ?? 0, b ?? 0, policy.usageRatioStep, policy.networkFloorBytesPerSecond);
  return (
    Math.abs(told.cpuRatio - now.cpuRatio) >= policy.cpuRatioStep ||
    Math.abs(told.memoryUsedBytes - now.memoryUsedBytes) >= memoryStepBytes ||
    Math.abs(told.diskRatio - now.diskRatio) >= policy.diskRatioStep ||
    Math.abs((told.temperatureCelsius ?? 0) - (now.temperatureCelsius ?? 0)) >=
      policy.temperatureStepCelsius ||
    told.throttled !== now.throttled ||
    net(told.rxBytesPerSecond, now.rxBytesPerSecond) ||
    net(told.txBytesPerSecond, now.txBytesPerSecond)
  );
}

/** True when a value changed by the ratio and by at least `floor`. */
function moved(before: number, now: number, ratio: number, floor: number): boolean {
  const by = Math.abs(now - before);
  return by >= floor && by >= ratio * Math.max(before, now);
}

/** Exponentially weighted rates; sizes, temperature and flags as they are. A sample without a past is taken as it is. */
function smooth(past: Telemetry | undefined, fresh: Telemetry, policy: TelemetryPolicy): Telemetry {
  if (past === undefined) return fresh;
  const weight = 1 - Math.exp(-fresh.windowMs / policy.smoothingMs);
  const mix = (a: number, b: number): number => a + weight * (b - a);
  const rate = (a: number | undefined, b: number | undefined): number | undefined =>
    b === undefined ? undefined : mix(a ?? b, b);
  const rx = rate(past.rxBytesPerSecond, fresh.rxBytesPerSecond);
  const tx = rate(past.txBytesPerSecond, fresh.txBytesPerSecond);
  const pods = Object.entries(fresh.pods ?? {}).map(([uid, use]): [string, PodUsage] => {
    const before = past.pods?.[uid];
    return [uid, before === undefined ? use : { ...use, cpuMilli: mix(before.cpuMilli, use.cpuMilli) }];
  });
  return {
    ...fresh,
    cpuRatio: mix(past.cpuRatio, fresh.cpuRatio),
    ...(rx === undefined ? {} : { rxBytesPerSecond: rx }),
    ...(tx === undefined ? {} : { txBytesPerSecond: tx }),
    ...(fresh.pods === undefined ? {} : { pods: Object.fromEntries(pods) }),
  };
}
