import type { MachineFiles } from './machine-files.ts';

/** Reads the processor's temperature; the zone is searched once. */
export class Thermometer {
  readonly #files: MachineFiles;
  readonly #file: string | undefined;

  constructor(files: MachineFiles) {
    this.#files = files;
    this.#file = findTemperatureFile(files);
  }

  /** Degrees Celsius; undefined when the board has no sensor, or one that reads as absurd. */
  read(): number | undefined {
    if (this.#file === undefined) return undefined;
    const milli = this.#files.number(this.#file);
    const celsius = milli === undefined ? undefined : milli / 1000;
    // Sensors that are not there read as absurd values.
    return celsius === undefined || celsius < -40 || celsius > 150 ? undefined : celsius;
  }
}

/** The processor's own zone when one says so, else the first that can be read. */
function findTemperatureFile(files: MachineFiles): string | undefined {
  const zones = files
    .list('sys/class/thermal')
    .filter((name) => name.startsWith('thermal_zone'))
    .map((name) => `sys/class/thermal/${name}`);
  const isCpu = (zone: string): boolean => /cpu|soc|x86_pkg|core/i.test(files.text(`${zone}/type`) ?? '');
  const zone =
    zones.find(isCpu) ?? zones.find((candidate) => files.number(`${candidate}/temp`) !== undefined);
  return zone === undefined ? undefined : `${zone}/temp`;
}
