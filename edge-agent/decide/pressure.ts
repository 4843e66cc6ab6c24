import type { Condition } from '../../protocol/kinds/meta.ts';

/** What a device can be short of, and too hot. */
export type PressureSignal = 'memory' | 'disk' | 'pids' | 'temperature';

/** The figures of one look at the machine. Ratios are 0..1; absent values mean the machine cannot tell. */
export interface PressureInput {
  readonly memoryAvailableRatio: number;
  readonly memoryTotalBytes: number;
  /** Share of the last minute, and of the last ten seconds, in which every task waited for memory (PSI). */
  readonly memoryStallRatio?: number;
  readonly diskUsedRatio: number;
  readonly diskTotalBytes: number;
  readonly pidUsedRatio: number;
  /** Processes and threads the kernel allows; 0 when it does not tell. */
  readonly pidLimit: number;
  readonly temperatureCelsius?: number;
}

/** What the other conditions of the device are judged by. */
export interface HealthInput {
  readonly isEngineReady: boolean;
  readonly hasMemoryCgroup: boolean;
  /** What to do when the memory cgroup is off; constant text. */
  readonly memoryCgroupAdvice: string;
}

/** When a device calls itself short of something. */
export interface PressureLimits {
  readonly memoryPressureAvailableRatio: number;
  readonly diskPressureUsedRatio: number;
  readonly pidPressureUsedRatio: number;
  readonly temperaturePressureCelsius: number;
  readonly pressureTransitionMs: number;
}

/** One pressure: whether the node shows it, and since when the figure has been past its threshold without a break. */
export interface SignalState {
  readonly held: boolean;
  readonly metSinceMs?: number;
  /** Last time the figure was past the threshold. */
  readonly lastMetMs?: number;
}

/** All pressures of the device. */
export type PressureState = Readonly<Record<PressureSignal, SignalState>>;

export const NO_PRESSURE: PressureState = {
  memory: { held: false },
  disk: { held: false },
  pids: { held: false },
  temperature: { held: false },
};

/** A pressure that holds is met until the figure is this much better than where it began. */
const EASE = 1.2;
const STALL_RATIO = 0.1;
const COOL_CELSIUS = 5;

/**
 * Judges the figures. A pressure begins when its threshold is passed and ends when the figure has been clearly better for
 * `pressureTransitionMs`: both keep it from flapping. `nowMs` is monotonic. Pure; never throws.
 */
export function judgePressure(
  before: PressureState,
  input: PressureInput,
  limits: PressureLimits,
  nowMs: number,
): PressureState {
  const next = (signal: PressureSignal): SignalState => {
    const was = before[signal];
    if (isMet(signal, was.held, input, limits))
      return { held: true, metSinceMs: was.metSinceMs ?? nowMs, lastMetMs: nowMs };
    const { lastMetMs } = was;
    const held = was.held && lastMetMs !== undefined && nowMs - lastMetMs < limits.pressureTransitionMs;
    return { held, ...(lastMetMs === undefined ? {} : { lastMetMs }) };
  };
  return { memory: next('memory'), disk: next('disk'), pids: next('pids'), temperature: next('temperature') };
}

function isMet(
  signal: PressureSignal,
  eased: boolean,
  input: PressureInput,
  limits: PressureLimits,
): boolean {
  const isBelow = (value: number, limit: number): boolean => value < (eased ? limit * EASE : limit);
  switch (signal) {
    case 'memory':
      return (
        isBelow(input.memoryAvailableRatio, limits.memoryPressureAvailableRatio) ||
        (input.memoryStallRatio ?? 0) > (eased ? STALL_RATIO / EASE : STALL_RATIO)
      );
    case 'disk':
      return isBelow(1 - input.diskUsedRatio, 1 - limits.diskPressureUsedRatio);
    case 'pids':
      return isBelow(1 - input.pidUsedRatio, 1 - limits.pidPressureUsedRatio);
    case 'temperature': {
      const limit = limits.temperaturePressureCelsius - (eased ? COOL_CELSIUS : 0);
      return input.temperatureCelsius !== undefined && input.temperatureCelsius >= limit;
    }
    default:
      return signal satisfies never;
  }
}

type Verdict = readonly [type: string, isTrue: boolean, reason: string, message: string];

const verdict = (
  type: string,
  isTrue: boolean,
  whenTrue: readonly [string, string],
  whenFalse: readonly [string, string],
): Verdict => [type, isTrue, ...(isTrue ? whenTrue : whenFalse)];

/**
 * The conditions that only the device can judge. `before` are the last ones: they give the times of transition. Texts hold no
 * figures, so that an unchanged condition is equal to the one before. Pure; never throws.
 */
export function judgeConditions(
  pressure: PressureState,
  health: HealthInput,
  before: readonly Condition[],
  nowTime: string,
): Condition[] {
  return [...pressureVerdicts(pressure), ...healthVerdicts(health)].map(([type, isTrue, reason, message]) => {
    const status = isTrue ? 'True' : 'False';
    const last = before.find((c) => c.type === type);
    const since = last?.status === status ? last.lastTransitionTime : undefined;
    return { type, status, reason, message, lastTransitionTime: since ?? nowTime };
  });
}

type Words = readonly [reason: string, message: string];

/** Condition of a pressure, and the kubelet's words for having it and not. */
const WORDS: Readonly<Record<PressureSignal, readonly [type: string, has: Words, hasNot: Words]>> = {
  memory: [
    'MemoryPressure',
    ['NodeHasInsufficientMemory', 'the device has little memory left'],
    ['NodeHasSufficientMemory', 'the device has sufficient memory available'],
  ],
  disk: [
    'DiskPressure',
    ['NodeHasDiskPressure', 'the file system of images and pods is nearly full'],
    ['NodeHasNoDiskPressure', 'the device has no disk pressure'],
  ],
  pids: [
    'PIDPressure',
    ['NodeHasInsufficientPID', 'the device has few process ids left'],
    ['NodeHasSufficientPID', 'the device has sufficient process ids available'],
  ],
  temperature: [
    'TemperaturePressure',
    ['NodeIsHot', 'the processor is too hot for more work'],
    ['NodeIsCool', 'the processor is cool enough'],
  ],
};
const SIGNALS: readonly PressureSignal[] = ['memory', 'disk', 'pids', 'temperature'];

function pressureVerdicts(pressure: PressureState): Verdict[] {
  return SIGNALS.map((signal) => {
    const [type, has, hasNot] = WORDS[signal];
    return verdict(type, pressure[signal].held, has, hasNot);
  });
}

/** Reasons of the events for what began and ended between two states, as the kubelet records them. */
export function pressureNews(before: PressureState, after: PressureState): string[] {
  return SIGNALS.filter((signal) => before[signal].held !== after[signal].held).map((signal) => {
    const [, has, hasNot] = WORDS[signal];
    return after[signal].held ? has[0] : hasNot[0];
  });
}

function healthVerdicts(health: HealthInput): Verdict[] {
  return [
    verdict(
      'EngineReady',
      health.isEngineReady,
      ['EngineAnswers', 'the container engine answers'],
      ['EngineUnreachable', 'the container engine does not answer'],
    ),
    verdict(
      'MemoryCgroup',
      health.hasMemoryCgroup,
      ['Enabled', 'memory limits of containers are enforced'],
      ['Disabled', health.memoryCgroupAdvice],
    ),
  ];
}
