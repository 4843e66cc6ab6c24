/**
 * A deep copy of a JSON value, mutable, without undefined members and without a `__proto__` key.
 * Values that are not JSON (functions, class instances) must not be handed in.
 */
export function cloneJson<T>(value: T): T {
  return copy(value) as T;
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : copy(item)));
  const result: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined && key !== '__proto__') result[key] = copy(member);
  }
  return result;
}

/**
 * Freezes a JSON value all the way down and yields about how many bytes of memory its JSON form takes. Parts frozen
 * before are taken as shared: they are not walked again and cost nothing.
 */
export function deepFreeze(value: unknown): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  if (Object.isFrozen(value)) return 0;
  let bytes = 2;
  for (const [key, member] of Object.entries(value)) bytes += key.length + 4 + deepFreeze(member);
  Object.freeze(value);
  return bytes;
}
