import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const UP_LIMIT_MS = 30_000;
const MAX_OUTPUT = 16 * 1024 * 1024;

/** A Docker Engine of its own for one test: own network, mounts, processes and data; several live side by side. */
export interface PrivateEngine {
  readonly socketPath: string;
  /** A folder inside and outside the engine's world, removed with it. */
  readonly folder: string;
  /** Runs the docker client against this engine; resolves to its output, trimmed. */
  docker(...args: string[]): Promise<string>;
  /** Runs a command among the engine's processes, in its network. */
  inside(...args: string[]): Promise<string>;
  /** Starts a process there; it dies with the engine at the latest. */
  spawnInside(args: readonly string[], options?: { readonly env?: NodeJS.ProcessEnv }): ChildProcess;
  killDaemon(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  startDaemon(): Promise<void>;
  /** Ends every process of it and removes all it left. */
  stop(): Promise<void>;
}

/** True when this machine lets us start one. */
export function canRunEngine(): boolean {
  const programs = ['/usr/sbin/dockerd', '/usr/bin/dockerd', '/usr/local/bin/dockerd'];
  return process.getuid?.() === 0 && programs.some((path) => existsSync(path)) && existsSync('/bin/busybox');
}

/**
 * Its first process keeps the namespaces alive and collects orphans; killing it ends everything. The cgroup tree is the
 * machine's own, so what is left of it is removed by name.
 */
const INIT = `
mount -t tmpfs tmpfs /run && mkdir -p /run/lock && mount -t tmpfs tmpfs /etc/docker &&
ip link set lo up && echo 0 > /proc/sys/net/ipv4/ip_forward && touch "$1/ready" && exec docker-init -s -- sleep infinity
`;

/** Starts an engine with the images busybox:latest and busybox:2. */
export async function startEngine(): Promise<PrivateEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'coxe-'));
  const cgroup = `coxe-${randomBytes(4).toString('hex')}`;
  mkdirSync('/etc/docker', { recursive: true });
  const holder = spawn(
    'unshare',
    [
      '-n',
      '-m',
      '-p',
      '-i',
      '-u',
      '-f',
      '--mount-proc',
      '--propagation',
      'private',
      '--kill-child',
      'sh',
      '-c',
      INIT,
      'init',
      folder,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await until('engine namespaces', () => existsSync(join(folder, 'ready')));
  const init = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim();
  const engine = new Engine(folder, cgroup, holder, init);
  try {
    await engine.startDaemon();
    await engine.importBusybox();
  } catch (error) {
    await engine.stop();
    throw error;
  }
  return engine;
}

class Engine implements PrivateEngine {
  readonly folder: string;
  readonly socketPath: string;
  readonly #cgroup: string;
  readonly #holder: ChildProcess;
  readonly #enter: readonly string[];
  #daemon: ChildProcess | undefined;

  constructor(folder: string, cgroup: string, holder: ChildProcess, init: string) {
    this.folder = folder;
    this.socketPath = join(folder, 'docker.sock');
    this.#cgroup = cgroup;
    this.#holder = holder;
    this.#enter = ['-t', init, '-n', '-m', '-p', '-i', '-u', '--'];
  }

  async docker(...args: string[]): Promise<string> {
    const { stdout } = await run('docker', ['-H', `unix://${this.socketPath}`, ...args], {
      maxBuffer: MAX_OUTPUT,
    });
    return stdout.trim();
  }

  async inside(...args: string[]): Promise<string> {
    const { stdout } = await run('nsenter', [...this.#enter, ...args], { maxBuffer: MAX_OUTPUT });
    return stdout.trim();
  }

  spawnInside(args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv } = {}): ChildProcess {
    return spawn('nsenter', [...this.#enter, 'setpriv', '--pdeathsig', 'KILL', '--', ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...options.env },
    });
  }

  async startDaemon(): Promise<void> {
    rmSync(this.socketPath, { force: true });
    rmSync(join(this.folder, 'docker.pid'), { force: true });
    const log = join(this.folder, 'dockerd.log');
    const args = [
      ...['--data-root', join(this.folder, 'data'), '--exec-root', join(this.folder, 'exec')],
      ...['-H', `unix://${this.socketPath}`, '--pidfile', join(this.folder, 'docker.pid')],
      ...['--cgroup-parent', `/${this.#cgroup}`, '--storage-driver', 'overlay2', '--log-level', 'warn'],
    ];
    const script = 'log=$1; shift; exec dockerd "$@" >>"$log" 2>&1';
    this.#daemon = spawn('nsenter', [...this.#enter, 'sh', '-c', script, 'dockerd', log, ...args], {
      stdio: 'ignore',
    });
    await until('the engine', () =>
      this.docker('version').then(
        () => true,
        () => false,
      ),
    );
  }

  async killDaemon(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    const pid = readFileSync(join(this.folder, 'docker.pid'), 'utf8').trim();
    await this.inside('kill', `-${signal.slice(3)}`, pid);
    await ended;
    this.#daemon = undefined;
  }

  async importBusybox(): Promise<void> {
    const root = join(this.folder, 'busybox');
    buildBusybox(root);
    const archive = join(this.folder, 'busybox.tar');
    await run('tar', ['-C', root, '-cf', archive, '.']);
    await this.docker('import', '-c', 'ENV PATH=/bin', '-c', 'CMD ["sh"]', archive, 'busybox:latest');
    await this.docker('import', '-c', 'ENV PATH=/bin', '-c', 'CMD ["sh"]', archive, 'busybox:2');
  }

  async stop(): Promise<void> {
    const { pid } = this.#holder;
    const ended = new Promise((resolve) => this.#holder.once('exit', resolve));
    if (this.#holder.exitCode === null && this.#holder.signalCode === null && pid !== undefined) {
      this.#holder.kill('SIGKILL');
      await ended;
    }
    await until('the end of the engine', () => removeCgroups(this.#cgroup));
    await until('the engine folder to be free', () => remove(this.folder));
  }
}

function remove(folder: string): boolean {
  try {
    rmSync(folder, { recursive: true, force: true });
    return true;
  } catch {
    // A process on its way out still holds a mount or file there; asked again until the deadline.
    return false;
  }
}

/** A root file system of the distribution's busybox with the libraries it needs. */
function buildBusybox(root: string): void {
  for (const folder of ['bin', 'tmp', 'etc', 'proc', 'sys', 'dev', 'www'])
    mkdirSync(join(root, folder), { recursive: true });
  const files = ['/bin/busybox', ...libraries('/bin/busybox'), ...libraries('/bin/true')];
  for (const file of new Set(files)) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  for (const applet of applets()) if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnobody:x:65534:\n');
}

function applets(): string[] {
  return execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' })
    .split('\n')
    .filter((name) => name !== '');
}

function libraries(program: string): string[] {
  return [...execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+)\s+\(0x/g)].map(
    (match) => match[1] ?? '',
  );
}

const HIERARCHIES = '/sys/fs/cgroup';

/** True when nothing of the tree is left. */
function removeCgroups(name: string): boolean {
  let clean = true;
  for (const hierarchy of ['.', ...readdirSync(HIERARCHIES)]) {
    const top = join(HIERARCHIES, hierarchy, name);
    if (existsSync(top)) clean = removeTree(top) && clean;
  }
  return clean;
}

function removeTree(folder: string): boolean {
  let clean = true;
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) clean = removeTree(join(folder, entry.name)) && clean;
  try {
    rmdirSync(folder);
    return clean;
  } catch {
    // Still holds a process that is on its way out; asked again until the deadline.
    return false;
  }
}

/** Waits until `holds` answers true; fails after `limitMs`. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = UP_LIMIT_MS,
): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
