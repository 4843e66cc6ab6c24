/** Tokens of service accounts: what they say, and whether what they say still holds. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../kit/clock.ts';
import { isRecord } from '../../protocol/json.ts';
import type { Secret, ServiceAccount } from '../../protocol/kinds/core.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError, conflict, notFound } from '../../protocol/status.ts';
import type { ClusterView } from '../cluster.ts';
import { accountGroups, accountUserName } from '../decide/authorize.ts';
import type { Claims, TokenKey } from './token-key.ts';

/** Who issues the tokens, as their `iss` and the discovery document say; also their audience when none is asked for. */
export const TOKEN_ISSUER = 'https://kubernetes.default.svc.cluster.local';
const LEGACY_ISSUER = 'kubernetes/serviceaccount';
const PRIVATE = 'kubernetes.io';
/** No token is issued as of an earlier time: a hub without a clock battery may start in 1970. */
const CLOCK_FLOOR_MS = Date.UTC(2026, 0, 1);

/** Secrets of this type are given a token that holds as long as the Secret. */
export const TOKEN_SECRET_TYPE = 'kubernetes.io/service-account-token';

/** Whom a token stands for. */
export interface TokenUser {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a new token is to be. */
export interface AccountTokenWish {
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly bound?: { readonly kind: string; readonly name: string; readonly uid?: string };
}

/** A new token, whom it is for, and its end in epoch ms. */
export interface IssuedToken {
  readonly token: string;
  readonly audiences: readonly string[];
  readonly expiresAtMs: number;
}

export interface AccountTokensOptions {
  readonly key: Pick<TokenKey, 'sign' | 'claimsOf'>;
  readonly view: Pick<ClusterView, 'get'>;
  readonly clock: Clock;
}

/**
 * Issues and judges tokens. A token holds while it is signed by this hub, not past its end, and its service account, and the pod,
 * Secret or node it is bound to, are still there with the same uid: deleting one of these is how a token is taken back.
 */
export class AccountTokens {
  readonly #o: AccountTokensOptions;

  constructor(options: AccountTokensOptions) {
    this.#o = options;
  }

  /** A token of an account. Rejects with ApiError: NotFound, Conflict, BadRequest. */
  async issue(namespace: string, accountName: string, wish: AccountTokenWish): Promise<IssuedToken> {
    return this.issueNow(namespace, accountName, wish);
  }

  /** As `issue`, at once, for those who must not wait between reading and acting. Throws the same ApiErrors. */
  issueNow(namespace: string, accountName: string, wish: AccountTokenWish): IssuedToken {
    const account = this.#o.view.get('ServiceAccount', namespace, accountName);
    if (account === undefined) throw notFound(ACCOUNTS, accountName);
    const bound = wish.bound === undefined ? {} : this.#boundClaims(account, wish.bound);
    const audiences = wish.audiences.length > 0 ? [...wish.audiences] : [TOKEN_ISSUER];
    const issuedAtMs = Math.max(this.#o.clock.nowMs(), CLOCK_FLOOR_MS);
    const expiresAtMs = issuedAtMs + wish.expirationSeconds * 1000;
    const token = this.#o.key.sign({
      aud: audiences,
      exp: Math.floor(expiresAtMs / 1000),
      iat: Math.floor(issuedAtMs / 1000),
      iss: TOKEN_ISSUER,
      jti: randomUUID(),
      [PRIVATE]: { namespace, ...bound, serviceaccount: named(account) },
      nbf: Math.floor(issuedAtMs / 1000),
      sub: accountUserName(namespace, accountName),
    });
    return { token, audiences, expiresAtMs };
  }

  /** The token of a Secret of TOKEN_SECRET_TYPE: without an end, it holds as long as Secret and account are there. */
  issueForSecret(secret: Pick<Secret, 'metadata'>, account: ServiceAccount): string {
    const { namespace = '', name } = account.metadata;
    return this.#o.key.sign({
      iss: LEGACY_ISSUER,
      [`${PRIVATE}/serviceaccount/namespace`]: namespace,
      [`${PRIVATE}/serviceaccount/secret.name`]: secret.metadata.name,
      [`${PRIVATE}/serviceaccount/service-account.name`]: name,
      [`${PRIVATE}/serviceaccount/service-account.uid`]: account.metadata.uid,
      sub: accountUserName(namespace, name),
    });
  }

  /** Whose token it is and for which of `audiences` (none: this API) it counts; undefined when it does not hold. Never throws. */
  review(
    token: string,
    audiences: readonly string[],
  ): { user: TokenUser; audiences: readonly string[] } | undefined {
    const claims = this.#o.key.claimsOf(token);
    if (claims === undefined) return undefined;
    const wanted = audiences.length > 0 ? audiences : [TOKEN_ISSUER];
    const isLegacy = claims['iss'] === LEGACY_ISSUER;
    const granted = isLegacy ? [TOKEN_ISSUER] : listOf(claims['aud']);
    const common = wanted.filter((audience) => granted.includes(audience));
    if (common.length === 0) return undefined;
    const user = isLegacy ? this.#legacyUser(claims, token) : this.#boundUser(claims);
    return user === undefined ? undefined : { user, audiences: common };
  }

  #boundClaims(account: ServiceAccount, bound: NonNullable<AccountTokenWish['bound']>): Claims {
    const { namespace = '', name } = account.metadata;
    const kind = BOUND.find((known) => known === bound.kind);
    if (kind === undefined)
      throw new ApiError(
        'BadRequest',
        `cannot bind token for serviceaccount "${name}" to type ${bound.kind}`,
      );
    const object = this.#o.view.get(kind, kind === 'Node' ? '' : namespace, bound.name);
    const resource = { kind, group: '', plural: `${kind.toLowerCase()}s` };
    if (object === undefined) throw notFound(resource, bound.name);
    const { uid } = object.metadata;
    if (bound.uid !== undefined && bound.uid !== uid)
      throw conflict(
        resource,
        bound.name,
        `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    const node = object.kind === 'Pod' ? this.#podNode(object, name) : {};
    return { [kind.toLowerCase()]: named(object), ...node };
  }

  #podNode(
    pod: KubeObject & { spec: { serviceAccountName?: string; nodeName?: string } },
    account: string,
  ): Claims {
    if ((pod.spec.serviceAccountName || 'default') !== account)
      throw new ApiError(
        'BadRequest',
        `cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name.`,
      );
    const node = pod.spec.nodeName && this.#o.view.get('Node', '', pod.spec.nodeName);
    return node ? { node: named(node) } : {};
  }

  #boundUser(claims: Claims): TokenUser | undefined {
    const { exp } = claims;
    if (claims['iss'] !== TOKEN_ISSUER || typeof exp !== 'number') return undefined;
    if (exp * 1000 <= Math.max(this.#o.clock.nowMs(), CLOCK_FLOOR_MS)) return undefined;
    const own = recordOf(claims[PRIVATE]);
    const namespace = textOf(own['namespace']);
    const account = this.#held('ServiceAccount', namespace, own['serviceaccount']);
    if (account === undefined) return undefined;
    const bound: [string, string][] = [['credential-id', `JTI=${textOf(claims['jti'])}`]];
    for (const kind of BOUND) {
      const claim = own[kind.toLowerCase()];
      if (claim === undefined) continue;
      const isMere = kind === 'Node' && own['pod'] !== undefined;
      // The node of a pod is told, not checked: the pod's end is the token's.
      const object = isMere ? undefined : this.#held(kind, kind === 'Node' ? '' : namespace, claim);
      if (!isMere && object === undefined) return undefined;
      const { name, uid } = recordOf(claim);
      if (kind !== 'Secret')
        bound.push([`${kind.toLowerCase()}-name`, textOf(name)], [`${kind.toLowerCase()}-uid`, textOf(uid)]);
    }
    return { ...userOf(account), extra: extraOf(bound) };
  }

  #legacyUser(claims: Claims, token: string): TokenUser | undefined {
    const of = (name: string): string => textOf(claims[`${PRIVATE}/serviceaccount/${name}`]);
    const namespace = of('namespace');
    const claim = { name: of('service-account.name'), uid: of('service-account.uid') };
    const account = this.#held('ServiceAccount', namespace, claim);
    const secret = this.#o.view.get('Secret', namespace, of('secret.name'));
    if (account === undefined || secret?.metadata.deletionTimestamp !== undefined) return undefined;
    const held = Buffer.from(secret?.data?.['token'] ?? '', 'base64').toString();
    // The signature is checked already: this only asks whether the Secret still carries it.
    return held === token ? userOf(account) : undefined;
  }

  /** The object a claim names when it is there with the claim's uid and not on its way out. */
  #held(
    kind: 'ServiceAccount' | (typeof BOUND)[number],
    namespace: string,
    claim: unknown,
  ): KubeObject | undefined {
    const { name, uid } = recordOf(claim);
    const object: KubeObject | undefined = this.#o.view.get(kind, namespace, textOf(name));
    if (object === undefined || object.metadata.uid !== uid) return undefined;
    // A pod that is stopping may still finish its work with its token, as in Kubernetes.
    return object.metadata.deletionTimestamp === undefined || kind === 'Pod' ? object : undefined;
  }
}

const ACCOUNTS = { kind: 'ServiceAccount', group: '', plural: 'serviceaccounts' };
const BOUND = ['Pod', 'Secret', 'Node'] as const;

function named(object: KubeObject): { name: string; uid: string } {
  return { name: object.metadata.name, uid: object.metadata.uid };
}

function userOf(account: KubeObject): TokenUser {
  const { namespace = '', name, uid } = account.metadata;
  return { name: accountUserName(namespace, name), uid, groups: accountGroups(namespace) };
}

function extraOf(entries: readonly [string, string][]): Record<string, readonly string[]> {
  return Object.fromEntries(entries.map(([key, value]) => [`authentication.kubernetes.io/${key}`, [value]]));
}

const recordOf = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {});
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);
