/** What tests of port-forward and proxy need: a running `kubectl port-forward`, and servers for pods to seem to run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestHub } from './hub.ts';

/** A `kubectl port-forward` that is listening. */
export interface Forward {
  /** The local port it listens on. */
  readonly port: number;
  /** What it has written to standard error so far. */
  errors(): string;
  stop(): Promise<void>;
}

/** Starts `kubectl port-forward ...args` with more environment and waits until it listens. */
export function startForward(
  hub: TestHub,
  more: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<Forward> {
  const env = {
    ...process.env,
    KUBECONFIG: `${hub.dir}/kubeconfig`,
    KUBECACHEDIR: `${hub.dir}/cache`,
    HOME: hub.dir,
    ...more,
  };
  const child = spawn('kubectl', ['port-forward', ...args], { env, cwd: hub.dir, stdio: 'pipe' });
  let err = '';
  let out = '';
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    void ended.then(() => reject(new Error(`port-forward ended: ${err}${out}`)));
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      const port = /127\.0\.0\.1:(\d+)/.exec(out)?.[1];
      if (port === undefined) return;
      resolve({ port: Number(port), errors: () => err, stop: () => stop(child, ended) });
    });
  });
}

function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGINT');
  return ended;
}

/** An HTTP server on loopback. */
export function startServer(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly port: number; readonly server: Server; stop(): void }> {
  const server = createServer(answer);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      const stop = (): void => {
        server.close();
        server.closeAllConnections();
      };
      resolve({ port, server, stop });
    });
  });
}

/** Reads a URL to its end without keeping it; rejects when the body is cut short. */
export function fetchDigest(url: string): Promise<{ status: number; bytes: number; sha256: string }> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      const hash = createHash('sha256');
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, bytes, sha256: hash.digest('hex') }),
      );
    }).on('error', reject);
  });
}

/** `total` bytes of a repeating pattern, as fast as they are taken. */
export function sendPattern(response: ServerResponse, total: number): void {
  const piece = Buffer.alloc(64 * 1024, 'coxswain ');
  let left = total;
  const pump = (): void => {
    while (left > 0) {
      const part = piece.subarray(0, left);
      left -= part.length;
      if (!response.write(part)) {
        response.once('drain', pump);
        return;
      }
    }
    response.end();
  };
  response.writeHead(200, { 'Content-Length': total });
  pump();
}

/** SHA-256 of what `sendPattern` sends, in hex. */
export function patternDigest(total: number): string {
  const piece = Buffer.alloc(64 * 1024, 'coxswain ');
  const hash = createHash('sha256');
  for (let left = total; left > 0; left -= piece.length) hash.update(piece.subarray(0, left));
  return hash.digest('hex');
}

/** `kubectl proxy` on a free port of loopback; the caller ends the child. */
export function startKubectlProxy(hub: Pick<TestHub, 'dir'>): Promise<{ child: ChildProcess; port: number }> {
  const env = { ...process.env, KUBECONFIG: `${hub.dir}/kubeconfig`, HOME: hub.dir };
  const child = spawn('kubectl', ['proxy', '--port=0'], { env, stdio: 'pipe' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.stdout.on('data', (chunk: Buffer) => {
      const port = /127\.0\.0\.1:(\d+)/.exec(chunk.toString())?.[1];
      if (port !== undefined) resolve({ child, port: Number(port) });
    });
  });
}
