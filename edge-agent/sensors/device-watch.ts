import { existsSync, type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { DeviceConfig } from '../decide/device-config.ts';
import type { DeviceUnit } from '../decide/devices.ts';
import { deviceFolders, scanDevices } from './device-scan.ts';

/** udev makes a device's node, links and permissions in several steps, in ms. */
const SETTLE_MS = 250;

export interface DeviceWatchOptions {
  readonly configs: readonly DeviceConfig[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Devices came or went. */
  readonly onChange: () => void;
}

/**
 * Knows which configured devices are plugged in. The kernel tells of changes (inotify on their directories, or on the nearest one
 * above that exists); nothing is polled, and without configured devices nothing is watched.
 */
export class DeviceWatch {
  readonly #options: DeviceWatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  #units: readonly DeviceUnit[];
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: DeviceWatchOptions) {
    this.#options = options;
    this.#units = scanDevices(options.configs);
  }

  /** The units that are there now. */
  get units(): readonly DeviceUnit[] {
    return this.#units;
  }

  start(): void {
    this.#watchAll();
    // What came between the first look and the watch.
    this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watchAll(): void {
    const wanted = new Set(deviceFolders(this.#options.configs).flatMap(existingParents));
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) if (!this.#watchers.has(folder)) this.#watch(folder);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (kind) => {
        // A `change` is a write to a device in the folder; /dev/null alone makes many.
        if (kind === 'rename') this.#soon();
      });
      // The folder went with its last device: the one above tells when it is back.
      watcher.on('error', () => this.#drop(folder));
      this.#watchers.set(folder, watcher);
    } catch (err) {
      this.#options.log.debug('device folder not watched', { folder, err });
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
    this.#soon();
  }

  #soon(): void {
    if (this.#isStopped) return;
    this.#timer ??= this.#options.clock.after(SETTLE_MS, () => {
      this.#timer = undefined;
      this.#look();
    });
  }

  #look(): void {
    const { configs, log, onChange } = this.#options;
    for (const folder of this.#watchers.keys()) {
      // inotify follows the directory, not its name: one that was removed and made again is another.
      if (!existsSync(folder)) this.#watchers.get(folder)?.close();
      if (!existsSync(folder)) this.#watchers.delete(folder);
    }
    this.#watchAll();
    const units = scanDevices(configs);
    if (JSON.stringify(units) === JSON.stringify(this.#units)) return;
    this.#units = units;
    log.info('devices changed', { present: units.map((unit) => unit.key) });
    onChange();
  }
}

/** The folder when it exists, and the nearest one above it, which tells when it is made or removed. */
function existingParents(folder: string): string[] {
  const above = dirname(folder);
  if (existsSync(folder)) return above === folder || above === '/' ? [folder] : [folder, above];
  return above === folder ? [] : existingParents(above);
}
