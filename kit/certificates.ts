/**
 * What Coxswain checks about certificates, on node:crypto alone. Our certificates are signed by the cluster's CA directly, so
 * that one signature, one purpose and the names are the whole chain. Checks ignore `notBefore`: a board without a clock battery
 * boots in 1970, and "not yet valid" protects nothing when the CA is pinned.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** What a certificate may be used for. */
export type Purpose = 'server' | 'client';

/** Why a certificate was refused; `Expired` is told only when all else is right. */
export type CertificateProblem = 'Unreadable' | 'ForeignIssuer' | 'WrongPurpose' | 'WrongName' | 'Expired';

/** `sha256:` and the hex digest of a certificate's SubjectPublicKeyInfo, as kubeadm prints it. Throws on bad PEM. */
export function publicKeyHash(certificate: string | Buffer): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}

/** True when `ca` signed `certificate`. Says nothing about dates or purpose. Throws on bad input. */
export function isSignedBy(certificate: string | Buffer, ca: string | Buffer): boolean {
  const authority = new X509Certificate(ca);
  const leaf = new X509Certificate(certificate);
  return leaf.checkIssued(authority) && leaf.verify(authority.publicKey);
}

/** Subject of a certificate: the first common name and every organisation. */
export interface Subject {
  readonly commonName: string;
  readonly organisations: readonly string[];
}

/** Reads a certificate's subject. Throws on bad input. */
export function subjectOf(certificate: string | Buffer): Subject {
  const subject: unknown = new X509Certificate(certificate).toLegacyObject().subject;
  const fields = (subject ?? {}) as Record<string, string | string[] | undefined>;
  const values = (name: string): string[] => [fields[name] ?? []].flat();
  return { commonName: values('CN')[0] ?? '', organisations: values('O') };
}

/** When a certificate's life begins and ends, epoch ms. Throws on bad input. */
export function lifeOf(certificate: string | Buffer): { notBeforeMs: number; notAfterMs: number } {
  const parsed = new X509Certificate(certificate);
  return { notBeforeMs: Date.parse(parsed.validFrom), notAfterMs: Date.parse(parsed.validTo) };
}

/** Checks a peer's certificate against the pinned CA; undefined when it is good at `nowMs`. Never throws. */
export function certificateProblem(
  certificate: Buffer,
  ca: string,
  expect: { readonly purpose: Purpose; readonly host?: string; readonly nowMs: number },
): CertificateProblem | undefined {
  let leaf: X509Certificate;
  let authority: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
    authority = new X509Certificate(ca);
    if (!leaf.checkIssued(authority) || !leaf.verify(authority.publicKey)) return 'ForeignIssuer';
  } catch {
    // What cannot be parsed or verified is refused all the same; the caller names the peer.
    return 'Unreadable';
  }
  const purposes: readonly string[] = leaf.keyUsage ?? [];
  if (leaf.ca || !purposes.includes(expect.purpose === 'server' ? SERVER_AUTH : CLIENT_AUTH))
    return 'WrongPurpose';
  if (expect.host !== undefined && !isFor(leaf, expect.host)) return 'WrongName';
  return Date.parse(leaf.validTo) < expect.nowMs ? 'Expired' : undefined;
}

/** True when the certificate names this host (DNS name or address) in its subject alternative names. */
function isFor(leaf: X509Certificate, host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0) return leaf.checkIP(bare) !== undefined;
  return leaf.checkHost(bare, { subject: 'never' }) !== undefined;
}

/** True when two thirds of a certificate's `days` of life have passed at `nowMs`, or it cannot be read. */
export function isDueForRenewal(certificate: string, days: number, nowMs: number): boolean {
  let endMs: number;
  try {
    endMs = lifeOf(certificate).notAfterMs;
  } catch {
    // A torn file is replaced like an expired one.
    return true;
  }
  return endMs - nowMs < (days * 86_400_000) / 3;
}
