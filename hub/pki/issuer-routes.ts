import { TOKEN_ISSUER } from './account-tokens.ts';
import type { ExtraRoute } from './join-routes.ts';
import type { PublicJwk } from './token-key.ts';

/** A route whose answer has a media type of its own. */
interface DocumentRoute extends Omit<ExtraRoute, 'handle'> {
  handle(): Promise<{ code: number; body: unknown; type: string }>;
}

/**
 * What others need to check tokens of service accounts themselves: the issuer's discovery document and its public keys. `address`
 * is asked at every answer, because a hub learns its port late.
 */
export function issuerRoutes(jwk: PublicJwk, address: () => string): DocumentRoute[] {
  const route = (path: string, type: string, body: () => object): DocumentRoute => ({
    method: 'GET',
    path,
    anonymous: false,
    handle: () => Promise.resolve({ code: 200, body: JSON.stringify(body()), type }),
  });
  return [
    route('/.well-known/openid-configuration', 'application/json', () => ({
      issuer: TOKEN_ISSUER,
      jwks_uri: `${address()}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    })),
    route('/openid/v1/jwks', 'application/jwk-set+json', () => ({ keys: [jwk] })),
  ];
}
