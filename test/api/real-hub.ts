/** A whole hub in this process, as `cox hub` starts it, and the real kubectl as anybody. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SERVICE_CIDR } from '../../hub/decide/service-addresses.ts';
import { Hub, type HubOptions } from '../../hub/hub.ts';
import { type Authority, openAuthority } from '../../hub/pki/authority.ts';
import { systemClock } from '../../kit/clock.ts';
import { createLogger } from '../../kit/logger.ts';
import type { Output, Reply } from './hub.ts';

/** With what somebody comes: a bearer token, or a certificate with its key. */
export interface Credentials {
  readonly token?: string;
  readonly cert?: { readonly certPem: string; readonly keyPem: string };
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RealHub {
  readonly dir: string;
  readonly port: number;
  /** The hub's own authority, to play people and devices with. */
  readonly authority: Authority;
  /** Lines the hub logged at warn and above. */
  readonly complaints: string[];
  /** kubectl with the administrator's kubeconfig. */
  kubectl(...args: string[]): Promise<Output>;
  /** Like `kubectl`, with something on stdin; fails the case unless it succeeds. */
  apply(manifest: object): Promise<string>;
  ask(method: string, path: string, as?: Credentials, body?: object): Promise<Reply>;
  /** Stops the hub and starts it again on the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a hub on free ports of loopback. */
export async function startRealHub(
  overrides: Partial<HubOptions> = {},
  { audit = false } = {},
): Promise<RealHub> {
  const dir = mkdtempSync(join(tmpdir(), 'cox-people-'));
  const complaints: string[] = [];
  const log = createLogger('warn', { write: (line) => void complaints.push(line) });
  const make = (ports: { apiPort: number; mqttPort: number }): Hub =>
    new Hub({
      dataDir: dir,
      bind: '127.0.0.1',
      advertise: ['127.0.0.1'],
      broker: '',
      clusterCidr: '10.244.0.0/16',
      serviceCidr: SERVICE_CIDR,
      tolerationSeconds: 0,
      auditLog: audit ? join(dir, 'audit.log') : '',
      auditLogMaxMib: 1,
      schemaDir: join(dir, 'schema'),
      clock: systemClock,
      log,
      ...ports,
      ...overrides,
    });
  let hub = make({ apiPort: 0, mqttPort: 0 });
  const { apiPort: port, mqttPort, kubeconfig } = await hub.start();
  const authority = await openAuthority(join(dir, 'pki'), { hosts: ['127.0.0.1'], clock: systemClock, log });
  const env = { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(dir, 'cache'), HOME: dir };
  const kubectl = (input: string, args: readonly string[]): Promise<Output> => run(args, env, input);
  return {
    dir,
    port,
    authority,
    complaints,
    kubectl: (...args) => kubectl('', args),
    apply: async (manifest) => {
      const { code, out, err } = await kubectl(JSON.stringify(manifest), [
        'apply',
        '--validate=false',
        '-f',
        '-',
      ]);
      if (code !== 0) throw new Error(`apply: ${out}${err}`);
      return out;
    },
    ask: (method, path, as, body) => ask({ dir, port }, method, path, as ?? {}, body),
    restart: async () => {
      await hub.stop();
      hub = make({ apiPort: port, mqttPort });
      await hub.start();
    },
    stop: async () => {
      await hub.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function run(args: readonly string[], env: NodeJS.ProcessEnv, input: string): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn('kubectl', args, { env, stdio: 'pipe' });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? -1, out, err });
    });
    child.stdin.on('error', () => child.kill()); // a command that reads no input closes it early
    child.stdin.end(input);
  });
}

function ask(
  hub: { dir: string; port: number },
  method: string,
  path: string,
  { token, cert, headers: more }: Credentials,
  body: object | undefined,
): Promise<Reply> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(bytes === undefined ? {} : { 'Content-Type': 'application/json', 'content-length': bytes.length }),
    ...more,
  };
  const tls = {
    ca: readFileSync(join(hub.dir, 'pki/ca.crt')),
    agent: false as const,
    ...(cert === undefined ? {} : { cert: cert.certPem, key: cert.keyPem }),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: hub.port, method, path, headers, ...tls }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const json: unknown = text.startsWith('{') ? JSON.parse(text) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
      });
    });
    sent.on('error', reject);
    sent.end(bytes);
  });
}
