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
  for (const [resource, min = ''] of Object.entries(item.min ?? {})) {
    const max = item.max?.[resource];
    if (max !== undefined && (parseQuantity(min) ?? 0) > (parseQuantity(max) ?? 0)) {
      const why = `min value ${min} is greater than max value ${max}`;
      errors.push(invalidValue(`${path}.min[${resource}]`, min, why));
    }
  }
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
