/**
 * Tokens of service accounts on their way to devices: one item of kind `secret` for each pod that asks for some, under a name that no
 * Secret can have, so that older agents keep it and do nothing with it. Its data holds a token for every different wish.
 */
import type { PodSpec, VolumeProjection } from '../kinds/pod.ts';

/** What a projected volume wants of a token. */
export type TokenSource = NonNullable<VolumeProjection['serviceAccountToken']>;

/** Type of the Secret that carries a pod's tokens. */
export const POD_TOKENS_TYPE = 'coxswain.dev/pod-tokens';
const PREFIX = 'token:';
/** How long a token lives that does not say, in seconds. */
export const DEFAULT_TOKEN_SECONDS = 3600;

/** Name of the Secret with the tokens of a pod. */
export function podTokensName(uid: string): string {
  return `${PREFIX}${uid}`;
}

/** The pod that a Secret of this name has the tokens of; undefined for Secrets of people. */
export function podOfTokens(name: string): string | undefined {
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : undefined;
}

/** Under which key of the data the token for a source is: equal for sources that may share a token. */
export function tokenKey({ audience = '', expirationSeconds = DEFAULT_TOKEN_SECONDS }: TokenSource): string {
  return `${expirationSeconds} ${audience}`;
}

/** The account a pod acts as. */
export function accountOf(spec: PodSpec): string {
  return spec.serviceAccountName || 'default';
}
