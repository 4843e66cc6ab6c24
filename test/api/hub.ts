/** A hub's API in this process, with a real store, real TLS and the real kubectl; only devices are played. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer, type ApiServerOptions } from '../../hub/api/server.ts';
import { openAuthority } from '../../hub/pki/authority.ts';
import { kubeconfigText } from '../../hub/pki/kubeconfig.ts';
import { systemClock } from '../../kit/clock.ts';
import { createLogger } from '../../kit/logger.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { PlayedDevice } from './played-device.ts';
import { openTestStore, type TestStore } from './store.ts';

/** What a finished command said. */
export interface Output {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** What the API answered. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body read as JSON; undefined when it is none. */
  readonly json: unknown;
}

export interface AskOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the administrator's token; `null` sends none. */
  readonly token?: string | null;
}

export const ADMIN_TOKEN = 'test-admin-token';
export const GUEST_TOKEN = 'test-guest-token';

export interface TestHub {
  readonly dir: string;
  readonly port: number;
  readonly caPem: string;
  readonly store: TestStore;
  readonly device: PlayedDevice;
  readonly server: ApiServer;
  /** Lines the hub logged at warn and above. */
  readonly complaints: string[];
  /** Runs the real kubectl. */
  kubectl(...args: string[]): Promise<Output>;
  kubectlWith(options: { input?: string; timeoutMs?: number }, ...args: string[]): Promise<Output>;
  /** Runs any command with kubectl's environment. */
  run(command: string, ...args: string[]): Promise<Output>;
  ask(method: string, path: string, options?: AskOptions): Promise<Reply>;
  /** Opens a request and hands over the response as it comes. */
  open(path: string, headers?: Readonly<Record<string, string>>): Promise<IncomingMessage>;
  /** Creates an object in the store, then its status when given one. */
  put(object: object): Promise<KubeObject>;
  stop(): Promise<void>;
}

/** Starts a hub's API on a free port of loopback. */
export async function startHub(overrides: Partial<ApiServerOptions> = {}): Promise<TestHub> {
  const dir = mkdtempSync(join(tmpdir(), 'cox-api-'));
  const complaints: string[] = [];
  const log = createLogger('warn', { write: (line) => void complaints.push(line) });
  const pki = await openAuthority(join(dir, 'pki'), { hosts: ['127.0.0.1'], clock: systemClock, log });
  const store = await openTestStore(join(dir, 'store'), log);
  const device = new PlayedDevice(dir);
  const server = new ApiServer({
    tls: { key: pki.serverKeyPem, cert: pki.serverCertPem, ca: pki.caPem },
    addresses: ['127.0.0.1'],
    port: 0,
    kinds,
    customKinds: store.customKinds,
    store: store.port,
    codec: store.codec,
    openApi: store.openApi,
    streams: device,
    telemetry: device,
    tokens: (token) => USERS.get(token),
    log,
    clock: systemClock,
    ...overrides,
  });
  const { port } = await server.start();
  const admin = await pki.issueClient('kubernetes-admin', ['system:masters'], 10);
  const kubeconfig = join(dir, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText(`https://127.0.0.1:${port}`, pki.caPem, admin), { mode: 0o600 });
  const env = { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(dir, 'cache'), HOME: dir };
  const address = { host: '127.0.0.1', port, ca: pki.caPem };
  return {
    dir,
    port,
    caPem: pki.caPem,
    store,
    device,
    server,
    complaints,
    kubectl: (...args) => run('kubectl', args, { env, cwd: dir }),
    kubectlWith: (options, ...args) => run('kubectl', args, { env, cwd: dir, ...options }),
    run: (command, ...args) => run(command, args, { env, cwd: dir }),
    ask: (method, path, options = {}) => ask(address, method, path, options),
    open: (path, headers = {}) => open(address, path, headers),
    put: (object) => store.put(object),
    stop: async () => {
      device.stop();
      await server.stop();
      await store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const USERS = new Map([
  [ADMIN_TOKEN, { name: 'test-admin', groups: ['system:masters'] }],
  [GUEST_TOKEN, { name: 'guest', groups: [] }],
]);

interface RunOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly input?: string;
  readonly timeoutMs?: number;
}

function run(command: string, args: readonly string[], options: RunOptions): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: options.env, cwd: options.cwd, stdio: 'pipe' });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    // SIGINT first, as a person would end `get -w`; the dispatcher passes it on.
    const timer = setTimeout(() => child.kill('SIGINT'), options.timeoutMs ?? 30_000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, out, err });
    });
    child.stdin.on('error', () => child.kill()); // a command that reads no input closes it early
    child.stdin.end(options.input ?? '');
  });
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
}

function ask(address: Address, method: string, path: string, options: AskOptions): Promise<Reply> {
  const { body, token = ADMIN_TOKEN } = options;
  const bytes = body === undefined || body instanceof Uint8Array ? body : encode(body);
  const headers: Record<string, string> = {
    ...(bytes === undefined ? {} : { 'content-type': 'application/json' }),
    // Node frames the body of a DELETE only when told its length.
    ...(bytes === undefined ? {} : { 'content-length': String(Buffer.byteLength(bytes)) }),
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...options.headers,
  };
  return new Promise((resolve, reject) => {
    const sent = request({ ...address, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const { statusCode: status = 0 } = response;
        resolve({ status, headers: response.headers, text, json: parsed(text) });
      });
    });
    sent.on('error', reject);
    sent.end(bytes);
  });
}

const encode = (body: unknown): string => (typeof body === 'string' ? body : JSON.stringify(body));

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // plain text or YAML: the caller looks at `text`
  }
}

function open(
  address: Address,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { ...address, path, headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers } },
      resolve,
    );
    sent.on('error', reject);
    sent.end();
  });
}

/** Waits until `check` holds; fails after `limitMs` with `what`. */
export async function eventually(what: string, check: () => boolean, limitMs = 10_000): Promise<void> {
  const deadlineMs = Date.now() + limitMs;
  while (!check()) {
    if (Date.now() > deadlineMs) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
