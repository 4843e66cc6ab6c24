/** Small checks that compose into the shape of a message. A check returns what is wrong, or undefined. */
export type Check = (value: unknown, path: string) => string | undefined;

/** A typed message, or why it was refused. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string };

/** Longest array or object accepted; a device holds far fewer items. */
const MAX_ENTRIES = 100_000;

/** Path of a field below `path`. */
export const field = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** Accepts anything. */
export const passed: Check = () => undefined;

export const text: Check = (value, path) => (typeof value === 'string' ? undefined : `${path}: not a string`);

export const nonEmpty: Check = (value, path) =>
  typeof value === 'string' && value !== '' ? undefined : `${path}: not a non-empty string`;

/** A whole number that a double holds exactly. */
export const int: Check = (value, path) =>
  Number.isSafeInteger(value) ? undefined : `${path}: not a whole number`;

export const bool: Check = (value, path) =>
  typeof value === 'boolean' ? undefined : `${path}: not true or false`;

/** One of the given strings. */
export const oneOf =
  (...allowed: readonly string[]): Check =>
  (value, path) =>
    typeof value === 'string' && allowed.includes(value)
      ? undefined
      : `${path}: not one of ${allowed.join(', ')}`;

/** Absent, or as `check` says; JSON null counts as absent. */
export const optional =
  (check: Check): Check =>
  (value, path) =>
    value === undefined || value === null ? undefined : check(value, path);

/** An array whose every element passes. */
export const arrayOf =
  (check: Check): Check =>
  (value, path) => {
    if (!Array.isArray(value)) return `${path}: not a list`;
    if (value.length > MAX_ENTRIES) return `${path}: too long`;
    for (let i = 0; i < value.length; i++) {
      const why = check(value[i], `${path}[${i}]`);
      if (why !== undefined) return why;
    }
    return undefined;
  };

/** An object used as a map whose every value passes. */
export const recordOf =
  (check: Check): Check =>
  (value, path) => {
    if (!isObject(value)) return `${path}: not an object`;
    const entries = Object.entries(value);
    if (entries.length > MAX_ENTRIES) return `${path}: too long`;
    for (const [key, entry] of entries) {
      const why = check(entry, field(path, key));
      if (why !== undefined) return why;
    }
    return undefined;
  };

/** An object with at least these fields; unknown fields are ignored, so that versions can differ. */
export const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    if (!isObject(value)) return `${path || 'message'}: not an object`;
    for (const [name, check] of Object.entries(fields)) {
      const why = check(Object.hasOwn(value, name) ? value[name] : undefined, field(path, name));
      if (why !== undefined) return why;
    }
    return undefined;
  };

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
