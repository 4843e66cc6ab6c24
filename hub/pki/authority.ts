/** The cluster's certificate authority: who the hub is, and who belongs to it. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  certificateProblem,
  isDueForRenewal,
  publicKeyHash,
  type Subject,
  subjectOf,
} from '../../kit/certificates.ts';
import type { Clock } from '../../kit/clock.ts';
import { NODE_CERTIFICATE_DAYS, NODES_GROUP, newPrivateKeyPem, nodeCommonName } from '../../kit/csr.ts';
import { isDiskFull } from '../../kit/durable-error.ts';
import { writeFileDurably } from '../../kit/durable-file.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Leaf, Life } from '../../kit/x509.ts';

const CA_DAYS = 20 * 365;
const SERVER_DAYS = 365;
/** Longest life of a person's certificate. */
const PERSON_SECONDS = 365 * 86_400;
const RESERVED_GROUPS = ['system:masters', NODES_GROUP];
/** How far a server certificate reaches back, for clients with a slow clock; browsers refuse lives above 825 days. */
const SERVER_BACKDATED_DAYS = 30;
const DAY_MS = 86_400_000;
/** No certificate is issued as of an earlier time: a hub without a clock battery may start in 1970. */
const CLOCK_FLOOR_MS = Date.UTC(2026, 0, 1);

/** What an authority needs: where the hub is reached (names and addresses), and the time. */
export interface AuthorityOptions {
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** A certificate with its key, both PEM. */
export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** What the authority says of a peer's certificate. `expired` is the only doubt `ours` may leave. */
export type PeerVerdict =
  | ({ readonly ours: true; readonly expired: boolean } & Subject)
  | { readonly ours: false; readonly why: 'Unreadable' | 'ForeignIssuer' | 'WrongPurpose' };

/** Reads or makes the CA, the cluster id and the server certificate below `dir`; nothing is signed when all is there and good. */
export async function openAuthority(dir: string, options: AuthorityOptions): Promise<Authority> {
  const ca = await openCa(dir, options);
  const authority = new Authority(dir, await openClusterId(dir, ca.certPem), ca, options);
  await authority.refreshServer();
  return authority;
}

/**
 * Holds the CA in memory and signs. Invariant: a certificate it signs names the subject the caller asked for, never the one a
 * request asks for. The X.509 library is loaded with the first signature, not before.
 */
export class Authority {
  readonly clusterId: string;
  readonly caPem: string;
  /** `sha256:` and hex of the CA's public key: what `cox join` is given to know the hub by. */
  readonly caHash: string;
  readonly #dir: string;
  readonly #ca: KeyPair;
  readonly #options: AuthorityOptions;
  #server: KeyPair = { certPem: '', keyPem: '' };

  constructor(dir: string, clusterId: string, ca: KeyPair, options: AuthorityOptions) {
    this.#dir = dir;
    this.#ca = ca;
    this.#options = options;
    this.clusterId = clusterId;
    this.caPem = ca.certPem;
    this.caHash = publicKeyHash(ca.certPem);
  }

  get serverKeyPem(): string {
    return this.#server.keyPem;
  }

  get serverCertPem(): string {
    return this.#server.certPem;
  }

  /** Re-issues the server certificate when it is missing, lacks a host or nears its end. True when it changed: reload TLS. */
  async refreshServer(): Promise<boolean> {
    const certPath = join(this.#dir, 'server.crt');
    const keyPath = join(this.#dir, 'server.key');
    const hosts = serverHosts(this.#options.hosts);
    if (this.#server.keyPem === '')
      this.#server = { certPem: (await read(certPath)) ?? '', keyPem: (await read(keyPath)) ?? '' };
    if (this.#isServerGood(hosts)) return false;
    const keyPem = newPrivateKeyPem();
    const life = this.#life(SERVER_DAYS, SERVER_BACKDATED_DAYS);
    const subject = { commonName: 'coxswain-hub', organisations: [] };
    const certPem = await this.#sign({ subject, life, use: 'server', hosts }, keyPem);
    this.#server = { certPem, keyPem };
    const { log } = this.#options;
    try {
      await writeFileDurably(keyPath, keyPem);
      await writeFileDurably(certPath, certPem);
    } catch (err) {
      if (!isDiskFull(err)) throw err;
      log.warn('disk full: server certificate kept in memory, the next start issues another', { err });
    }
    log.info('server certificate issued', { hosts, days: SERVER_DAYS });
    return true;
  }

  /** A client certificate with a new key, for people and for the hub's own links. */
  async issueClient(commonName: string, organisations: readonly string[], days: number): Promise<KeyPair> {
    const keyPem = newPrivateKeyPem();
    const subject = { commonName, organisations };
    return { keyPem, certPem: await this.#sign({ subject, life: this.#life(days), use: 'client' }, keyPem) };
  }

  /** A device's certificate (PEM) for the key its request proves. Throws RequestError of kit/x509. */
  async signNodeCsr(csrPem: string, nodeName: string): Promise<string> {
    const { readRequest, signLeaf } = await import('../../kit/x509.ts');
    const publicKeyPem = await readRequest(csrPem);
    const subject = { commonName: nodeCommonName(nodeName), organisations: [NODES_GROUP] };
    const life = this.#life(NODE_CERTIFICATE_DAYS);
    return signLeaf(this.#ca, { subject, life, use: 'client', publicKeyPem });
  }

  /**
   * A person's certificate for the subject its request asks for, or why there is none. The hub's own names and those of devices are
   * never signed this way: who carries them is believed more than any role can give.
   */
  async signPersonRequest(
    csrPem: string,
    seconds: number,
  ): Promise<{ readonly certPem: string } | { readonly why: string }> {
    const { readRequest, RequestError, requestedSubject, signLeaf } = await import('../../kit/x509.ts');
    try {
      const publicKeyPem = await readRequest(csrPem);
      const subject = requestedSubject(csrPem);
      const why = subjectProblem(subject);
      if (why !== undefined) return { why };
      const days = Math.min(seconds, PERSON_SECONDS) / (DAY_MS / 1000);
      return {
        certPem: await signLeaf(this.#ca, { subject, life: this.#life(days), use: 'client', publicKeyPem }),
      };
    } catch (error) {
      if (error instanceof RequestError) return { why: error.message };
      throw error;
    }
  }

  /** Why nobody may ask for a certificate of this subject by request; undefined when one may. Never throws. */
  async requestProblem(csrPem: string): Promise<string | undefined> {
    const { RequestError, requestedSubject } = await import('../../kit/x509.ts');
    try {
      return subjectProblem(requestedSubject(csrPem));
    } catch (error) {
      if (error instanceof RequestError) return error.message;
      throw error;
    }
  }

  /** Whether a client certificate (DER) is one of ours; an expired one still is, and says so. Never throws. */
  verifyOurs(certificate: Buffer): PeerVerdict {
    const nowMs = this.#options.clock.nowMs();
    const problem = certificateProblem(certificate, this.caPem, { purpose: 'client', nowMs });
    if (problem === undefined || problem === 'Expired')
      return { ours: true, expired: problem === 'Expired', ...subjectOf(certificate) };
    return { ours: false, why: problem === 'WrongName' ? 'ForeignIssuer' : problem };
  }

  #isServerGood(hosts: readonly string[]): boolean {
    const { certPem, keyPem } = this.#server;
    const nowMs = this.#options.clock.nowMs();
    if (keyPem === '' || isDueForRenewal(certPem, SERVER_DAYS, nowMs)) return false;
    const parsed = new X509Certificate(certPem);
    // A power cut between the two files leaves a key that is not the certificate's.
    if (!parsed.checkPrivateKey(createPrivateKey(keyPem))) return false;
    const leaf = parsed.raw;
    return hosts.every(
      (host) => certificateProblem(leaf, this.caPem, { purpose: 'server', host, nowMs }) === undefined,
    );
  }

  async #sign(leaf: Omit<Leaf, 'publicKeyPem'>, keyPem: string): Promise<string> {
    const { signLeaf, toPublicPem } = await import('../../kit/x509.ts');
    return signLeaf(this.#ca, { ...leaf, publicKeyPem: toPublicPem(keyPem) });
  }

  /** Client certificates begin in 1970, because the hub that checks them may think it is 1970. */
  #life(days: number, backdatedDays?: number): Life {
    const nowMs = Math.max(this.#options.clock.nowMs(), CLOCK_FLOOR_MS);
    const notBeforeMs = backdatedDays === undefined ? 0 : nowMs - backdatedDays * DAY_MS;
    return { notBeforeMs, notAfterMs: nowMs + days * DAY_MS };
  }
}

function subjectProblem({ commonName, organisations }: Subject): string | undefined {
  if (commonName === '') return 'its subject has no common name';
  const group = organisations.find((name) => RESERVED_GROUPS.includes(name));
  if (group !== undefined)
    return `use of kubernetes.io/kube-apiserver-client signer with ${group} group is not allowed`;
  if (commonName.startsWith(nodeCommonName('')) || commonName.startsWith('coxswain-'))
    return `the name ${commonName} is not for people`;
  return undefined;
}

/** The names under which a hub must prove itself: the given ones, loopback, and the API's names inside pods. */
function serverHosts(hosts: readonly string[]): string[] {
  const own = ['localhost', '127.0.0.1', '::1', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  return [...new Set([...hosts, ...own])];
}

async function openCa(dir: string, { clock, log }: AuthorityOptions): Promise<KeyPair> {
  const [certPath, keyPath] = [join(dir, 'ca.crt'), join(dir, 'ca.key')];
  const [certPem, heldKey] = [await read(certPath), await read(keyPath)];
  if (certPem !== undefined) {
    if (heldKey === undefined)
      throw new Error(`${certPath} is there but its key ${keyPath} is missing: restore it from a backup`);
    return { certPem, keyPem: heldKey };
  }
  // A key alone is what a power cut between the two writes leaves: no certificate of it was ever handed out.
  const keyPem = heldKey ?? newPrivateKeyPem();
  if (heldKey === undefined) await writeFileDurably(keyPath, keyPem);
  const { createAuthority } = await import('../../kit/x509.ts');
  const notAfterMs = Math.max(clock.nowMs(), CLOCK_FLOOR_MS) + CA_DAYS * DAY_MS;
  const created = await createAuthority(keyPem, 'coxswain-ca', { notBeforeMs: 0, notAfterMs });
  await writeFileDurably(certPath, created);
  log.info('certificate authority created', { path: certPath, caHash: publicKeyHash(created) });
  return { certPem: created, keyPem };
}

/**
 * The cluster id lives in its own file, so that a backup can carry it alone; without the file it is made from the CA's public key,
 * because a hub that forgot its id would be refused by its whole fleet.
 */
async function openClusterId(dir: string, caPem: string): Promise<string> {
  const path = join(dir, 'cluster.json');
  const held = await read(path);
  if (held !== undefined) {
    const parsed: unknown = JSON.parse(held);
    const id = (parsed as { id?: unknown } | null)?.id;
    if (typeof id !== 'string' || id === '') throw new Error(`${path} holds no cluster id`);
    return id;
  }
  const digest = createHash('sha256').update(publicKeyHash(caPem)).digest('hex');
  const id = digest.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  await writeFileDurably(path, `${JSON.stringify({ id })}\n`);
  return id;
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
