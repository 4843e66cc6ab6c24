import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { ResourceRequirements } from '../kinds/pod.ts';
import { parseQuantity, QUANTITY_ERROR } from '../quantity.ts';
import { invalidEach, invalidValue, required, unless } from './field-errors.ts';
import { qualifiedNameErrors } from './names.ts';

const STANDARD = ['cpu', 'memory', 'ephemeral-storage'];
/** Resources that a node may promise more of than it has; all others need limit and request to be equal. */
const canOvercommit = (name: string): boolean => STANDARD.includes(name);

type Amounts = Loose<Record<string, string>> | undefined;

/** Checks a container's requests and limits: names, quantities, and that no request exceeds its limit. */
export function validateResources(
  resources: Loose<ResourceRequirements> | undefined,
  path: string,
): FieldError[] {
  const limits = resources?.limits;
  const requests = resources?.requests;
  return [
    ...amountErrors(limits, `${path}.limits`),
    ...amountErrors(requests, `${path}.requests`),
    ...Object.entries(requests ?? {}).flatMap(([name, request]) =>
      pairErrors(name, request ?? '', own(limits, name), path),
    ),
  ];
}

const own = (amounts: Amounts, name: string): string | undefined =>
  amounts !== undefined && Object.hasOwn(amounts, name) ? amounts[name] : undefined;

/** Checks one list of amounts by resource name; a node's capacity passes here too. */
function amountErrors(amounts: Amounts, path: string): FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => {
    const field = `${path}[${name}]`;
    return [...resourceNameErrors(name, field), ...quantityErrors(amount, field, !canOvercommit(name))];
  });
}

function resourceNameErrors(name: string, field: string): FieldError[] {
  const errors = invalidEach(field, name, qualifiedNameErrors(name));
  if (errors.length > 0 || name.includes('/') || STANDARD.includes(name)) return errors;
  if (/^hugepages-\w+$/.test(name)) return errors;
  return [
    invalidValue(field, name, 'must be a standard resource type or fully qualified'),
    invalidValue(field, name, 'must be a standard resource for containers'),
  ];
}

/** Checks that a quantity can be read and is not negative; whole numbers only when `whole`. */
export function quantityErrors(quantity: string | undefined, field: string, whole = false): FieldError[] {
  const value = parseQuantity(quantity ?? '');
  if (value === undefined) return [invalidValue(field, quantity ?? '', QUANTITY_ERROR)];
  if (value < 0) return [invalidValue(field, quantity, 'must be greater than or equal to 0')];
  return unless(!whole || Number.isInteger(value), () => invalidValue(field, quantity, 'must be an integer'));
}

function pairErrors(name: string, request: string, limit: string | undefined, path: string): FieldError[] {
  const asked = parseQuantity(request);
  const most = limit === undefined ? undefined : parseQuantity(limit);
  if (limit === undefined) {
    if (canOvercommit(name) || !name.includes('/')) return [];
    return [required(`${path}.limits`, 'Limit must be set for non overcommitable resources')];
  }
  if (asked === undefined || most === undefined) return [];
  if (!canOvercommit(name) && asked !== most)
    return [invalidValue(`${path}.requests`, request, `must be equal to ${name} limit of ${limit}`)];
  if (asked > most)
    return [
      invalidValue(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`),
    ];
  return [];
}
