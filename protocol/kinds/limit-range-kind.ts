import { nameColumn } from '../print/cells.ts';
import { parseQuantity } from '../quantity.ts';
import { at, duplicate, forbidden, invalidValue, required, unless } from '../validate/field-errors.ts';
import { quantityErrors } from '../validate/resources.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { LimitRange, LimitRangeItem } from './policy.ts';

const AMOUNTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

/** Of containers: a limit is at most the maximum, a request is the limit or at least the minimum. */
function defaultItem(item: Loose<LimitRangeItem>): void {
  if (item.type !== 'Container') return;
  if (
    item.default === undefined &&
    item.max === undefined &&
    item.min === undefined &&
    item.defaultRequest === undefined
  )
    return;
  item.default = { ...item.max, ...item.default };
  item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
}

function itemErrors(item: Loose<LimitRangeItem>, path: string): FieldError[] {
  const errors = AMOUNTS.flatMap((name) =>
    Object.entries(item[name] ?? {}).flatMap(([resource, amount]) =>
      quantityErrors(amount, `${path}.${name}[${resource}]`),
    ),
  );
  if (!item.type) errors.push(required(`${path}.type`));
  if (item.type === 'Pod') {
    if (Object.keys(item.default ?? {}).length > 0)
      errors.push(forbidden(`${path}.default`, "may not be specified when `type` is 'Pod'"));
    if (Object.keys(item.defaultRequest ?? {}).length > 0)
      errors.push(forbidden(`${path}.defaultRequest`, "may not be specified when `type` is 'Pod'"));
  }
  if (item.type === 'PersistentVolumeClaim' && !item.min?.['storage'] && !item.max?.['storage']) {
    const why = 'either minimum or maximum storage value is required, but neither was provided';
    errors.push(required(`${path}.limits`, why));
  }
  const resources = new Set(AMOUNTS.flatMap((name) => Object.keys(item[name] ?? {})));
  return [...errors, ...[...resources].sort().flatMap((resource) => orderErrors(item, resource, path))];
}

type Amount = (typeof AMOUNTS)[number];

/** Which amount may not be above which, where both are given: the field to blame first, then the words. */
const ORDERS: readonly (readonly [Amount, Amount, Amount, string, string])[] = [
  ['min', 'min', 'max', 'min value', 'max value'],
  ['defaultRequest', 'min', 'defaultRequest', 'min value', 'default request value'],
  ['defaultRequest', 'defaultRequest', 'max', 'default request value', 'max value'],
  ['defaultRequest', 'defaultRequest', 'default', 'default request value', 'default limit value'],
  ['default', 'min', 'default', 'min value', 'default value'],
  ['default', 'default', 'max', 'default value', 'max value'],
];

function orderErrors(item: Loose<LimitRangeItem>, resource: string, path: string): FieldError[] {
  const value = (name: Amount): number | undefined => parseQuantity(item[name]?.[resource] ?? '');
  const errors = ORDERS.flatMap(([blamed, low, high, lowWords, highWords]) => {
    const [below, above] = [value(low), value(high)];
    if (below === undefined || above === undefined || below <= above) return [];
    const why = `${lowWords} ${item[low]?.[resource]} is greater than ${highWords} ${item[high]?.[resource]}`;
    return [invalidValue(`${path}.${blamed}[${resource}]`, item[blamed]?.[resource], why)];
  });
  const [ratio, min, max] = [value('maxLimitRequestRatio'), value('min'), value('max')];
  const field = `${path}.maxLimitRequestRatio[${resource}]`;
  const shown = item.maxLimitRequestRatio?.[resource];
  if (ratio !== undefined && ratio < 1)
    errors.push(invalidValue(field, shown, `ratio ${shown} is less than 1`));
  if (ratio !== undefined && min !== undefined && max !== undefined && ratio > max / min)
    errors.push(
      invalidValue(field, shown, `ratio ${shown} is greater than max/min = ${(max / min).toFixed(6)}`),
    );
  return errors;
}

/** v1 LimitRange. */
export const limitRangeKind = defineKind<LimitRange>(
  {
    kind: 'LimitRange',
    plural: 'limitranges',
    shortNames: ['limits'],
    columns: [
      nameColumn(),
      {
        name: 'Created At',
        type: 'date',
        description: 'When the object was created.',
        priority: 0,
        cell: (range) => range.metadata.creationTimestamp ?? '',
      },
    ],
  },
  {
    setDefaults: (range) => {
      range.spec ??= {};
      range.spec.limits ??= [];
      for (const item of range.spec.limits) defaultItem(item);
    },
    validate: ({ spec = {} }) => {
      const limits = spec.limits ?? [];
      return limits.flatMap((item, i) => [
        ...unless(limits.findIndex((other) => other.type === item.type) === i, () =>
          duplicate(`${at('spec.limits', i)}.type`, item.type),
        ),
        ...itemErrors(item, at('spec.limits', i)),
      ]);
    },
  },
);
