/**
 * Join tokens in Kubernetes' bootstrap-token form: `<id>.<secret>`, kept as the Secret `bootstrap-token-<id>` in kube-system.
 * Each admits one device: taking a token deletes its Secret, and of two that try at once one wins.
 */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { type Clock, toTime } from '../../kit/clock.ts';
import type { Secret } from '../../protocol/kinds/core.ts';
import { ApiError } from '../../protocol/status.ts';
import type { ClusterClient, ClusterView } from '../cluster.ts';

export const TOKEN_NAMESPACE = 'kube-system';
export const TOKEN_TYPE = 'bootstrap.kubernetes.io/token';
const FORM = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** The two halves of a token. */
export interface Token {
  readonly id: string;
  readonly secret: string;
}

/** Why a token does not admit. `Used` and unknown look alike: a used token leaves no trace. */
export type TokenProblem = 'Malformed' | 'UnknownOrUsed' | 'Expired' | 'NotForJoining';

/** Where tokens are read and written. */
export interface TokenStore {
  readonly view: Pick<ClusterView, 'get' | 'list'>;
  readonly client: Pick<ClusterClient, 'create' | 'delete'>;
  readonly clock: Clock;
}

/** A token that was found good; `resourceVersion` and `uid` let only one taker have it. */
export interface GoodToken {
  readonly id: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Takes `abcdef.0123456789abcdef` apart; undefined when it has another form. */
export function parseToken(text: string): Token | undefined {
  const match = FORM.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { id: match[1], secret: match[2] };
}

/** A random token of about 83 bits of secret. */
export function newToken(): Token {
  const random = (length: number): string =>
    Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join('');
  return { id: random(6), secret: random(16) };
}

/** The name of the Secret that holds a token. */
export const tokenSecretName = (id: string): string => `bootstrap-token-${id}`;

/** Stores a token that expires after `ttlMs`; resolves once it is durable. Rejects with ApiError. */
export async function createToken(store: TokenStore, token: Token, ttlMs: number): Promise<Secret> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return store.client.create('Secret', {
    metadata: { name: tokenSecretName(token.id), namespace: TOKEN_NAMESPACE },
    type: TOKEN_TYPE,
    data: {
      'token-id': base64(token.id),
      'token-secret': base64(token.secret),
      expiration: base64(toTime(store.clock.nowMs() + ttlMs)),
      'usage-bootstrap-authentication': base64('true'),
    },
  });
}

/** Looks a token up without taking it. Compares in constant time; never throws. */
export function checkToken(store: TokenStore, text: string): GoodToken | TokenProblem {
  const token = parseToken(text);
  if (token === undefined) return 'Malformed';
  const secret = store.view.get('Secret', TOKEN_NAMESPACE, tokenSecretName(token.id));
  if (secret === undefined || secret.type !== TOKEN_TYPE || secret.metadata.deletionTimestamp !== undefined)
    return 'UnknownOrUsed';
  if (!isEqual(field(secret, 'token-secret'), token.secret)) return 'UnknownOrUsed';
  if (field(secret, 'usage-bootstrap-authentication') !== 'true') return 'NotForJoining';
  if (isExpired(secret, store.clock.nowMs())) return 'Expired';
  const { uid, resourceVersion } = secret.metadata;
  return { id: token.id, uid, resourceVersion };
}

/** Takes a checked token for good; false when another took it first. Rejects with ApiError when the store cannot write. */
export async function takeToken(store: TokenStore, token: GoodToken): Promise<boolean> {
  const { uid, resourceVersion } = token;
  try {
    await store.client.delete('Secret', TOKEN_NAMESPACE, tokenSecretName(token.id), { uid, resourceVersion });
    return true;
  } catch (error) {
    if (error instanceof ApiError && (error.reason === 'NotFound' || error.reason === 'Conflict'))
      return false;
    throw error;
  }
}

/** Deletes tokens past their time; resolves to how many. Safe to call at any time. */
export async function removeExpiredTokens(store: TokenStore): Promise<number> {
  const nowMs = store.clock.nowMs();
  const expired = store.view
    .list('Secret', TOKEN_NAMESPACE)
    .filter((secret) => secret.type === TOKEN_TYPE && isExpired(secret, nowMs));
  let removed = 0;
  for (const { metadata } of expired) {
    const id = metadata.name.slice(tokenSecretName('').length);
    if (await takeToken(store, { id, uid: metadata.uid, resourceVersion: metadata.resourceVersion }))
      removed++;
  }
  return removed;
}

/** Without the field a token never expires, as in Kubernetes; an unreadable time counts as past. */
function isExpired(secret: Secret, nowMs: number): boolean {
  const expiration = field(secret, 'expiration');
  if (expiration === '') return false;
  const atMs = Date.parse(expiration);
  return Number.isNaN(atMs) || atMs <= nowMs;
}

function field(secret: Secret, name: string): string {
  return Buffer.from(secret.data?.[name] ?? '', 'base64').toString();
}

function isEqual(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
