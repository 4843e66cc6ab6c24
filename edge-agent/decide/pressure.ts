import type { Condition } from '../../protocol/kinds/meta.ts';

/** What the pressure conditions are judged by. Ratios are 0..1; absent values mean the machine cannot tell. */
export interface PressureInput {
  readonly memoryAvailableRatio: number;
  /** Share of the last minute in which every task waited for memory (PSI `full avg60`). */
  readonly memoryStallRatio?: number;
  readonly diskUsedRatio: number;
  readonly pidUsedRatio: number;
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
}

/** A pressure ends only when the figure is this much better than where it began, so that it does not flap. */
const EASE = 1.2;
const STALL_RATIO = 0.1;

/**
 * The conditions that only the device can judge. `before` are the last ones: they give hysteresis and the times of transition.
 * Texts hold no figures, so that an unchanged condition is equal to the one before. Pure; never throws.
 */
export function judgeConditions(
  input: PressureInput,
  limits: PressureLimits,
  before: readonly Condition[],
  nowTime: string,
): Condition[] {
  const was = (type: string): boolean => before.some((c) => c.type === type && c.status === 'True');
  const isBelow = (type: string, value: number, limit: number): boolean =>
    value < (was(type) ? limit * EASE : limit);
  const memory =
    isBelow('MemoryPressure', input.memoryAvailableRatio, limits.memoryPressureAvailableRatio) ||
    (input.memoryStallRatio ?? 0) > (was('MemoryPressure') ? STALL_RATIO / EASE : STALL_RATIO);
  const disk = isBelow('DiskPressure', 1 - input.diskUsedRatio, 1 - limits.diskPressureUsedRatio);
  const pids = isBelow('PIDPressure', 1 - input.pidUsedRatio, 1 - limits.pidPressureUsedRatio);
  const verdicts: readonly [string, boolean, string, string][] = [
    memory
      ? ['MemoryPressure', true, 'NodeHasInsufficientMemory', 'the device has little memory left']
      : ['MemoryPressure', false, 'NodeHasSufficientMemory', 'the device has sufficient memory available'],
    disk
      ? ['DiskPressure', true, 'NodeHasDiskPressure', 'the file system of images and pods is nearly full']
      : ['DiskPressure', false, 'NodeHasNoDiskPressure', 'the device has no disk pressure'],
    pids
      ? ['PIDPressure', true, 'NodeHasInsufficientPID', 'the device has few process ids left']
      : ['PIDPressure', false, 'NodeHasSufficientPID', 'the device has sufficient process ids available'],
    input.isEngineReady
      ? ['EngineReady', true, 'EngineAnswers', 'the container engine answers']
      : ['EngineReady', false, 'EngineUnreachable', 'the container engine does not answer'],
    input.hasMemoryCgroup
      ? ['MemoryCgroup', true, 'Enabled', 'memory limits of containers are enforced']
      : ['MemoryCgroup', false, 'Disabled', input.memoryCgroupAdvice],
  ];
  return verdicts.map(([type, isTrue, reason, message]) => {
    const status = isTrue ? 'True' : 'False';
    const last = before.find((c) => c.type === type);
    const since = last?.status === status ? last.lastTransitionTime : undefined;
    return { type, status, reason, message, lastTransitionTime: since ?? nowTime };
  });
}
