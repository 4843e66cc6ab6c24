import type { FieldError } from '../kinds/kind.ts';
import type { IntOrString } from '../kinds/meta.ts';
import { invalidEach, invalidShown, invalidValue, unless } from './field-errors.ts';
import { percentErrors } from './names.ts';

/** The error of a number below zero; an absent one is good. */
export function nonNegative(field: string, value: number | undefined): FieldError[] {
  return unless(value === undefined || value >= 0, () =>
    invalidValue(field, value, 'must be greater than or equal to 0'),
  );
}

/** The error of a number outside `min..max`; an absent one is good. */
export function inRange(field: string, value: number | undefined, min: number, max: number): FieldError[] {
  return unless(value === undefined || (value >= min && value <= max), () =>
    invalidValue(field, value, `must be between ${min} and ${max}, inclusive`),
  );
}

/** A count that is not negative, or a percentage. */
export function countOrPercent(field: string, value: IntOrString | undefined): FieldError[] {
  if (typeof value === 'string') return invalidEach(field, value, percentErrors(value));
  return nonNegative(field, value);
}

/** The error of a percentage above 100; a number is good, whatever it is. */
export function atMost100Percent(field: string, value: IntOrString): FieldError[] {
  return unless(typeof value === 'number' || !(Number.parseInt(value, 10) > 100), () =>
    invalidShown(field, shownIntOrString(value), 'must not be greater than 100%'),
  );
}

/** An amount as Go prints the type that holds a number or a text. */
export function shownIntOrString(value: IntOrString): string {
  return typeof value === 'number'
    ? `intstr.IntOrString{Type:0, IntVal:${value}, StrVal:""}`
    : `intstr.IntOrString{Type:1, IntVal:0, StrVal:${JSON.stringify(value)}}`;
}
