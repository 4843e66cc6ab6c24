/** Requests of the command line to the hub's API. */
import { HttpsError, type HttpsRequest, sendHttps } from '../kit/https.ts';
import { CliError } from './cli-error.ts';
import { type Access, findKubeconfig, kubeconfigCandidates, readAccess } from './kubeconfig.ts';

const TIMEOUT_MS = 15_000;

/** A hub and who asks. */
export interface HubClient {
  readonly access: Access;
  /** Parsed JSON of a good answer. Throws CliError with the hub's own message. */
  ask(method: HttpsRequest['method'], path: string, body?: unknown): Promise<unknown>;
  /** The same, but undefined when the hub knows no such thing. */
  find(path: string): Promise<unknown>;
}

/** A client for the hub of the kubeconfig the flag names, else of the first one found; `env` is $KUBECONFIG. */
export async function openHub(flag: string | undefined, env: string | undefined): Promise<HubClient> {
  const { path, text } = await findKubeconfig(kubeconfigCandidates(flag, env));
  const access = await readAccess(path, text);
  const send = (method: HttpsRequest['method'], target: string, body?: unknown): Promise<Answer> =>
    exchange(access, method, target, body);
  return {
    access,
    ask: async (method, target, body) => good(await send(method, target, body)),
    find: async (target) => {
      const answer = await send('GET', target);
      return answer.code === 404 ? undefined : good(answer);
    },
  };
}

interface Answer {
  readonly code: number;
  readonly body: string;
}

async function exchange(
  access: Access,
  method: HttpsRequest['method'],
  path: string,
  body?: unknown,
): Promise<Answer> {
  const { server, caPem, certPem, keyPem, token } = access;
  try {
    return await sendHttps({
      url: `${server.replace(/\/$/, '')}${path}`,
      method,
      trust: { pinned: caPem },
      ...(certPem === undefined || keyPem === undefined ? {} : { identity: { certPem, keyPem } }),
      ...(token === undefined ? {} : { bearer: token }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: TIMEOUT_MS,
      nowMs: Date.now(),
    });
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
