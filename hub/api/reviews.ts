import { isRecord } from '../../protocol/json.ts';
import { type ApiContext, methodNotAllowed } from './context.ts';
import { readValue } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';
import type { Attributes } from './ports.ts';

const META = { creationTimestamp: null };

/**
 * Answers the reviews a user makes about itself: who am I (`kubectl auth whoami`), may I (`auth can-i`), what may I
 * (`auth can-i --list`). Everybody who is known may ask. Undefined for other resources.
 */
export async function selfReview(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
): Promise<Answer | undefined> {
  const review = REVIEWS[`${path.group}/${path.version}/${path.resource}`];
  if (review === undefined) return undefined;
  if (exchange.method !== 'POST' || path.name !== undefined) throw methodNotAllowed();
  const body = (await readValue(exchange, context.codec))?.value ?? {};
  const spec = isRecord(body['spec']) ? body['spec'] : {};
  return { object: review(context, exchange, spec), code: 201 };
}

type Review = (context: ApiContext, exchange: Exchange, spec: Record<string, unknown>) => object;

const REVIEWS: Readonly<Record<string, Review>> = {
  'authentication.k8s.io/v1/selfsubjectreviews': whoAmI,
  'authorization.k8s.io/v1/selfsubjectaccessreviews': mayI,
  'authorization.k8s.io/v1/selfsubjectrulesreviews': whatMayI,
};

function whoAmI(_context: ApiContext, { user }: Exchange): object {
  return {
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: META,
    status: { userInfo: { username: user.name, groups: user.groups } },
  };
}

function mayI(context: ApiContext, { user }: Exchange, spec: Record<string, unknown>): object {
  const allowed = context.authorize(user, attributesOf(spec));
  return {
    kind: 'SelfSubjectAccessReview',
    apiVersion: 'authorization.k8s.io/v1',
    metadata: META,
    spec,
    status: { allowed },
  };
}

function attributesOf(spec: Record<string, unknown>): Attributes {
  const text = (from: unknown, key: string): string =>
    isRecord(from) && typeof from[key] === 'string' ? from[key] : '';
  const plain = spec['nonResourceAttributes'];
  if (isRecord(plain)) return { verb: text(plain, 'verb'), path: text(plain, 'path') };
  const resource = spec['resourceAttributes'];
  const optional = (key: string): Record<string, string> =>
    text(resource, key) === '' ? {} : { [key]: text(resource, key) };
  return {
    verb: text(resource, 'verb'),
    group: text(resource, 'group'),
    version: text(resource, 'version'),
    resource: text(resource, 'resource'),
    ...optional('subresource'),
    ...optional('namespace'),
    ...optional('name'),
  };
}

/** Asks for everything at once; a user who may not do everything is told of nothing it may do for certain. */
function whatMayI(context: ApiContext, { user }: Exchange, spec: Record<string, unknown>): object {
  const any = { verb: '*', group: '*', version: '*', resource: '*' };
  const everything = context.authorize(user, any) && context.authorize(user, { verb: '*', path: '*' });
  return {
    kind: 'SelfSubjectRulesReview',
    apiVersion: 'authorization.k8s.io/v1',
    metadata: META,
    spec,
    status: {
      resourceRules: everything ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : [],
      nonResourceRules: everything ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : [],
      incomplete: !everything,
    },
  };
}
