import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { Quantity } from '../kinds/meta.ts';
import { parseQuantity } from '../quantity.ts';
import { forbidden, invalidValue, notSupported, required, unless } from './field-errors.ts';
import { quantityErrors } from './resources.ts';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const SHORT: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

/** Access modes as kubectl prints them, in Kubernetes' order: `RWO,RWX`. */
export const accessModesText = (modes: readonly string[] | undefined): string =>
  Object.keys(SHORT)
    .filter((mode) => modes?.includes(mode))
    .map((mode) => SHORT[mode] ?? '')
    .join(',');

/** Checks the access modes of a volume or claim; at least one must be there. */
export function validateAccessModes(
  modes: readonly string[] | undefined,
  field: string,
  why = '',
): FieldError[] {
  if (modes === undefined || modes.length === 0) return [required(field, why)];
  const alone = modes.length > 1 && modes.includes('ReadWriteOncePod');
  return [
    ...modes.flatMap((mode) =>
      unless(ACCESS_MODES.includes(mode), () => notSupported(field, mode, ACCESS_MODES)),
    ),
    ...unless(!alone, () => forbidden(field, 'may not use ReadWriteOncePod with other access modes')),
  ];
}

/** Checks that an amount of storage is given and more than nothing. */
export function validateStorage(
  amounts: Loose<Record<string, Quantity>> | undefined,
  field: string,
): FieldError[] {
  const amount = amounts !== undefined && Object.hasOwn(amounts, 'storage') ? amounts['storage'] : undefined;
  if (amount === undefined) return [required(field)];
  const errors = quantityErrors(amount, field);
  if (errors.length > 0) return errors;
  return unless((parseQuantity(amount) ?? 0) > 0, () =>
    invalidValue(field, amount, 'must be greater than zero'),
  );
}
