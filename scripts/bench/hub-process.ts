import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/hub.js', import.meta.url));
const START_MS = 60_000;
/** Of `/proc/PID/stat`, on every Linux that Node runs on. */
const TICK_MS = 10;

/** A hub of its own process and directory on loopback, without devices: the built one, as it is shipped. */
export class HubProcess {
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
  }

  /** Resolves once it is ready; rejects with the end of its log when it is not. `nodeFlags` are Node's own, such as --cpu-prof. */
  static async start(nodeFlags: readonly string[] = []): Promise<HubProcess> {
    if (!existsSync(MAIN)) throw new Error('build first: npm run build');
    const directory = mkdtempSync(join(tmpdir(), 'bench-hub-'));
    const flags = ['--data-dir', directory, '--bind', '127.0.0.1', '--api-port', '0', '--mqtt-port', '0'];
    const child = spawn(process.execPath, [...nodeFlags, MAIN, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const hub = new HubProcess(child, directory);
    let log = '';
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the hub did not start: ${log.slice(-2000)}`)),
        START_MS,
      );
      const take = (chunk: Buffer): void => {
        if (log.includes('hub ready')) return; // only drained from here on
        log += chunk.toString();
        if (!log.includes('hub ready')) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.on('exit', () => reject(new Error(`the hub ended: ${log.slice(-2000)}`)));
    });
    return hub;
  }

  get kubeconfig(): string {
    return join(this.#directory, 'kubeconfig');
  }

  /** Resident memory now, in bytes. */
  get rssBytes(): number {
    return this.#status('VmRSS');
  }

  /** Largest resident memory since the last `resetPeak`, in bytes. */
  get peakBytes(): number {
    return this.#status('VmHWM');
  }

  /** Processor time of all its threads so far, user and system, in ms: steps of 10. */
  get cpuMs(): number {
    const text = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    // The name before may hold anything, blanks and brackets too.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  resetPeak(): void {
    writeFileSync(`/proc/${this.#child.pid}/clear_refs`, '5');
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #status(name: string): number {
    const text = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  }
}
