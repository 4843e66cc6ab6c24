/**
 * JSON with sorted keys and without undefined members: equal text for equal content, whatever the order the members were
 * set in. Pure; never throws on plain data.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((v) => canonicalJson(v ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([k, v]) => `${JSON.stringify(k)}:${canonicalJson(v)}`).join(',')}}`;
}

/**
 * True when two values have the same canonical JSON, without making it: an absent member is one that is undefined, the order of
 * members does not matter. Pure; never throws on plain data.
 */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return canonicalJson(a) === canonicalJson(b);
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((value, i) => sameJson(value ?? null, b[i] ?? null))
    );
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  for (const key in left) if (left[key] !== undefined && !isSameMember(left, right, key)) return false;
  for (const key in right) if (right[key] !== undefined && memberOf(left, key) === undefined) return false;
  return true;
}

function isSameMember(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
  key: string,
): boolean {
  const other = memberOf(b, key);
  return other !== undefined && sameJson(a[key], other);
}

/** Its own member: users may name theirs `constructor`, which every object also inherits. */
function memberOf(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/**
 * 64-bit hash of a text as 16 hex digits: two 32-bit multiply-xor lanes with different primes and a final mixing.
 * Not against forgery. A collision matters only between two successive contents of one item (then a device would miss that
 * change): one in 2^64 per change.
 */
export function hashText(text: string): string {
  let h1 = 0xdeadbeef;
  let h2 = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    h1 = Math.imul(h1 ^ unit, 2654435761);
    h2 = Math.imul(h2 ^ unit, 1597334677);
  }
  const a = Math.imul(h1 ^ (h1 >>> 16), 2246822507) ^ Math.imul(h2 ^ (h2 >>> 13), 3266489909);
  const b = Math.imul(h2 ^ (h2 >>> 16), 2246822507) ^ Math.imul(h1 ^ (h1 >>> 13), 3266489909);
  return hex(b) + hex(a);
}

/** Hash of a value's content, the same for any order of its members. */
export function contentHash(value: unknown): string {
  return hashText(canonicalJson(value));
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0');
}
