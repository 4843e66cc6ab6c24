import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { newPrivateKeyPem } from '../../kit/csr.ts';
import { writeFileDurably } from '../../kit/durable-file.ts';
import { isRecord } from '../../protocol/json.ts';

/** What a token says; only its signer's word. */
export type Claims = Readonly<Record<string, unknown>>;

/** A public key as `/openid/v1/jwks` lists it. */
export interface PublicJwk {
  readonly use: 'sig';
  readonly kty: string;
  readonly kid: string;
  readonly alg: 'ES256';
  readonly crv: string;
  readonly x: string;
  readonly y: string;
}

const MAX_TOKEN_CHARS = 16_384;
const MAX_REMEMBERED = 512;

/** Reads the key that signs tokens of service accounts, or makes it (EC P-256, mode 0600). Rejects when the file is no key. */
export async function openTokenKey(path: string): Promise<TokenKey> {
  const held = await read(path);
  if (held !== undefined) return new TokenKey(held);
  const made = newPrivateKeyPem();
  await writeFileDurably(path, made);
  return new TokenKey(made);
}

/**
 * Signs and checks JSON web tokens with ES256. Signatures that were found good are remembered, a bounded number, because a client
 * sends the same token with every request; what a token is worth now is for the caller to judge each time.
 */
export class TokenKey {
  readonly jwk: PublicJwk;
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly #good = new Map<string, Claims>();

  constructor(keyPem: string) {
    this.#private = createPrivateKey(keyPem);
    this.#public = createPublicKey(this.#private);
    const der = this.#public.export({ type: 'spki', format: 'der' });
    const kid = createHash('sha256').update(der).digest('base64url');
    const { kty = '', crv = '', x = '', y = '' } = this.#public.export({ format: 'jwk' });
    this.jwk = { use: 'sig', kty, kid, alg: 'ES256', crv, x, y };
  }

  /** A token with these claims. */
  sign(claims: Claims): string {
    const header = { alg: 'ES256', kid: this.jwk.kid };
    const head = `${encoded(header)}.${encoded(claims)}`;
    const key = { key: this.#private, dsaEncoding: 'ieee-p1363' } as const;
    return `${head}.${sign('sha256', Buffer.from(head), key).toString('base64url')}`;
  }

  /** What the token says when this key signed it, else undefined. Says nothing about its time. Never throws. */
  claimsOf(token: string): Claims | undefined {
    if (token.length > MAX_TOKEN_CHARS) return undefined;
    const digest = createHash('sha256').update(token).digest('base64url');
    const known = this.#good.get(digest);
    if (known !== undefined) return known;
    const claims = this.#checked(token);
    if (claims === undefined) return undefined;
    if (this.#good.size >= MAX_REMEMBERED) this.#good.clear();
    this.#good.set(digest, claims);
    return claims;
  }

  #checked(token: string): Claims | undefined {
    const [head, body, signature, ...rest] = token.split('.');
    if (!head || !body || !signature || rest.length > 0) return undefined;
    const header = decoded(head);
    // The algorithm is ours to choose, never the token's.
    if (header?.['alg'] !== 'ES256' || header['kid'] !== this.jwk.kid) return undefined;
    const key = { key: this.#public, dsaEncoding: 'ieee-p1363' } as const;
    const isGood = verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'));
    return isGood ? decoded(body) : undefined;
  }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decoded(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined; // SyntaxError: no token of anybody's
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
