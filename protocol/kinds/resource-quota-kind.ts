import { jsonEqual } from '../json.ts';
import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { at, invalidEach, invalidValue, notSupported, required, unless } from '../validate/field-errors.ts';
import { qualifiedNameErrors } from '../validate/names.ts';
import { quantityErrors } from '../validate/resources.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { Quantity } from './meta.ts';
import type { ResourceQuota } from './policy.ts';

const STANDARD = [
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const SCOPES = [
  'BestEffort',
  'CrossNamespacePodAffinity',
  'NotBestEffort',
  'NotTerminating',
  'PriorityClass',
  'Terminating',
];

function resourceErrors(name: string, amount: Quantity | undefined, path: string): FieldError[] {
  const field = `${path}[${name}]`;
  const errors = invalidEach(field, name, qualifiedNameErrors(name));
  const known = name.includes('/') || STANDARD.includes(name) || /^(requests\.)?hugepages-/.test(name);
  if (errors.length === 0 && !known)
    errors.push(invalidValue(field, name, 'must be a standard resource for quota'));
  return [...errors, ...quantityErrors(amount, field)];
}

const hardErrors = (hard: Loose<Record<string, Quantity>> | undefined, path: string): FieldError[] =>
  Object.entries(hard ?? {}).flatMap(([name, amount]) => resourceErrors(name, amount, path));

/** What pods can be limited in where a scope picks among them; BestEffort ones state no amounts. */
const POD_COUNTS = ['pods', 'count/pods'];
const SCOPED = /^(pods|count\/pods|cpu|memory|ephemeral-storage|((requests|limits)\.(?!storage$).+))$/;
const OPERATORS = ['DoesNotExist', 'Exists', 'In', 'NotIn'];

function scopeErrors({ spec = {} }: Loose<ResourceQuota>): FieldError[] {
  const { scopes = [], hard = {}, scopeSelector } = spec;
  const rules = scopeSelector?.matchExpressions ?? [];
  const all = [...scopes, ...rules.map((rule) => rule.scopeName ?? '')];
  const isScoped = (name: string): boolean =>
    all.includes('BestEffort') ? POD_COUNTS.includes(name) : SCOPED.test(name);
  const clash = (a: string, b: string): boolean => scopes.includes(a) && scopes.includes(b);
  return [
    ...scopes.flatMap((scope, i) =>
      unless(SCOPES.includes(scope), () => notSupported(at('spec.scopes', i), scope, SCOPES)),
    ),
    ...unless(all.length === 0 || Object.keys(hard).every(isScoped), () =>
      invalidValue('spec.scopes', all, 'unsupported scope applied to resource'),
    ),
    ...unless(!clash('BestEffort', 'NotBestEffort') && !clash('Terminating', 'NotTerminating'), () =>
      invalidValue('spec.scopes', scopes, 'conflicting scopes'),
    ),
    ...rules.flatMap((rule, i) => selectorErrors(rule, at('spec.scopeSelector.matchExpressions', i))),
  ];
}

function selectorErrors(
  rule: { scopeName?: string | undefined; operator?: string | undefined; values?: string[] | undefined },
  path: string,
): FieldError[] {
  const { scopeName = '', operator = '', values = [] } = rule;
  const takesValues = operator === 'In' || operator === 'NotIn';
  const needed = 'must be atleast one value when `operator` is `In` or `NotIn` for scope selector';
  const none = 'must be no value when `operator` is `Exist` or `DoesNotExist` for scope selector';
  const only =
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
  return [
    ...unless(SCOPES.includes(scopeName), () => notSupported(`${path}.scopeName`, scopeName, SCOPES)),
    ...unless(OPERATORS.includes(operator), () =>
      invalidValue(`${path}.operator`, operator, 'not a valid selector operator'),
    ),
    ...unless(scopeName === 'PriorityClass' || operator === 'Exists', () =>
      invalidValue(`${path}.operator`, operator, only),
    ),
    ...unless(!takesValues || values.length > 0, () => required(`${path}.values`, needed)),
    ...unless(takesValues || values.length === 0, () => invalidValue(`${path}.values`, values, none)),
  ];
}

/** `pods: 1/10, requests.cpu: 0/1`, of the limits or of all others. */
function usageText({ spec = {}, status = {} }: Loose<ResourceQuota>, limits: boolean): string {
  const hard = status.hard ?? spec.hard ?? {};
  return Object.keys(hard)
    .filter((name) => name.startsWith('limits') === limits)
    .toSorted()
    .map((name) => `${name}: ${status.used?.[name] ?? '0'}/${hard[name] ?? '0'}`)
    .join(', ');
}

/** v1 ResourceQuota. */
export const resourceQuotaKind = defineKind<ResourceQuota>(
  {
    kind: 'ResourceQuota',
    plural: 'resourcequotas',
    shortNames: ['quota'],
    hasStatus: true,
    columns: [
      nameColumn(),
      ageColumn(),
      text('Request', 'What is used of what may be asked for.', (quota) => usageText(quota, false)),
      text('Limit', 'What is used of what limits may add up to.', (quota) => usageText(quota, true)),
    ],
    prepareCreate: (quota) => {
      quota.status = {};
    },
  },
  {
    setDefaults: (quota) => {
      quota.spec ??= {};
    },
    validate: (quota) => [...hardErrors(quota.spec?.hard, 'spec.hard'), ...scopeErrors(quota)],
    validateUpdate: (next, previous) => [
      ...unless(
        jsonEqual([...(next.spec?.scopes ?? [])].sort(), [...(previous.spec?.scopes ?? [])].sort()),
        () => invalidValue('spec.scopes', next.spec?.scopes, 'field is immutable'),
      ),
      ...unless(jsonEqual(next.spec?.scopeSelector, previous.spec?.scopeSelector), () =>
        invalidValue('spec.scopeSelector', next.spec?.scopeSelector, 'field is immutable'),
      ),
    ],
    validateStatusUpdate: ({ status = {} }) => [
      ...hardErrors(status.hard, 'status.hard'),
      ...hardErrors(status.used, 'status.used'),
    ],
  },
);
