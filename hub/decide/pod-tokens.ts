import type { Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import type { Item } from '../../protocol/wire/messages.ts';
import {
  DEFAULT_TOKEN_SECONDS,
  POD_TOKENS_TYPE,
  podTokensName,
  tokenKey,
} from '../../protocol/wire/pod-tokens.ts';
import { contentHash } from './content-hash.ts';

/** A token that volumes of a pod ask for. */
export interface PodTokenWish {
  /** The first volume that asks for it, to tell people. */
  readonly volume: string;
  /** Empty for the hub's own API. */
  readonly audience: string;
  readonly expirationSeconds: number;
}

/** A token that was made, and when. */
export interface PodToken {
  readonly token: string;
  readonly lifeMs: number;
  /** Wall clock, epoch ms. */
  readonly bornAtMs: number;
  /** Monotonic clock. */
  readonly bornSinceMs: number;
}

const REFRESH_SHARE = 0.8;
const REFRESH_CAP_MS = 24 * 3600_000;
/** A token that seems to be of the future by more than this was made by a clock that has been set back since. */
const FUTURE_MS = 60_000;

/** The tokens that the volumes of a pod ask for, by tokenKey; sources that ask for the same share one. */
export function tokenWishes(spec: PodSpec): ReadonlyMap<string, PodTokenWish> {
  const wishes = new Map<string, PodTokenWish>();
  for (const volume of spec.volumes ?? []) {
    for (const { serviceAccountToken: source } of volume.projected?.sources ?? []) {
      if (source === undefined || wishes.has(tokenKey(source))) continue;
      const { audience = '', expirationSeconds = DEFAULT_TOKEN_SECONDS } = source;
      wishes.set(tokenKey(source), { volume: volume.name, audience, expirationSeconds });
    }
  }
  return wishes;
}

/** Age at which a token is replaced: four fifths of its life, a day at most, as kubelets do. */
export function refreshAgeMs(lifeMs: number): number {
  return Math.min(lifeMs * REFRESH_SHARE, REFRESH_CAP_MS);
}

/**
 * True when a token is to be replaced. Both clocks count: the monotonic one for its age, the wall clock because the token's end is
 * written in it, so that a clock that was set, forwards or back, brings a new token.
 */
export function isTokenDue(token: PodToken, nowMs: number, monotonicMs: number): boolean {
  const ageMs = Math.max(monotonicMs - token.bornSinceMs, nowMs - token.bornAtMs);
  return ageMs >= refreshAgeMs(token.lifeMs) || nowMs < token.bornAtMs - FUTURE_MS;
}

/** True for a pod that will not run again: its tokens are not replaced any more. */
export function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** The item that brings a pod's tokens, by tokenKey, to its device. Its revision is another for other tokens only. */
export function podTokensItem(pod: Pod, tokens: ReadonlyMap<string, PodToken>): Item {
  const { uid, namespace = '', creationTimestamp } = pod.metadata;
  const name = podTokensName(uid);
  const data = Object.fromEntries([...tokens].map(([key, { token }]) => [key, base64OfAscii(token)]));
  const metadata = { name, namespace, uid, creationTimestamp, resourceVersion: '' };
  const body = { metadata, data, type: POD_TOKENS_TYPE };
  return { key: `secret/${namespace}/${name}`, rev: contentHash(body), kind: 'secret', body };
}

/** Tokens are letters, digits and a few signs. */
function base64OfAscii(text: string): string {
  return btoa(text);
}
