/** One built hub as a process of its own on loopback, without a lab: for tests that kill it and count what it acknowledged. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fromYaml } from '../../kit/yaml.ts';
import { CommandError, eventually, runCommand } from './lab.ts';

const HUB = fileURLToPath(new URL('../../dist/hub.js', import.meta.url));

/** What the API answered. */
export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** Where a hub is and how an administrator proves to be one: what its kubeconfig says. */
export interface Access {
  readonly server: string;
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

interface Kubeconfig {
  readonly clusters: readonly [{ cluster: { server: string; 'certificate-authority-data': string } }];
  readonly users: readonly [{ user: Record<'client-certificate-data' | 'client-key-data', string> }];
}

/** Reads the text of a kubeconfig as the hub writes it. */
export function readAccess(text: string): Access {
  const { clusters, users } = fromYaml(text) as Kubeconfig;
  const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64');
  return {
    server: clusters[0].cluster.server,
    ca: bytes(clusters[0].cluster['certificate-authority-data']),
    cert: bytes(users[0].user['client-certificate-data']),
    key: bytes(users[0].user['client-key-data']),
  };
}

/** An administrator's HTTPS client that keeps its connections. */
export class ApiClient {
  readonly #access: Access;
  readonly #agent: Agent;

  constructor(access: Access) {
    this.#access = access;
    const { ca, cert, key } = access;
    this.#agent = new Agent({ keepAlive: true, ca, cert, key });
  }

  /** One request; `body` is sent as JSON unless it is bytes. Rejects when the connection breaks before the whole answer is there. */
  ask(method: string, path: string, body?: unknown, type = 'application/json'): Promise<Reply> {
    const bytes = body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const headers =
        bytes === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(bytes) };
      const sent = request(this.#address(path), { method, headers, agent: this.#agent }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => void chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
        });
      });
      sent.on('error', reject);
      sent.end(bytes);
    });
  }

  /** GET of an object or list; throws on anything but 200. The caller knows the shape. */
  async get<T>(path: string): Promise<T> {
    const { status, text } = await this.ask('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** The events of a watch, one JSON value a line, until `enough` says so or the server ends it. */
  async watch<E>(path: string, enough: (event: E) => boolean): Promise<E[]> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request(this.#address(path), { agent: this.#agent }, resolve).on('error', reject).end();
    });
    const events: E[] = [];
    for await (const line of createInterface({ input: response })) {
      const event = JSON.parse(line) as E;
      events.push(event);
      if (enough(event)) break;
    }
    response.destroy();
    return events;
  }

  close(): void {
    this.#agent.destroy();
  }

  #address(path: string): URL {
    return new URL(path, this.#access.server);
  }
}

/** How a hub is started. `inside` is put before the command, for example nsenter with the namespaces of another process. */
export interface HubProcessOptions {
  readonly dataDir: string;
  readonly inside?: readonly string[];
  /** Its data directory as this process sees it, when that is another path. */
  readonly seenAt?: string;
  /** Default: 127.0.0.1 alone. */
  readonly advertise?: readonly string[];
  readonly limitMs?: number;
}

/** A hub that answers. */
export class HubProcess {
  readonly pid: number;
  readonly api: ApiClient;
  readonly access: Access;
  readonly #child: ChildProcess;
  readonly #log: string[];
  readonly #kubeconfig: string;

  private constructor(child: ChildProcess, log: string[], kubeconfig: string) {
    this.#child = child;
    this.#log = log;
    this.#kubeconfig = kubeconfig;
    this.pid = child.pid ?? 0;
    // The port is a new one with every start, and a full disk keeps an old one in the file.
    const server = log.map((line) => /"hub ready"/.test(line) && /https:[^"]+/.exec(line)?.[0]).find(Boolean);
    this.access = { ...readAccess(readFileSync(kubeconfig, 'utf8')), ...(server ? { server } : {}) };
    this.api = new ApiClient(this.access);
  }

  /** Starts a hub and waits until it is ready; throws with its last words when it ended instead. */
  static async start(options: HubProcessOptions): Promise<HubProcess> {
    const { child, log } = spawnHub(options);
    try {
      await eventually(
        () => {
          if (child.exitCode !== null) return true;
          return log.some((line) => line.includes('"hub ready"'));
        },
        {
          withinMs: options.limitMs ?? 20_000,
          everyMs: 10,
          onFailure: async () => log.slice(-10).join('\n'),
        },
      );
      if (child.exitCode !== null)
        throw new Error(`the hub ended with ${child.exitCode}:\n${log.join('\n')}`);
      return new HubProcess(child, log, join(options.seenAt ?? options.dataDir, 'kubeconfig'));
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Lines that it logged so far. */
  get log(): readonly string[] {
    return this.#log;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.api.close();
    if (!this.isAlive) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** The real kubectl against this hub; rejects with CommandError. */
  async kubectl(args: readonly string[], stdin = ''): Promise<string> {
    return runCommand(
      'kubectl',
      ['--kubeconfig', this.#kubeconfig, '--server', this.access.server, ...args],
      { stdin },
    );
  }

  /** What kubectl printed on standard error when it must fail. */
  async kubectlFails(args: readonly string[], stdin = ''): Promise<string> {
    try {
      const out = await this.kubectl(args, stdin);
      throw new Error(`kubectl ${args.join(' ')} should have failed: ${out}`);
    } catch (error) {
      if (error instanceof CommandError) return error.stderr;
      throw error;
    }
  }

  /** Resident memory in bytes. */
  residentBytes(): number {
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
    return Number(kib) * 1024;
  }
}

/** Runs a hub to its end, which must come by itself, and gives its exit code and what it logged. */
export async function hubThatEnds(options: HubProcessOptions): Promise<{ code: number | null; log: string }> {
  const { child, log } = spawnHub(options);
  const timer = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 20_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, log: log.join('\n') };
}

function spawnHub(options: HubProcessOptions): { child: ChildProcess; log: string[] } {
  if (!existsSync(HUB)) throw new Error(`${HUB} is missing: npm run build`);
  const advertise = (options.advertise ?? ['127.0.0.1']).join(',');
  const flags = ['--bind', '127.0.0.1', '--advertise', advertise, '--api-port', '0', '--mqtt-port', '0'];
  const command = [...(options.inside ?? []), process.execPath, HUB, '--data-dir', options.dataDir, ...flags];
  const [file = '', ...args] = command;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', (line) => void log.push(line));
  }
  return { child, log };
}
