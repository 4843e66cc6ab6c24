import { isRecord } from '../../protocol/json.ts';
import { mayI, mayOther, mayOtherHere, userInfoOf, whatMayI, whoAmI } from './access-reviews.ts';
import { type ApiContext, demand, methodNotAllowed } from './context.ts';
import { readValue } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';

type Review = (
  context: ApiContext,
  exchange: Exchange,
  spec: Record<string, unknown>,
  path: ResourcePath,
) => object;

/** `self`: about the asker alone; everybody who is known may ask. */
interface Asked {
  readonly review: Review;
  readonly self: boolean;
}

/**
 * Answers the reviews, which are asked by a POST and not stored: who am I, may I, what may I (`kubectl auth`), may somebody
 * else, whose token is this. Undefined for other resources. Throws Forbidden, Invalid, BadRequest.
 */
export async function reviewAnswer(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
): Promise<Answer | undefined> {
  const asked = REVIEWS[`${path.group}/${path.version}/${path.resource}`];
  if (asked === undefined) return undefined;
  if (exchange.method !== 'POST' || path.name !== undefined) throw methodNotAllowed();
  if (!asked.self) demand(context, exchange, path, 'create');
  const body = (await readValue(exchange, context.codec))?.value ?? {};
  const spec = isRecord(body['spec']) ? body['spec'] : {};
  return { object: asked.review(context, exchange, spec, path), code: 201 };
}

const about = (review: Review, self: boolean): Asked => ({ review, self });

const REVIEWS: Readonly<Record<string, Asked>> = {
  'authentication.k8s.io/v1/selfsubjectreviews': about(whoAmI, true),
  'authentication.k8s.io/v1/tokenreviews': about(whoseToken, false),
  'authorization.k8s.io/v1/selfsubjectaccessreviews': about(mayI, true),
  'authorization.k8s.io/v1/selfsubjectrulesreviews': about(whatMayI, true),
  'authorization.k8s.io/v1/subjectaccessreviews': about(mayOther, false),
  'authorization.k8s.io/v1/localsubjectaccessreviews': about(mayOtherHere, false),
};

/** TokenReview: only tokens of service accounts are known by their text. */
function whoseToken(context: ApiContext, _exchange: Exchange, spec: Record<string, unknown>): object {
  const { token, audiences: wanted } = spec;
  const audiences = Array.isArray(wanted) ? wanted.filter((a) => typeof a === 'string') : [];
  const found = typeof token === 'string' ? context.accounts?.review(token, audiences) : undefined;
  return {
    kind: 'TokenReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { creationTimestamp: null },
    spec,
    status:
      found === undefined
        ? { authenticated: false, user: {}, error: 'invalid bearer token' }
        : { authenticated: true, user: userInfoOf(found.user), audiences: found.audiences },
  };
}
