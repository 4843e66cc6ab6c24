import { readFile } from 'node:fs/promises';
import { isDueForRenewal, isSignedBy } from '../../kit/certificates.ts';
import type { Clock } from '../../kit/clock.ts';
import { writeFileDurably } from '../../kit/durable-file.ts';
import type { KeyPair } from './authority.ts';

const ADMIN_DAYS = 365;

/** The part of the authority that a kubeconfig needs. */
export interface KubeconfigIssuer {
  readonly caPem: string;
  issueClient(commonName: string, organisations: readonly string[], days: number): Promise<KeyPair>;
}

/**
 * Makes sure that `path` holds a kubeconfig (mode 0600) for this CA and `server`, with a certificate of kubernetes-admin in
 * system:masters that has at least a third of its year left. A good file is left as it is. True when it was written.
 */
export async function ensureKubeconfig(
  issuer: KubeconfigIssuer,
  options: { readonly path: string; readonly server: string; readonly clock: Clock },
): Promise<boolean> {
  if (await isGood(options.path, options.server, issuer.caPem, options.clock.nowMs())) return false;
  const admin = await issuer.issueClient('kubernetes-admin', ['system:masters'], ADMIN_DAYS);
  await writeFileDurably(options.path, kubeconfigText(options.server, issuer.caPem, admin));
  return true;
}

/** A kubeconfig with embedded certificates: one cluster, one user, one context, all named after Coxswain. */
export function kubeconfigText(server: string, caPem: string, admin: KeyPair): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return `apiVersion: v1
kind: Config
clusters:
- name: coxswain
  cluster:
    server: ${JSON.stringify(server)}
    certificate-authority-data: ${base64(caPem)}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: ${base64(admin.certPem)}
    client-key-data: ${base64(admin.keyPem)}
contexts:
- name: kubernetes-admin@coxswain
  context:
    cluster: coxswain
    user: kubernetes-admin
current-context: kubernetes-admin@coxswain
`;
}

async function isGood(path: string, server: string, caPem: string, nowMs: number): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  const held = /^ {4}client-certificate-data: (\S+)$/m.exec(text)?.[1];
  if (held === undefined || !text.includes(`server: ${JSON.stringify(server)}\n`)) return false;
  const certPem = Buffer.from(held, 'base64').toString();
  return !isDueForRenewal(certPem, ADMIN_DAYS, nowMs) && isSignedBy(certPem, caPem);
}
