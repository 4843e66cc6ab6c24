/** Reading and merging kubeconfig files. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { writeFileDurably } from '../kit/durable-file.ts';
import { fromYaml, toYaml } from '../kit/yaml.ts';
import { CliError } from './cli-error.ts';

/** Where the hub of this machine writes its own. */
export const HUB_KUBECONFIG = '/var/lib/coxswain-hub/kubeconfig';

/** How to reach a hub and as whom; all PEM. */
export interface Access {
  readonly server: string;
  readonly caPem: string;
  readonly certPem?: string;
  readonly keyPem?: string;
  readonly token?: string;
}

interface Named {
  name: string;
}
interface ClusterEntry extends Named {
  cluster?: Record<string, string>;
}
interface UserEntry extends Named {
  user?: Record<string, string>;
}
interface ContextEntry extends Named {
  context?: { cluster?: string; user?: string };
}
interface Kubeconfig {
  clusters?: ClusterEntry[] | null;
  users?: UserEntry[] | null;
  contexts?: ContextEntry[] | null;
  'current-context'?: string;
}

/** The files to look into, first wins: the flag, $KUBECONFIG, the hub's on this machine, the user's own. */
export function kubeconfigCandidates(flag: string | undefined, env: string | undefined): string[] {
  if (flag !== undefined) return [resolve(flag)];
  const named = (env ?? '').split(':').filter((path) => path !== '');
  if (named.length > 0) return named;
  return [HUB_KUBECONFIG, join(homedir(), '.kube/config')];
}

/** The first readable file of the candidates. Throws CliError naming what was tried. */
export async function findKubeconfig(candidates: readonly string[]): Promise<{ path: string; text: string }> {
  const tried: string[] = [];
  for (const path of candidates) {
    try {
      return { path, text: await readFile(path, 'utf8') };
    } catch (error) {
      tried.push(`${path} (${whyNot(error as NodeJS.ErrnoException)})`);
    }
  }
  throw new CliError(
    `no kubeconfig could be read:\n  ${tried.join('\n  ')}\nName one with --kubeconfig, or run this on the hub as root.`,
  );
}

function whyNot({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'not there';
  return code === 'EACCES' ? 'permission denied' : message;
}

/** What the current context of a kubeconfig grants. Throws CliError. */
export async function readAccess(path: string, text: string): Promise<Access> {
  const config = parsed(path, text);
  const context = config.contexts?.find((c) => c.name === config['current-context'])?.context;
  const cluster = config.clusters?.find((c) => c.name === context?.cluster)?.cluster;
  const user = config.users?.find((u) => u.name === context?.user)?.user ?? {};
  const server = cluster?.['server'];
  if (server === undefined || cluster === undefined)
    throw new CliError(
      `${path} has no current context with a server; choose one: kubectl config use-context NAME`,
    );
  const caPem = await content(path, cluster, 'certificate-authority');
  if (caPem === undefined)
    throw new CliError(
      `${path} names no certificate authority for ${server}; copy the hub's kubeconfig again.`,
    );
  const certPem = await content(path, user, 'client-certificate');
  const keyPem = await content(path, user, 'client-key');
  return {
    server,
    caPem,
    ...(certPem === undefined || keyPem === undefined ? {} : { certPem, keyPem }),
    ...(user['token'] === undefined ? {} : { token: user['token'] }),
  };
}

/** Puts the entries of `from` into the kubeconfig at `target` (made when missing) and makes them current. */
export async function mergeKubeconfig(from: string, fromText: string, target: string): Promise<void> {
  const added = parsed(from, fromText);
  let heldText = 'apiVersion: v1\nkind: Config\n';
  try {
    heldText = await readFile(target, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const held = parsed(target, heldText);
  const merge = <T extends Named>(
    old: readonly T[] | null | undefined,
    fresh: readonly T[] | null | undefined,
  ): T[] => {
    const names = new Set((fresh ?? []).map((entry) => entry.name));
    return [...(old ?? []).filter((entry) => !names.has(entry.name)), ...(fresh ?? [])];
  };
  const merged = {
    ...held,
    clusters: merge(held.clusters, added.clusters),
    users: merge(held.users, added.users),
    contexts: merge(held.contexts, added.contexts),
    'current-context': added['current-context'],
  };
  await writeFileDurably(target, toYaml(merged));
}

function parsed(path: string, text: string): Kubeconfig {
  let value: unknown;
  try {
    value = fromYaml(text);
  } catch (cause) {
    throw new CliError(`${path} is not YAML; copy the hub's kubeconfig again.`, { cause });
  }
  if (typeof value !== 'object' || value === null)
    throw new CliError(`${path} is not a kubeconfig; copy the hub's kubeconfig again.`);
  return value;
}

/** `NAME-data` in base64, or the file `NAME` points to. */
async function content(
  path: string,
  fields: Readonly<Record<string, string>>,
  name: string,
): Promise<string | undefined> {
  const data = fields[`${name}-data`];
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const file = fields[name];
  return file === undefined ? undefined : readFile(resolve(dirname(path), file), 'utf8');
}
