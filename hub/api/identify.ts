import type { IncomingMessage } from 'node:http';
import { authenticate, type CertifiedUsers, impersonated } from './authenticate.ts';
import { forbidden } from './authorize.ts';
import type { Authorize, TokenLookup, User } from './ports.ts';

/**
 * The way to find out for whom a request counts: who sent it, or whom the sender acts as (`kubectl --as`) when it may.
 * Rejects with Unauthorized or Forbidden.
 */
export function identifier(
  tokens: TokenLookup,
  authorize: Authorize,
): (request: IncomingMessage) => Promise<User> {
  const certified: CertifiedUsers = new WeakMap();
  return async (request) => {
    const user = await authenticate(request, tokens, certified);
    const other = impersonated(request);
    if (other === undefined) return user;
    const wanted = [['users', other.name], ...other.groups.map((group) => ['groups', group])];
    for (const [resource = '', name = ''] of wanted) {
      const attributes = { verb: 'impersonate', group: '', version: 'v1', resource, name };
      if (!authorize(user, attributes)) throw forbidden(user, attributes);
    }
    return other;
  };
}
