/**
 * Making certificates, and reading requests. The only file that knows the X.509 library, which costs about 12 MB of memory: import it
 * with `await import()` where something must be signed, never statically.
 */
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Subject } from './certificates.ts';

x509.cryptoProvider.set(webcrypto);

const EC = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGN = { name: 'ECDSA', hash: 'SHA-256' } as const;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 4096;

/** Begin and end of a certificate's life, epoch ms. */
export interface Life {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** A certificate request that cannot be granted; the message completes "the request is refused: ". */
export class RequestError extends Error {
  readonly reason: 'Malformed' | 'BadSignature' | 'WeakKey';
  constructor(reason: RequestError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RequestError';
    this.reason = reason;
  }
}

/** Certificate and key that sign, both PEM. */
export interface Signer {
  readonly certPem: string;
  readonly keyPem: string;
}

/** What to put on a signed certificate. `hosts` are DNS names and addresses; a `server` needs them. */
export interface Leaf {
  readonly subject: Subject;
  readonly publicKeyPem: string;
  readonly life: Life;
  readonly use: 'server' | 'client';
  readonly hosts?: readonly string[];
}

/** A self-signed CA certificate (PEM) for an EC P-256 key; it may sign leaves only. */
export async function createAuthority(keyPem: string, commonName: string, life: Life): Promise<string> {
  const keys = { privateKey: await privateKey(keyPem), publicKey: await publicKey(toPublicPem(keyPem)) };
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(life.notBeforeMs),
    notAfter: new Date(life.notAfterMs),
    signingAlgorithm: SIGN,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pem(cert);
}

/** Signs a leaf; returns PEM. */
export async function signLeaf(signer: Signer, leaf: Leaf): Promise<string> {
  const issuer = new x509.X509Certificate(signer.certPem);
  const subjectKey = new x509.PublicKey(leaf.publicKeyPem);
  const usage = leaf.use === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth;
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
    await x509.SubjectKeyIdentifierExtension.create(subjectKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
  if (leaf.hosts !== undefined && leaf.hosts.length > 0)
    extensions.push(new x509.SubjectAlternativeNameExtension(leaf.hosts.map(generalName)));
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: nameOf(leaf.subject),
    issuer: issuer.subjectName,
    notBefore: new Date(leaf.life.notBeforeMs),
    notAfter: new Date(leaf.life.notAfterMs),
    signingAlgorithm: SIGN,
    publicKey: subjectKey,
    signingKey: await privateKey(signer.keyPem),
    extensions,
  });
  return pem(cert);
}

/** The public key (SPKI PEM) of a request that proves its possession. Throws RequestError otherwise. */
export async function readRequest(requestPem: string): Promise<string> {
  let keyPem: string;
  let isProved: boolean;
  try {
    const request = new x509.Pkcs10CertificateRequest(requestPem);
    keyPem = request.publicKey.toString('pem');
    isProved = await request.verify();
  } catch (error) {
    throw new RequestError('Malformed', 'it is not a PKCS#10 certificate request in PEM', { cause: error });
  }
  if (!isProved) throw new RequestError('BadSignature', 'its signature does not match its key');
  const key = createPublicKey(keyPem);
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  const isStrong =
    key.asymmetricKeyType === 'ec' ||
    (key.asymmetricKeyType === 'rsa' && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS);
  if (!isStrong)
    throw new RequestError(
      'WeakKey',
      `its key must be EC, or RSA of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`,
    );
  return keyPem;
}

/** The subject a request asks for. Throws RequestError when it is none. */
export function requestedSubject(requestPem: string): Subject {
  try {
    const { subjectName } = new x509.Pkcs10CertificateRequest(requestPem);
    return { commonName: subjectName.getField('CN')[0] ?? '', organisations: subjectName.getField('O') };
  } catch (error) {
    throw new RequestError('Malformed', 'it is not a PKCS#10 certificate request in PEM', { cause: error });
  }
}

/** SPKI PEM of a private key's public half. */
export function toPublicPem(keyPem: string): string {
  return createPublicKey(createPrivateKey(keyPem)).export({ type: 'spki', format: 'pem' }).toString();
}

function nameOf(subject: Subject): x509.JsonName {
  return [...subject.organisations.map((o) => ({ O: [o] })), { CN: [subject.commonName] }];
}

function generalName(host: string): x509.JsonGeneralName {
  return { type: /^[\d.]+$|:/.test(host) ? 'ip' : 'dns', value: host };
}

function pem(cert: x509.X509Certificate): string {
  return `${cert.toString('pem')}\n`;
}

/** 16 random bytes, kept positive as RFC 5280 asks. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function privateKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, EC, true, ['sign']);
}

async function publicKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  const der = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  return webcrypto.subtle.importKey('spki', der, EC, true, ['verify']);
}
