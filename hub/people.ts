/** Who gets in and what they may: rights, tokens and certificates put together for the API server and the loops. */
import { join } from 'node:path';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { Access } from './access/access.ts';
import { ensureDefaultRoles } from './access/default-roles.ts';
import { signingRule } from './access/signing-writes.ts';
import type { AccessPort, AccountTokensPort, Authorize, ExtraRoute, TokenLookup } from './api/ports.ts';
import { CertificateSigningController } from './controllers/certificate-signing.ts';
import { RoleAggregationController } from './controllers/role-aggregation.ts';
import { TokenSecretController } from './controllers/token-secrets.ts';
import type { Loop, LoopDeps } from './loop.ts';
import { AccountTokens } from './pki/account-tokens.ts';
import type { Authority } from './pki/authority.ts';
import { issuerRoutes } from './pki/issuer-routes.ts';
import { openTokenKey } from './pki/token-key.ts';
import type { Store } from './store/store.ts';

export interface PeopleOptions {
  readonly store: Store;
  readonly authority: Authority;
  /** Where keys are kept. */
  readonly pkiDir: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What the API server is given. */
export interface PeoplePorts {
  readonly authorize: Authorize;
  readonly access: AccessPort;
  readonly accounts: AccountTokensPort;
  readonly tokens: TokenLookup;
}

/** Everything about people and programs that use the API; `stop` ends what follows the store. */
export interface People {
  readonly ports: PeoplePorts;
  /** Signs tokens of service accounts for the loops. */
  readonly issuer: Pick<AccountTokens, 'issueNow'>;
  loops(deps: LoopDeps): Loop[];
  /** `address` is where clients reach the API. */
  routes(address: () => string): ExtraRoute[];
  stop(): void;
}

/** Opens the key of tokens, reads roles and bindings, and writes the default ones that are missing. Rejects when it cannot. */
export async function openPeople(options: PeopleOptions): Promise<People> {
  const { store, authority, pkiDir, clock, log } = options;
  const key = await openTokenKey(join(pkiDir, 'sa.key'));
  const tokens = new AccountTokens({ key, view: store, clock });
  const access = new Access(store);
  access.start();
  await ensureDefaultRoles({ view: store, client: store, log: log.with({ room: 'access' }) });
  const requestProblem = (csrPem: string): Promise<string | undefined> => authority.requestProblem(csrPem);
  const writeRules = access
    .roleRules()
    .set('CertificateSigningRequest', signingRule({ rights: access, clock, requestProblem }));
  return {
    ports: {
      authorize: (user, attributes) => access.may(user, attributes),
      access: {
        reason: (user, attributes) => access.reason(user, attributes),
        rulesFor: (user, namespace) => {
          const gap = access.gap(user);
          return { rules: access.rulesFor(user, namespace), ...(gap === undefined ? {} : { gap }) };
        },
        writeRules,
      },
      accounts: tokens,
      tokens: (token) => tokens.review(token, [])?.user,
    },
    issuer: tokens,
    loops: (deps) => [
      new RoleAggregationController(deps),
      new TokenSecretController(deps, tokens, authority.caPem),
      new CertificateSigningController(deps, authority),
    ],
    routes: (address) => issuerRoutes(key.jwk, address),
    stop: () => access.stop(),
  };
}
