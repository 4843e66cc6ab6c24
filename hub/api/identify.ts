import type { IncomingMessage } from 'node:http';
import { authenticate, type CertifiedUsers } from './authenticate.ts';
import { forbidden } from './authorize.ts';
import { impersonation } from './impersonate.ts';
import type { Authorize, TokenLookup, User } from './ports.ts';

/** For whom a request counts; `sender` is who really sent it when it acts as somebody else. */
export interface Identity {
  readonly user: User;
  readonly sender?: User;
}

/**
 * The way to find out for whom a request counts: who sent it, or whom the sender acts as (`kubectl --as`) when it may.
 * Rejects with Unauthorized or Forbidden.
 */
export function identifier(
  tokens: TokenLookup,
  authorize: Authorize,
): (request: IncomingMessage) => Promise<Identity> {
  const certified: CertifiedUsers = new WeakMap();
  return async (request) => {
    const user = await authenticate(request, tokens, certified);
    const wanted = impersonation(request);
    if (wanted === undefined) return { user };
    for (const attributes of wanted.demands)
      if (!authorize(user, attributes)) throw forbidden(user, attributes);
    return { user: wanted.user, sender: user };
  };
}
