import type { FieldError } from '../kinds/kind.ts';

/** A list entry's path: `spec.containers[1]`. */
export const at = (path: string, index: number): string => `${path}[${index}]`;

/** The field must be set. */
export function required(field: string, why = ''): FieldError {
  return {
    reason: 'FieldValueRequired',
    field,
    message: why === '' ? 'Required value' : `Required value: ${why}`,
  };
}

/** The value breaks a rule; `value` is shown as Kubernetes would show it, see `shown`. */
export function invalidValue(field: string, value: unknown, why: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${shown(value)}: ${why}` };
}

/** As `invalidValue`, for a value that the caller has written out as Go would. */
export function invalidShown(field: string, shownValue: string, why: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${shownValue}: ${why}` };
}

/** The value is none of the allowed ones, which are named in the order given. */
export function notSupported(field: string, value: unknown, allowed: readonly string[]): FieldError {
  const list = allowed.map((a) => JSON.stringify(a)).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: ${shown(value ?? '')}: supported values: ${list}`,
  };
}

/** The value occurs twice where it must be unique. */
export function duplicate(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${shown(value)}` };
}

/** The field may not be set, or not changed, here. */
export function forbidden(field: string, why: string): FieldError {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` };
}

/** The value names something that is not there. */
export function notFoundValue(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueNotFound', field, message: `Not found: ${shown(value)}` };
}

/** The value is longer than `maxBytes`. */
export function tooLong(field: string, maxBytes: number): FieldError {
  return {
    reason: 'FieldValueTooLong',
    field,
    message: `Too long: may not be more than ${maxBytes} bytes`,
  };
}

/** One error per text, all on the same field and value. */
export function invalidEach(field: string, value: unknown, texts: readonly string[]): FieldError[] {
  return texts.map((text) => invalidValue(field, value, text));
}

/** The error unless the claim holds. */
export function unless(holds: boolean, error: () => FieldError): FieldError[] {
  return holds ? [] : [error()];
}

/** A value as Kubernetes prints it in its messages: strings quoted, maps of strings as Go writes them. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (isStringMap(value)) return shownStringMap(value);
  return JSON.stringify(value);
}

/** `map[string]string{"a":"b"}`, sorted by key. */
export function shownStringMap(map: Readonly<Record<string, unknown>> | undefined): string {
  if (map === undefined) return 'map[string]string(nil)';
  const entries = Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[string]string{${entries.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(', ')}}`;
}

function isStringMap(value: object): value is Record<string, string> {
  return !Array.isArray(value) && Object.values(value).every((v) => typeof v === 'string');
}
