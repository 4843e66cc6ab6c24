import { parseQuantity } from '../../protocol/quantity.ts';
import type { Profile } from './profile.ts';

type Reader = (raw: unknown) => number | undefined;
/** Fields of a profile that are numbers. */
export type NumberKey = Exclude<keyof Profile, 'name' | 'labels' | 'devices'>;

const whole =
  (min: number, max: number): Reader =>
  (raw) =>
    typeof raw === 'number' && Number.isInteger(raw) && raw >= min && raw <= max ? raw : undefined;
const ratio: Reader = (raw) => (typeof raw === 'number' && raw > 0 && raw <= 1 ? raw : undefined);
const amount =
  (scale: number): Reader =>
  (raw) => {
    const value = typeof raw === 'string' || typeof raw === 'number' ? parseQuantity(raw) : undefined;
    return value === undefined || value < 0 ? undefined : Math.round(value * scale);
  };
const DAY_MS = 86_400_000;

/** Keys of a profile file: the field they fill, how they are read, and what to say when they cannot be. */
export const KEYS: Readonly<Record<string, readonly [NumberKey, Reader, string]>> = {
  reservedCpu: ['reservedCpuMilli', amount(1000), 'a CPU quantity such as 100m'],
  reservedMemory: ['reservedMemoryBytes', amount(1), 'a memory quantity such as 128Mi'],
  maxPods: ['maxPods', whole(1, 1000), 'a whole number from 1 to 1000'],
  heartbeatMs: ['heartbeatMs', whole(200, DAY_MS), 'milliseconds, at least 200'],
  leaseMs: ['leaseMs', whole(500, DAY_MS), 'milliseconds, at least 500'],
  sampleMs: ['sampleMs', whole(500, DAY_MS), 'milliseconds, at least 500'],
  telemetryKeepAliveMs: ['telemetryKeepAliveMs', whole(1000, DAY_MS), 'milliseconds, at least 1000'],
  telemetryMinIntervalMs: ['telemetryMinIntervalMs', whole(0, DAY_MS), 'milliseconds'],
  probeMs: ['probeMs', whole(1000, DAY_MS), 'milliseconds, at least 1000'],
  reconnectMaxMs: ['reconnectMaxMs', whole(500, DAY_MS), 'milliseconds, at least 500'],
  memoryPressureAvailableRatio: ['memoryPressureAvailableRatio', ratio, 'a share from 0 to 1'],
  diskPressureUsedRatio: ['diskPressureUsedRatio', ratio, 'a share from 0 to 1'],
  pidPressureUsedRatio: ['pidPressureUsedRatio', ratio, 'a share from 0 to 1'],
  temperaturePressureCelsius: ['temperaturePressureCelsius', whole(1, 150), 'degrees Celsius from 1 to 150'],
  pressureTransitionMs: ['pressureTransitionMs', whole(0, DAY_MS), 'milliseconds'],
  evictionHoldMs: ['evictionHoldMs', whole(0, DAY_MS), 'milliseconds'],
  evictionIntervalMs: ['evictionIntervalMs', whole(0, DAY_MS), 'milliseconds'],
  evictionGraceMs: ['evictionGraceMs', whole(0, DAY_MS), 'milliseconds'],
  imageGcHighRatio: ['imageGcHighRatio', ratio, 'a share from 0 to 1'],
  imageGcLowRatio: ['imageGcLowRatio', ratio, 'a share from 0 to 1'],
  imageGcMinAgeMs: ['imageGcMinAgeMs', whole(0, DAY_MS), 'milliseconds'],
  pidsLimit: ['pidsLimit', whole(0, 4_194_304), 'a whole number, 0 for no limit'],
  logMaxSize: ['logMaxBytes', amount(1), 'a quantity of bytes such as 10Mi'],
  logMaxFiles: ['logMaxFiles', whole(1, 100), 'a whole number from 1 to 100'],
};

/** Values of fields that a profile file may leave out; files of people were written before these fields were. */
export const DEFAULTS = {
  temperaturePressureCelsius: 80,
  pressureTransitionMs: 60_000,
  evictionHoldMs: 10_000,
  evictionIntervalMs: 30_000,
  evictionGraceMs: 10_000,
  imageGcHighRatio: 0.85,
  imageGcLowRatio: 0.8,
  imageGcMinAgeMs: 120_000,
  pidsLimit: 4096,
  logMaxBytes: 10 * 1024 * 1024,
  logMaxFiles: 2,
} as const satisfies Partial<Profile>;
