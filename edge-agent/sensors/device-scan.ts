import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { DeviceConfig } from '../decide/device-config.ts';
import { type DeviceNode, type DeviceUnit, unitKey } from '../decide/devices.ts';

/** The units of these resources that are there now, in the order of the configuration; patterns in the order of names. */
export function scanDevices(configs: readonly DeviceConfig[]): DeviceUnit[] {
  return configs.flatMap((config) =>
    config.paths.flatMap(expand).flatMap((paths) => {
      const nodes = paths.map(findNode);
      const present = nodes.filter((node) => node !== undefined);
      const first = paths[0];
      // A device of several nodes is there when all of them are.
      if (first === undefined || present.length < paths.length) return [];
      return Array.from({ length: config.count }, (_, share) => ({
        resource: config.name,
        key: unitKey(config.name, first, share),
        nodes: present.map(({ target, source, number }) => ({ target, source, number })),
        groups: [...new Set(present.flatMap((node) => node.group ?? []))],
        ...(config.env === undefined ? {} : { env: config.env }),
      }));
    }),
  );
}

/** Directories in which the devices would appear. */
export function deviceFolders(configs: readonly DeviceConfig[]): string[] {
  return [...new Set(configs.flatMap((config) => config.paths.flat().map((path) => dirname(path))))];
}

function expand(path: string | readonly string[]): (readonly string[])[] {
  if (typeof path !== 'string') return [path];
  if (!path.includes('*')) return [[path]];
  const folder = dirname(path);
  const pattern = new RegExp(
    `^${basename(path)
      .split('*')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
  );
  return namesIn(folder)
    .filter((name) => pattern.test(name))
    .map((name) => [join(folder, name)]);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return []; // Nothing is plugged in: udev makes the folder with the first device.
  }
}

/** The device node behind a stable path, and the group that may write it; undefined when there is none. */
function findNode(path: string): (DeviceNode & { readonly group?: number }) | undefined {
  try {
    const source = realpathSync(path);
    const info = statSync(source);
    if (!info.isCharacterDevice() && !info.isBlockDevice()) return undefined;
    const isGroups = info.gid !== 0 && (info.mode & 0o020) !== 0;
    return { target: path, source, number: info.rdev, ...(isGroups ? { group: info.gid } : {}) };
  } catch {
    return undefined; // Not plugged in, or unplugged meanwhile.
  }
}
