import { conflict, type DeviceConfig, mergeDevices, readDevices } from './device-config.ts';
import { DEFAULTS, KEYS, type NumberKey } from './profile-keys.ts';

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
  readonly temperaturePressureCelsius: number;
  /** A pressure lasts at least this long after it was last met, so that it does not flap. */
  readonly pressureTransitionMs: number;
  /** How long a pressure must be met before a pod is evicted for it. */
  readonly evictionHoldMs: number;
  /** Least time between two evictions: the first must show its effect. */
  readonly evictionIntervalMs: number;
  /** Longest grace of an evicted pod. */
  readonly evictionGraceMs: number;
  /** Share of the disk above which unused images go, until it is below the low one. */
  readonly imageGcHighRatio: number;
  readonly imageGcLowRatio: number;
  /** Images younger than this on the node stay. */
  readonly imageGcMinAgeMs: number;
  /** Processes and threads a container may have; 0 for any number. */
  readonly pidsLimit: number;
  readonly logMaxBytes: number;
  readonly logMaxFiles: number;
  readonly devices: readonly DeviceConfig[];
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

/** Reads the content of a profile file. Throws ProfileError on an unknown key, a bad value or an incomplete profile. */
export function readProfile(name: string, raw: unknown): ProfileFile {
  const fail = (what: string): never => {
    throw new ProfileError('BadProfile', `profile ${name}: ${what}`);
  };
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return fail('must be a mapping');
  const { variant, models, arch, labels, devices: rawDevices, ...rest } = raw as Record<string, unknown>;
  if (variant !== undefined && typeof variant !== 'boolean') fail('variant must be true or false');
  if (models !== undefined && !isTexts(models)) fail('models must be a list of texts');
  if (arch !== undefined && typeof arch !== 'string') fail('arch must be a text');
  if (labels !== undefined && !isTextMap(labels)) fail('labels must map texts to texts');
  const devices = rawDevices === undefined ? undefined : readDevices(rawDevices);
  if (devices?.ok === false) return fail(devices.why);
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
  const missing = Object.entries(KEYS).find(
    ([, [field]]) => numbers[field] === undefined && !(field in DEFAULTS),
  );
  if (!isVariant && missing !== undefined) fail(`${missing[0]} is missing`);
  return {
    name,
    isVariant,
    models: isTexts(models) ? models : [],
    ...(typeof arch === 'string' ? { arch } : {}),
    values: {
      ...numbers,
      ...(isTextMap(labels) ? { labels } : {}),
      ...(devices === undefined ? {} : { devices: devices.value }),
    },
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
  const values = Object.assign({}, DEFAULTS, ...parts.map((f) => f.values)) as Omit<Profile, 'name'>;
  const labels = Object.assign({}, ...parts.map((f) => f.values.labels ?? {})) as Record<string, string>;
  const devices = mergeDevices(parts.map((f) => f.values.devices ?? []));
  return check({ ...values, labels, devices, name: parts.map((f) => f.name).join('.') });
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
  const imageGcLowRatio = Math.min(next.imageGcLowRatio, next.imageGcHighRatio);
  const leaseMs = next.leaseMs > next.heartbeatMs ? next.leaseMs : next.heartbeatMs * 2;
  return { ...next, imageGcLowRatio, leaseMs };
}

function check(profile: Profile): Profile {
  const why =
    profile.leaseMs <= profile.heartbeatMs
      ? 'leaseMs must be longer than heartbeatMs'
      : profile.imageGcLowRatio > profile.imageGcHighRatio
        ? 'imageGcLowRatio must not be above imageGcHighRatio'
        : conflict(profile.devices);
  if (why === undefined) return profile;
  throw new ProfileError('BadProfile', `profile ${profile.name}: ${why}`);
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
