/** Many simulated devices in a few processes, so that a hundred of them can fall silent, or die, in one moment. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./devices-main.ts', import.meta.url));
const START_MS = 300_000;
/** In reality the devices are other machines: they get the processor time that hub and clients leave. */
const NICENESS = 19;

export interface FleetOptions {
  /** The hub's data directory: its authority signs the devices' certificates. */
  readonly hubDir: string;
  readonly mqttUrl: string;
  readonly devices: number;
  readonly perProcess: number;
}

/** Devices of one process. */
export interface Group {
  readonly names: readonly string[];
  readonly child: ChildProcess;
}

/** The simulated fleet. Invariant: `stop` ends every process it started, and nothing of it is left on disk. */
export class SimulatedFleet {
  readonly groups: readonly Group[];
  readonly #folder: string;

  private constructor(groups: readonly Group[], folder: string) {
    this.groups = groups;
    this.#folder = folder;
  }

  /** Resolves when every agent runs; they connect meanwhile. */
  static async start(options: FleetOptions): Promise<SimulatedFleet> {
    const folder = mkdtempSync(join(memoryFolder(), 'cox-fleet-'));
    const groups: Group[] = [];
    for (let first = 0; first < options.devices; first += options.perProcess) {
      const count = Math.min(options.perProcess, options.devices - first);
      const names = Array.from({ length: count }, (_, i) => deviceName(first + i));
      const args = ['--import', 'tsx', MAIN, options.hubDir, options.mqttUrl, folder, ...names];
      const child = spawn('nice', ['-n', String(NICENESS), process.execPath, ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      groups.push({ names, child });
    }
    const fleet = new SimulatedFleet(groups, folder);
    try {
      await Promise.all(groups.map(started));
    } catch (error) {
      await fleet.stop();
      throw error;
    }
    return fleet;
  }

  /** The devices of a group stand still without closing anything, as behind a cut cable. */
  silence(group: Group): void {
    group.child.kill('SIGSTOP');
  }

  /** They go on as if nothing had been. */
  wake(group: Group): void {
    group.child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await Promise.all(this.groups.map(({ child }) => ended(child)));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const deviceName = (number: number): string => `device-${String(number).padStart(4, '0')}`;

/** What the agents write is of no interest after the run. */
function memoryFolder(): string {
  return statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() === true ? '/dev/shm' : tmpdir();
}

function started({ child }: Group): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`devices not started in ${START_MS} ms`)), START_MS);
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-2000);
      if (!output.includes('started\n')) return;
      clearTimeout(timer);
      resolve();
    });
    child.once('exit', (code) => reject(new Error(`devices ended with ${code}: ${output}`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
