import { jsonEqual } from '../json.ts';
import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { at, invalidEach, invalidValue, notSupported, unless } from '../validate/field-errors.ts';
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
    validate: ({ spec = {} }) => [
      ...hardErrors(spec.hard, 'spec.hard'),
      ...(spec.scopes ?? []).flatMap((scope, i) =>
        unless(SCOPES.includes(scope), () => notSupported(at('spec.scopes', i), scope, SCOPES)),
      ),
    ],
    validateUpdate: (next, previous) =>
      unless(
        jsonEqual([...(next.spec?.scopes ?? [])].sort(), [...(previous.spec?.scopes ?? [])].sort()),
        () => invalidValue('spec.scopes', next.spec?.scopes, 'field is immutable'),
      ),
    validateStatusUpdate: ({ status = {} }) => [
      ...hardErrors(status.hard, 'status.hard'),
      ...hardErrors(status.used, 'status.used'),
    ],
  },
);
