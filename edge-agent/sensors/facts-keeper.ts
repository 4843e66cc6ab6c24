import type { NodeFacts } from '../../protocol/wire/messages.ts';
import {
  judgeConditions,
  judgePressure,
  NO_PRESSURE,
  type PressureInput,
  type PressureState,
} from '../decide/pressure.ts';
import type { Profile } from '../decide/profile.ts';
import { collectFacts, readAddresses, readHealth, readPressure } from './facts.ts';
import type { Inventory } from './inventory.ts';
import type { MachineFiles } from './machine-files.ts';
import { Thermometer } from './thermometer.ts';

export interface FactsKeeperOptions {
  readonly files: MachineFiles;
  readonly diskPath: string;
  readonly agentVersion: string;
  readonly cpuCount: number;
  readonly platform: string;
  readonly arch: string;
  readonly kernelVersion: string;
  nodeName(): string;
  profile(): Profile;
  engine(): { readonly isReady: boolean; readonly version: string };
  /** Volumes the hub asked to remove that are gone. */
  removedVolumes(): readonly string[];
  readonly dataDir: string;
  /** RFC 3339 time of now, for transitions of conditions. */
  nowTime(): string;
  /** Monotonic ms. */
  nowMs(): number;
  /** Counts of device resources by name. */
  devices(): Readonly<Record<string, number>>;
  /** Images on the node; undefined while they are not known. */
  images(): NodeFacts['images'];
}

/** One look at the machine: the figures, and the pressures that follow from them. */
export interface PressureReading {
  readonly input: PressureInput;
  readonly state: PressureState;
}

/** Keeps the facts of the device; `refresh` costs some ten small reads and says whether anything changed. */
export class FactsKeeper {
  readonly #options: FactsKeeperOptions;
  #inventory: Inventory | undefined;
  #towardsHub: string | undefined;
  readonly #thermometer: Thermometer;
  #reading: PressureReading;
  #facts: NodeFacts;

  constructor(options: FactsKeeperOptions) {
    this.#options = options;
    this.#thermometer = new Thermometer(options.files);
    this.#reading = this.#read(NO_PRESSURE);
    this.#facts = this.#collect([]);
  }

  get facts(): NodeFacts {
    return this.#facts;
  }

  /** The pressures as of the last look. */
  get pressure(): PressureReading {
    return this.#reading;
  }

  /** Looks at the machine again; true when the facts are not what they were. */
  refresh(): boolean {
    this.#reading = this.#read(this.#reading.state);
    const next = this.#collect(this.#facts.conditions);
    if (JSON.stringify(next) === JSON.stringify(this.#facts)) return false;
    this.#facts = next;
    return true;
  }

  /** What the board is has become known. */
  setInventory(inventory: Inventory): void {
    this.#inventory = inventory;
  }

  /** The address from which the hub is reached comes first in the facts. */
  setAddress(towardsHub: string | undefined): void {
    this.#towardsHub = towardsHub;
  }

  #read(before: PressureState): PressureReading {
    const { files, diskPath, profile, nowMs } = this.#options;
    const input = readPressure(files, diskPath, this.#thermometer.read());
    return { input, state: judgePressure(before, input, profile(), nowMs()) };
  }

  #collect(before: NodeFacts['conditions']): NodeFacts {
    const o = this.#options;
    const profile = o.profile();
    const engine = o.engine();
    const images = o.images();
    const removedVolumes = o.removedVolumes();
    const facts = collectFacts(o.files, {
      nodeName: o.nodeName(),
      profile,
      agentVersion: o.agentVersion,
      cpuCount: o.cpuCount,
      platform: o.platform,
      arch: o.arch,
      kernelVersion: o.kernelVersion,
      engineVersion: engine.version,
      diskPath: o.diskPath,
      addresses: readAddresses(o.nodeName(), this.#towardsHub),
      conditions: judgeConditions(
        this.#reading.state,
        readHealth(o.files, engine.isReady),
        before,
        o.nowTime(),
      ),
      inventory: this.#inventory,
      devices: o.devices(),
      ...(images === undefined ? {} : { images }),
    });
    return { ...facts, dataDir: o.dataDir, ...(removedVolumes.length > 0 ? { removedVolumes } : {}) };
  }
}
