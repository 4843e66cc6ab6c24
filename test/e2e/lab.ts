/** The lab of scripts/lab as end-to-end tests use it: real hosts, real engines, the real kubectl. */
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const script = `${root}scripts/lab`;

/**
 * How to make a lab. `bare` brings up hosts and engines only; `env` takes the LAB_ variables of scripts/lab; `alone` is for tests
 * that count every node or break the hub: such a lab is never shared.
 */
export interface LabOptions {
  readonly workers: number;
  readonly name: string;
  readonly bare?: boolean;
  readonly alone?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** How long to wait for a condition; `onFailure` adds what a person needs to see when it never came true. */
export interface EventuallyOptions {
  readonly withinMs: number;
  readonly everyMs?: number;
  readonly onFailure?: () => Promise<string>;
}

/** What is left of T when the values that mean "not yet" are gone. */
export type Truth<T> = Exclude<T, false | undefined | null>;

/** A command that ended with a code other than 0; the message holds its standard error. */
export class CommandError extends Error {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: string, code: number, stdout: string, stderr: string) {
    super(`${command} ended with ${code}: ${stderr.trim() || stdout.trim()}`);
    this.code = code;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/**
 * Runs a program to its end and gives its standard output.
 * @throws CommandError when it ends with another code than 0, or after `limitMs` (default 3 min).
 */
export function runCommand(
  file: string,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; stdin?: string; limitMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      [...args],
      {
        env: { ...process.env, ...options.env },
        timeout: options.limitMs ?? 180_000,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const code = typeof error.code === 'number' ? error.code : -1;
        const why = error.killed === true ? `${stderr}\nkilled: it took too long` : stderr || error.message;
        reject(new CommandError(`${file} ${args.join(' ')}`, code, stdout, why));
      },
    );
    child.stdin?.on('error', () => undefined); // it ended without reading: its exit code tells
    child.stdin?.end(options.stdin ?? '');
  });
}

/**
 * Calls `fn` until it neither throws nor gives false, undefined or null, and gives what it gave.
 * @throws the last error, or "not yet: VALUE", with how long was waited, after `withinMs`.
 */
export async function eventually<T>(fn: () => Promise<T> | T, options: EventuallyOptions): Promise<Truth<T>> {
  const deadlineMs = performance.now() + options.withinMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await fn();
      if (value !== false && value !== undefined && value !== null) return value as Truth<T>;
      last = new Error(`not yet: ${String(value)}`);
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadlineMs) {
      const text = last instanceof Error ? last.message : String(last);
      const more = options.onFailure ? `\n${await options.onFailure()}` : '';
      throw new Error(`not within ${options.withinMs} ms: ${text}${more}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 50));
  }
}

/** One running lab. Commands end with an error (CommandError) when the program they ran did. */
export class Lab {
  readonly name: string;
  readonly kubeconfig: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #shared: boolean;

  constructor(name: string, kubeconfig: string, env: Readonly<Record<string, string>>, shared: boolean) {
    this.name = name;
    this.kubeconfig = kubeconfig;
    this.#env = env;
    this.#shared = shared;
  }

  /** `scripts/lab ARGS...`, e.g. run('cut', 'worker-1'). */
  run(...args: string[]): Promise<string> {
    return runCommand(script, args, { env: this.#env });
  }

  /** The real kubectl against this lab's hub. */
  kubectl(...args: string[]): Promise<string> {
    return runCommand('kubectl', ['--kubeconfig', this.kubeconfig, ...args]);
  }

  /** `kubectl apply -f -` of the text. */
  apply(manifest: string, ...args: string[]): Promise<string> {
    return runCommand('kubectl', ['--kubeconfig', this.kubeconfig, 'apply', '-f', '-', ...args], {
      stdin: manifest,
    });
  }

  /** `kubectl get ARGS -o json`, parsed. The caller knows the shape it asked for. */
  async get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json')) as T;
  }

  /** The docker command against one host's engine. */
  docker(node: string, ...args: string[]): Promise<string> {
    return this.run('docker', node, ...args);
  }

  /** A command inside a host. */
  exec(node: string, ...command: string[]): Promise<string> {
    return this.run('exec', node, '--', ...command);
  }

  /** A command that goes on beside the test; the caller ends it. */
  stream(file: string, ...args: string[]): ChildProcessWithoutNullStreams {
    return spawn(file, args, { env: { ...process.env, ...this.#env }, stdio: 'pipe' });
  }

  /** The same inside a host. */
  streamIn(node: string, ...command: string[]): ChildProcessWithoutNullStreams {
    return this.stream(script, 'exec', node, '--', ...command);
  }

  /** Pids on this machine of a host's own programs, e.g. { init, dockerd, containerd, agent }, or of the hub. */
  async pids(of: string): Promise<Record<string, number>> {
    const lines = (await this.run('pid', of)).split('\n').map((line) => line.split(' '));
    return Object.fromEntries(lines.flatMap(([name, pid]) => (name && pid ? [[name, Number(pid)]] : [])));
  }

  /** As the free function, with this lab's diagnostics in the error. */
  eventually<T>(fn: () => Promise<T> | T, options: EventuallyOptions): Promise<Truth<T>> {
    return eventually(fn, { onFailure: () => this.diagnostics(), ...options });
  }

  /** What to look at when a test failed: state of lab and cluster, ends of the logs. Never throws. */
  async diagnostics(): Promise<string> {
    const parts: string[] = [];
    const add = async (title: string, text: Promise<string>): Promise<void> => {
      const shown = await text.catch((error: unknown) => String(error));
      parts.push(`--- ${title}\n${shown.trimEnd().split('\n').slice(-40).join('\n')}`);
    };
    await add('scripts/lab status', this.run('status'));
    if (this.kubeconfig !== '') {
      const timeout = '--request-timeout=5s';
      await add('kubectl get nodes', this.kubectl('get', 'nodes', '-o', 'wide', timeout));
      await add(
        'kubectl get pods',
        this.kubectl('get', 'deployments,replicasets,pods', '-A', '-o', 'wide', timeout),
      );
      await add('kubectl get events', this.kubectl('get', 'events', '-A', timeout));
      await add('hub log', this.run('logs', 'hub'));
    }
    for (const node of await this.nodes().catch(() => [])) {
      if (this.kubeconfig !== '') await add(`${node} agent log`, this.run('logs', node));
      await add(`${node} engine log`, this.run('logs', node, 'dockerd'));
    }
    return parts.join('\n');
  }

  /** Names of the workers, whether on or off. */
  async nodes(): Promise<string[]> {
    return (await this.run('status')).split('\n').flatMap((line) => line.match(/^worker-\d+/) ?? []);
  }

  /** Takes the lab down, unless it is shared by the test files of this run. */
  async stop(): Promise<void> {
    if (!this.#shared) await this.run('down');
  }
}

/**
 * Brings a lab up. With COX_LAB set to the name of a running lab that one is completed and shared, and `stop` leaves it; a
 * bare lab, or one to be alone in, is never shared. Otherwise the name is made this checkout's own, and a broken earlier run is cleared first.
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const running = options.bare || options.alone ? undefined : process.env['COX_LAB'];
  const own = `${options.name}-${createHash('sha256').update(root).digest('hex').slice(0, 6)}`;
  const name = running ?? own;
  const env = { ...options.env, LAB_NAME: name, ...(options.bare ? { LAB_NO_COXSWAIN: '1' } : {}) };
  if (running === undefined) await runCommand(script, ['down'], { env });
  const printed = await runCommand(script, ['up', '--workers', String(options.workers)], { env });
  const kubeconfig = /^KUBECONFIG=(.*)$/m.exec(printed)?.[1] ?? '';
  return new Lab(name, kubeconfig, env, running !== undefined);
}
