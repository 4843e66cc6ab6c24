import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../hub/main.ts', import.meta.url));
const BUNDLE = fileURLToPath(new URL('../../dist/hub.js', import.meta.url));
const UNIT = fileURLToPath(new URL('../packaging/coxswain-hub.service', import.meta.url));
/** USER_HZ is 100 on every Linux that Node runs on. */
const CLOCK_TICK_MS = 10;
const START_MS = 60_000;

/** A hub of its own process and directory on loopback, without devices. */
export class HubProcess {
  readonly #child: ChildProcess;
  readonly #directory: string;
  #mqttUrl = '';

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
  }

  /**
   * Resolves once it is ready; rejects with the end of its log when it is not. `bundled` runs what `npm run build` made, as users
   * do, with the environment of the systemd unit: memory and start are those of the product then.
   */
  static async start(
    options: { readonly bundled?: boolean; readonly flags?: readonly string[] } = {},
  ): Promise<HubProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'bench-hub-'));
    const flags = ['--data-dir', directory, '--bind', '127.0.0.1', '--api-port', '0', '--mqtt-port', '0'];
    const program = options.bundled === true ? [BUNDLE] : ['--import', 'tsx', MAIN];
    const child = spawn(process.execPath, [...program, ...flags, ...(options.flags ?? [])], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(options.bundled === true ? unitEnv() : {}) },
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
        hub.#mqttUrl = /"mqtt":\["([^"]+)"/.exec(log)?.[1] ?? '';
        resolve();
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      child.on('exit', () => reject(new Error(`the hub ended: ${log.slice(-2000)}`)));
    });
    return hub;
  }

  /** Where devices connect. */
  get mqttUrl(): string {
    return this.#mqttUrl;
  }

  /** The hub's data directory. */
  get directory(): string {
    return this.#directory;
  }

  /** Processor time used since the start, in ms. */
  get cpuMs(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
  }

  /** How long its main thread was ready to run and had no processor, since the start, in ms. */
  get starvedMs(): number {
    const { pid } = this.#child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
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

/** The variables that our systemd unit gives the hub. */
function unitEnv(): Record<string, string> {
  const lines = readFileSync(UNIT, 'utf8').matchAll(/^Environment=(\w+)=(.*)$/gm);
  return Object.fromEntries([...lines].map(([, name = '', value = '']) => [name, value]));
}
