import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { withDeadline } from '../../kit/deadline.ts';
import type { Container, HttpGetAction, LifecycleHandler, ProbeHandler } from '../../protocol/kinds/pod.ts';
import { isRuntimeError } from '../decide/runtime-error.ts';
import { grpcHealth } from './grpc-health.ts';
import type { Runtime } from './ports.ts';

/** A container that a probe or hook addresses. */
export interface HandlerTarget {
  readonly containerId: string;
  readonly container: Container;
  /** Where the pod answers: its address, or the node's for the host network. */
  readonly host: string;
}

/** `ok`, or the words of the Unhealthy or FailedPostStartHook event. */
export type HandlerResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

const OK: HandlerResult = { ok: true };
const bad = (message: string): HandlerResult => ({ ok: false, message });
/** What of a probe's output is kept for its event. */
const OUTPUT_BYTES = 1024;

/**
 * Carries out one probe or hook handler within `timeoutMs`. A handler that fails says so in its result; it rejects only
 * when the engine is gone or `signal` aborts, which says nothing about the container.
 */
export async function runHandler(
  runtime: Pick<Runtime, 'exec'>,
  handler: ProbeHandler & LifecycleHandler,
  target: HandlerTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HandlerResult> {
  try {
    return await withDeadline(timeoutMs, signal, (limit) =>
      attempt(runtime, handler, target, timeoutMs, limit),
    );
  } catch (error) {
    if (signal.aborted || isRuntimeError(error, 'EngineUnreachable', 'Aborted')) throw error;
    return bad(error instanceof Error ? error.message : String(error));
  }
}

async function attempt(
  runtime: Pick<Runtime, 'exec'>,
  handler: ProbeHandler & LifecycleHandler,
  target: HandlerTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HandlerResult> {
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const result = await runtime.exec(
      target.containerId,
      command,
      { timeoutMs, maxBytes: OUTPUT_BYTES },
      signal,
    );
    return result.exitCode === 0 ? OK : bad(result.output.trim() || `exit code ${result.exitCode}`);
  }
  if (handler.httpGet !== undefined) return httpGet(handler.httpGet, target, signal);
  if (handler.tcpSocket !== undefined) {
    const port = portNumber(target.container, handler.tcpSocket.port);
    return tcpConnect(handler.tcpSocket.host || target.host, port, signal);
  }
  if (handler.grpc !== undefined) {
    const status = await grpcHealth(target.host, handler.grpc.port, handler.grpc.service ?? '', signal);
    return status === 'SERVING' ? OK : bad(`service unhealthy (responded with "${status}")`);
  }
  if (handler.sleep !== undefined) await pause(handler.sleep.seconds * 1000, signal);
  return OK;
}

/** A named port is one of the container's own. */
export function portNumber(container: Container, port: number | string): number {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((p) => p.name === port)?.containerPort;
  const number = named ?? Number(port);
  if (!Number.isInteger(number)) throw new Error(`container ${container.name} has no port named ${port}`);
  return number;
}

function httpGet(action: HttpGetAction, target: HandlerTarget, signal: AbortSignal): Promise<HandlerResult> {
  const secure = action.scheme === 'HTTPS';
  const host = action.host || target.host;
  const port = portNumber(target.container, action.port);
  const headers: Record<string, string> = {
    'user-agent': 'kube-probe/1.0',
    accept: '*/*',
    connection: 'close',
  };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  const path = (action.path ?? '/').startsWith('/') ? (action.path ?? '/') : `/${action.path}`;
  const options = { host, port, path, headers, signal, agent: false, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(options, (response) => {
      response.resume();
      const code = response.statusCode ?? 0;
      resolve(code >= 200 && code < 400 ? OK : bad(`HTTP probe failed with statuscode: ${code}`));
    });
    request.on('error', (error) => {
      const url = `${secure ? 'https' : 'http'}://${host}:${port}${path}`;
      reject(new Error(`Get "${url}": ${reasonText(error, signal)}`, { cause: error }));
    });
    request.end();
  });
}

function tcpConnect(host: string, port: number, signal: AbortSignal): Promise<HandlerResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const onAbort = (): void => {
      socket.destroy(new Error('timeout'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(OK);
    });
    socket.on('error', (error) => {
      signal.removeEventListener('abort', onAbort);
      reject(new Error(`dial tcp ${host}:${port}: ${error.message}`, { cause: error }));
    });
  });
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, delayMs);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}

function reasonText(error: Error, signal: AbortSignal): string {
  return signal.aborted
    ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    : error.message;
}
