/** A resource of device nodes as a profile file names it. */
export interface DeviceConfig {
  /** Extended resource name, `domain/name`. */
  readonly name: string;
  /** Devices by stable path. A path whose last part has `*` stands for every match; a list of paths is one device. */
  readonly paths: readonly (string | readonly string[])[];
  /** How many containers may have each device at the same time. */
  readonly count: number;
  /** Environment variable that tells the container the paths it was given, joined by commas. */
  readonly env?: string;
}

/** The devices of a profile file, or what is wrong with them. */
export type DevicesRead =
  | { readonly ok: true; readonly value: readonly DeviceConfig[] }
  | { readonly ok: false; readonly why: string };

const KNOWN_KEYS = ['name', 'paths', 'count', 'env'];
const NAME = /^(?=.{1,253}\/)[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const MAX_COUNT = 1000;

/** Reads the list `devices` of a profile file. Pure; never throws. */
export function readDevices(raw: unknown): DevicesRead {
  if (!Array.isArray(raw)) return { ok: false, why: 'devices must be a list' };
  const value: DeviceConfig[] = [];
  for (const [i, entry] of raw.entries()) {
    const read = readDevice(entry);
    if (typeof read === 'string') return { ok: false, why: `devices[${i}]: ${read}` };
    value.push(read);
  }
  const why = conflict(value);
  return why === undefined ? { ok: true, value } : { ok: false, why };
}

/** Devices of several files: a later file replaces the whole entry of the same name. */
export function mergeDevices(lists: readonly (readonly DeviceConfig[])[]): DeviceConfig[] {
  const byName = new Map<string, DeviceConfig>();
  for (const device of lists.flat()) byName.set(device.name, device);
  return [...byName.values()];
}

/** What two entries contradict each other in; undefined when nothing does. A device belongs to one resource only. */
export function conflict(devices: readonly DeviceConfig[]): string | undefined {
  const owners = new Map<string, string>();
  const names = new Set<string>();
  for (const { name, paths } of devices) {
    if (names.has(name)) return `devices: ${name} is there twice`;
    names.add(name);
    for (const path of paths.flat()) {
      const owner = owners.get(path);
      if (owner !== undefined) return `devices: ${path} belongs to ${owner} and ${name}`;
      owners.set(path, name);
    }
  }
  return undefined;
}

function readDevice(raw: unknown): DeviceConfig | string {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return 'must be a mapping';
  const { name, paths, count, env } = raw as Record<string, unknown>;
  const unknown = Object.keys(raw).find((key) => !KNOWN_KEYS.includes(key));
  if (unknown !== undefined) return `unknown key "${unknown}"`;
  if (typeof name !== 'string' || !NAME.test(name) || /(^|\.)kubernetes\.io\//.test(name))
    return 'name must be a resource name such as coxswain.dev/serial, outside kubernetes.io';
  if (!Array.isArray(paths) || paths.length === 0 || !paths.every(isDevicePath))
    return 'paths must be a list of absolute paths, or of lists of them';
  if (count !== undefined && !(Number.isInteger(count) && Number(count) >= 1 && Number(count) <= MAX_COUNT))
    return `count must be a whole number from 1 to ${MAX_COUNT}`;
  if (env !== undefined && !(typeof env === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(env)))
    return 'env must be the name of an environment variable';
  return {
    name,
    paths: paths as (string | string[])[],
    count: count === undefined ? 1 : Number(count),
    ...(typeof env === 'string' ? { env } : {}),
  };
}

function isDevicePath(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every((p) => isPath(p) && !p.includes('*'));
  return isPath(value) && !value.slice(0, value.lastIndexOf('/')).includes('*');
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && /^\/[^\0]*[^/\0]$/.test(value) && !value.split('/').includes('..');
}
