/** Requests of the command line to the hub's API. */
import { HttpsError, type HttpsRequest, sendHttps } from '../kit/https.ts';
import { CliError } from './cli-error.ts';
import { type Access, findKubeconfig, kubeconfigCandidates, readAccess } from './kubeconfig.ts';

const TIMEOUT_MS = 15_000;
/** Longest a watch is followed. */
const WATCH_MS = 24 * 3_600_000;

/** A hub and who asks. */
export interface HubClient {
  readonly access: Access;
  /** Parsed JSON of a good answer; the body of a PATCH is a merge patch. Throws CliError with the hub's own message. */
  ask(method: HttpsRequest['method'], path: string, body?: unknown): Promise<unknown>;
  /** Follows a watch until `signal` aborts, or rejects with CliError when it ends earlier. */
  follow(path: string, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void>;
  /** The same, but undefined when the hub knows no such thing. */
  find(path: string): Promise<unknown>;
}

/** One line of a watch. */
export interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

/** A client for the hub of the kubeconfig the flag names, else of the first one found; `env` is $KUBECONFIG. */
export async function openHub(flag: string | undefined, env: string | undefined): Promise<HubClient> {
  const { path, text } = await findKubeconfig(kubeconfigCandidates(flag, env));
  const access = await readAccess(path, text);
  return {
    access,
    ask: async (method, target, body) => good(await exchange(access, method, target, body)),
    follow: (target, onEvent, signal) => follow(access, target, onEvent, signal),
    find: async (target) => {
      const answer = await exchange(access, 'GET', target);
      return answer.code === 404 ? undefined : good(answer);
    },
  };
}

interface Answer {
  readonly code: number;
  readonly body: string;
}

async function follow(
  access: Access,
  path: string,
  onEvent: (event: WatchEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const onLine = (line: string): void => onEvent(JSON.parse(line) as WatchEvent);
  try {
    good(await send({ ...to(access, 'GET', path), timeoutMs: WATCH_MS, onLine, signal }));
  } catch (error) {
    if (!signal.aborted) throw error;
    return;
  }
  if (!signal.aborted) throw new CliError('the hub ended the watch; is it restarting? Try again.');
}

function exchange(
  access: Access,
  method: HttpsRequest['method'],
  path: string,
  body?: unknown,
): Promise<Answer> {
  return send({
    ...to(access, method, path),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(method === 'PATCH' ? { contentType: 'application/merge-patch+json' } : {}),
    timeoutMs: TIMEOUT_MS,
  });
}

function to(
  { server, caPem, certPem, keyPem, token }: Access,
  method: HttpsRequest['method'],
  path: string,
): Omit<HttpsRequest, 'timeoutMs'> {
  return {
    url: `${server.replace(/\/$/, '')}${path}`,
    method,
    trust: { pinned: caPem },
    ...(certPem === undefined || keyPem === undefined ? {} : { identity: { certPem, keyPem } }),
    ...(token === undefined ? {} : { bearer: token }),
    nowMs: Date.now(),
  };
}

async function send(request: HttpsRequest): Promise<Answer> {
  try {
    return await sendHttps(request);
  } catch (error) {
    if (!(error instanceof HttpsError)) throw error;
    if (error.reason === 'Untrusted')
      throw new CliError(
        `${error.message}\nCopy the hub's kubeconfig again: it may have a new certificate.`,
        {
          cause: error,
        },
      );
    throw new CliError(
      `${error.message}\nIs the hub running? On its machine: systemctl status coxswain-hub`,
      {
        cause: error,
      },
    );
  }
}

function good({ code, body }: Answer): unknown {
  const value = json(body);
  if (code < 300) return value;
  const why = `the hub refused (${code}): ${statusMessage(value) ?? body.slice(0, 200)}`;
  if (code !== 401) throw new CliError(why);
  throw new CliError(`${why}\nThe kubeconfig proves nobody the hub knows; copy the hub's again.`);
}

/** The message of a Kubernetes Status, when the value is one. */
export function statusMessage(value: unknown): string | undefined {
  const message =
    typeof value === 'object' && value !== null ? (value as { message?: unknown }).message : undefined;
  return typeof message === 'string' ? message : undefined;
}

/** Parsed JSON, or undefined when it is none. */
export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever asked decides what an answer of another form means.
    return undefined;
  }
}
