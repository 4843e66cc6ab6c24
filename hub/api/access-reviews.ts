import { toTime } from '../../kit/clock.ts';
import { isRecord } from '../../protocol/json.ts';
import type { FieldError } from '../../protocol/kinds/kind.ts';
import { ApiError, invalid } from '../../protocol/status.ts';
import { required } from '../../protocol/validate/field-errors.ts';
import type { ApiContext } from './context.ts';
import type { Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';
import type { Attributes, User } from './ports.ts';

type Json = Record<string, unknown>;

const GROUP = 'authorization.k8s.io';
const VERSION = { apiVersion: `${GROUP}/v1` };
const META = { creationTimestamp: null };

const recordOf = (value: unknown): Json => (isRecord(value) ? value : {});
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];

/** `authentication.k8s.io/v1 SelfSubjectReview`: who the asker is. */
export function whoAmI(context: ApiContext, { user }: Exchange): object {
  return {
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { creationTimestamp: toTime(context.clock.nowMs()) },
    status: { userInfo: userInfoOf(user) },
  };
}

/** A user as Kubernetes' UserInfo. */
export function userInfoOf({ name, uid, groups, extra }: User): object {
  return {
    username: name,
    ...(uid === undefined ? {} : { uid }),
    groups,
    ...(extra === undefined ? {} : { extra }),
  };
}

/** SelfSubjectAccessReview: may the asker. Throws Invalid. */
export function mayI(context: ApiContext, { user }: Exchange, spec: Json): object {
  return reviewed(context, 'SelfSubjectAccessReview', user, spec, attributesErrors(spec));
}

/** SubjectAccessReview: may somebody else. Throws Invalid. */
export function mayOther(context: ApiContext, _exchange: Exchange, spec: Json): object {
  return reviewed(context, 'SubjectAccessReview', subjectOf(spec), spec, subjectErrors(spec));
}

/** LocalSubjectAccessReview: may somebody else, in the path's namespace. Throws Invalid or BadRequest. */
export function mayOtherHere(
  context: ApiContext,
  _exchange: Exchange,
  spec: Json,
  path: ResourcePath,
): object {
  const { namespace = '' } = path;
  const asked = recordOf(spec['resourceAttributes'])['namespace'];
  if (textOf(asked) !== namespace)
    throw new ApiError('BadRequest', `spec.resourceAttributes.namespace must match namespace: ${namespace}`);
  const errors = [
    ...subjectErrors(spec),
    ...(isRecord(spec['nonResourceAttributes'])
      ? [refusedValue('spec.nonResourceAttributes', 'disallowed on this kind of request')]
      : []),
  ];
  return reviewed(context, 'LocalSubjectAccessReview', subjectOf(spec), spec, errors);
}

/** SelfSubjectRulesReview: all the asker may in a namespace. Throws BadRequest. */
export function whatMayI(context: ApiContext, { user }: Exchange, spec: Json): object {
  const namespace = textOf(spec['namespace']);
  if (namespace === '') throw new ApiError('BadRequest', 'no namespace on request');
  const { rules, gap } = context.access?.rulesFor(user, namespace) ?? rulesByAsking(context, user);
  return {
    kind: 'SelfSubjectRulesReview',
    ...VERSION,
    metadata: META,
    spec,
    status: {
      resourceRules: rules
        .filter((rule) => (rule.resources?.length ?? 0) > 0)
        .map(({ verbs, apiGroups, resources, resourceNames }) => ({
          verbs,
          apiGroups,
          resources,
          ...(resourceNames === undefined ? {} : { resourceNames }),
        })),
      nonResourceRules: rules
        .filter((rule) => (rule.nonResourceURLs?.length ?? 0) > 0)
        .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      incomplete: gap !== undefined,
      ...(gap === undefined ? {} : { evaluationError: gap }),
    },
  };
}

/** Without roles there is only everything or nothing. */
function rulesByAsking(
  context: ApiContext,
  user: User,
): ReturnType<NonNullable<ApiContext['access']>['rulesFor']> {
  const any = { verb: '*', group: '*', version: '*', resource: '*' };
  if (!context.authorize(user, any)) return { rules: [], gap: 'this server has no roles' };
  return {
    rules: [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ],
  };
}

function reviewed(
  context: ApiContext,
  kind: string,
  user: User,
  spec: Json,
  errors: readonly FieldError[],
): object {
  if (errors.length > 0) throw invalid({ kind, group: GROUP, plural: `${kind.toLowerCase()}s` }, '', errors);
  const attributes = askedAttributes(spec);
  const allowed = context.authorize(user, attributes);
  const reason = allowed ? context.access?.reason(user, attributes) : undefined;
  return {
    kind,
    ...VERSION,
    metadata: META,
    spec,
    status: { allowed, ...(reason ? { reason } : {}) },
  };
}

function refusedValue(field: string, why: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: "null": ${why}` };
}

function attributesErrors(spec: Json): FieldError[] {
  const hasResource = isRecord(spec['resourceAttributes']);
  const hasPath = isRecord(spec['nonResourceAttributes']);
  if (hasResource && hasPath)
    return [
      refusedValue(
        'spec.nonResourceAttributes',
        'cannot be specified in combination with resourceAttributes',
      ),
    ];
  if (hasResource || hasPath) return [];
  const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  return [refusedValue('spec.resourceAttributes', why)];
}

function subjectErrors(spec: Json): FieldError[] {
  const errors = attributesErrors(spec);
  if (textOf(spec['user']) !== '' || textsOf(spec['groups']).length > 0) return errors;
  return [...errors, required('spec.user', 'at least one of user or group must be specified')];
}

function subjectOf(spec: Json): User {
  return { name: textOf(spec['user']), groups: textsOf(spec['groups']) };
}

function askedAttributes(spec: Json): Attributes {
  const plain = spec['nonResourceAttributes'];
  if (isRecord(plain)) return { verb: textOf(plain['verb']), path: textOf(plain['path']) };
  const asked = recordOf(spec['resourceAttributes']);
  const optional = (key: string): Record<string, string> =>
    textOf(asked[key]) === '' ? {} : { [key]: textOf(asked[key]) };
  return {
    verb: textOf(asked['verb']),
    group: textOf(asked['group']),
    version: textOf(asked['version']),
    resource: textOf(asked['resource']),
    ...optional('subresource'),
    ...optional('namespace'),
    ...optional('name'),
    ...fieldsOf(asked['fieldSelector']),
  };
}

/** Requirements that one value alone passes, as authorizers use them. */
function fieldsOf(selector: unknown): { fields?: Record<string, string> } {
  const list = recordOf(selector)['requirements'];
  const exact = (Array.isArray(list) ? list : []).flatMap((item): [string, string][] => {
    const { key, operator, values } = recordOf(item);
    const [value, ...more] = textsOf(values);
    return operator === 'In' && value !== undefined && more.length === 0 ? [[textOf(key), value]] : [];
  });
  return exact.length === 0 ? {} : { fields: Object.fromEntries(exact) };
}
