import { parseQuantity } from '../../protocol/quantity.ts';

/** What a device of a kind is like: what is kept back, how often it speaks, when it calls itself short of something. */
export interface Profile {
  /** Name for people and for the label `coxswain.dev/profile`; variants are joined with dots. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly reservedCpuMilli: number;
  readonly reservedMemoryBytes: number;
  readonly maxPods: number;
  readonly heartbeatMs: number;
  /** Silence after which the hub takes the device for lost. */
  readonly leaseMs: number;
  readonly sampleMs: number;
  readonly telemetryKeepAliveMs: number;
  readonly telemetryMinIntervalMs: number;
  /** Silence of the hub after which the device asks whether the link still lives. */
  readonly probeMs: number;
  readonly reconnectMaxMs: number;
  readonly memoryPressureAvailableRatio: number;
  readonly diskPressureUsedRatio: number;
  readonly pidPressureUsedRatio: number;
}

/** A profile file: a whole profile that matches boards, or a variant that lies on top of one. */
export interface ProfileFile {
  readonly name: string;
  readonly isVariant: boolean;
  /** Parts of the board's model string; any match counts. */
  readonly models: readonly string[];
  /** Node's name of the architecture, `arm64` or `x64`; the fallback when no model matches. */
  readonly arch?: string;
  readonly values: Partial<Omit<Profile, 'name'>>;
}

/** A profile file or a choice of profiles that cannot be followed; the message names the file and the key. */
export class ProfileError extends Error {
  readonly reason: 'BadProfile' | 'UnknownProfile';
  constructor(reason: ProfileError['reason'], message: string) {
    super(message);
    this.name = 'ProfileError';
    this.reason = reason;
  }
}

type Reader = (raw: unknown) => number | undefined;
type NumberKey = Exclude<keyof Profile, 'name' | 'labels'>;

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

/** Keys of a file: the field they fill and how they are read. Quantities as in Kubernetes, all else numbers. */
const KEYS: Readonly<Record<string, readonly [NumberKey, Reader, string]>> = {
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
};

/** Reads the content of a profile file. Throws ProfileError on an unknown key, a bad value or an incomplete profile. */
export function readProfile(name: string, raw: unknown): ProfileFile {
  const fail = (what: string): never => {
    throw new ProfileError('BadProfile', `profile ${name}: ${what}`);
  };
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return fail('must be a mapping');
  const { variant, models, arch, labels, ...rest } = raw as Record<string, unknown>;
  if (variant !== undefined && typeof variant !== 'boolean') fail('variant must be true or false');
  if (models !== undefined && !isTexts(models)) fail('models must be a list of texts');
  if (arch !== undefined && typeof arch !== 'string') fail('arch must be a text');
  if (labels !== undefined && !isTextMap(labels)) fail('labels must map texts to texts');
  const numbers: Partial<Record<NumberKey, number>> = {};
  for (const [key, value] of Object.entries(rest)) {
    const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (known === undefined) return fail(`unknown key "${key}"`);
    const [field, read, expected] = known;
    const number = read(value);
    if (number === undefined) return fail(`${key} must be ${expected}`);
    numbers[field] = number;
  }
  const isVariant = variant === true;
  const missing = Object.entries(KEYS).find(([, [field]]) => numbers[field] === undefined);
  if (!isVariant && missing !== undefined) fail(`${missing[0]} is missing`);
  return {
    name,
    isVariant,
    models: isTexts(models) ? models : [],
    ...(typeof arch === 'string' ? { arch } : {}),
    values: { ...numbers, ...(isTextMap(labels) ? { labels } : {}) },
  };
}

/** What is known of the board before any profile: `model` is empty off boards with a device tree. */
export interface Board {
  readonly model: string;
  readonly arch: string;
}

/**
 * Chooses the profile of a board. `chosen` names profiles: one whole one replaces the match, variants lie on top in
 * their order. Throws ProfileError when a name is unknown, two are whole, or nothing fits.
 */
export function chooseProfile(
  files: readonly ProfileFile[],
  board: Board,
  chosen: readonly string[],
): Profile {
  const named = chosen.map((name) => {
    const found = files.find((f) => f.name === name);
    if (found !== undefined) return found;
    const names = files.map((f) => f.name).join(', ');
    throw new ProfileError('UnknownProfile', `profile "${name}" is not one of ${names}`);
  });
  const whole = named.filter((f) => !f.isVariant);
  if (whole.length > 1) throw new ProfileError('UnknownProfile', `only one of ${names(whole)} can be chosen`);
  const base =
    whole[0] ??
    files.find((f) => f.models.some((m) => board.model.includes(m))) ??
    files.find((f) => !f.isVariant && f.arch === board.arch);
  if (base === undefined) {
    throw new ProfileError(
      'UnknownProfile',
      `no profile fits a ${board.arch} board; choose one with --profile`,
    );
  }
  const parts = [base, ...named.filter((f) => f.isVariant)];
  const values = Object.assign({}, ...parts.map((f) => f.values)) as Omit<Profile, 'name'>;
  const labels = Object.assign({}, ...parts.map((f) => f.values.labels ?? {})) as Record<string, string>;
  return checkLease({ ...values, labels, name: parts.map((f) => f.name).join('.') });
}

/** The profile with the hub's overrides for this node; what it does not know or cannot use is ignored. Pure; never throws. */
export function withSettings(
  profile: Profile,
  settings: Readonly<Record<string, number>> | undefined,
): Profile {
  const usable = Object.entries(settings ?? {}).flatMap(([key, raw]) => {
    const known = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    const value = known?.[1](raw);
    return known === undefined || value === undefined ? [] : [[known[0], value] as const];
  });
  const next = { ...profile, ...Object.fromEntries(usable) };
  return next.leaseMs > next.heartbeatMs ? next : { ...next, leaseMs: next.heartbeatMs * 2 };
}

function checkLease(profile: Profile): Profile {
  if (profile.leaseMs > profile.heartbeatMs) return profile;
  throw new ProfileError('BadProfile', `profile ${profile.name}: leaseMs must be longer than heartbeatMs`);
}

function names(files: readonly ProfileFile[]): string {
  return files.map((f) => f.name).join(', ');
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((v) => typeof v === 'string');
}

function isTextMap(value: unknown): value is Record<string, string> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((v) => typeof v === 'string')
  );
}
