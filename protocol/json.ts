/** Deep equality of JSON values; an absent field equals an undefined one, the order of keys does not count. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => jsonEqual(v, b[i]))
    );
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((k) =>
    jsonEqual(own(left, k), own(right, k)),
  );
}

/** True for an object that is neither null nor a list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Own property of an object; never one of its prototype, whatever the name. */
export function own(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

const isForm = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** True when no list or object of the value lies deeper than `levels`; walks without recursion, for hostile input. */
export function isNestedWithin(value: unknown, levels: number): boolean {
  let layer = [value].filter(isForm);
  for (let level = 0; layer.length > 0; level++) {
    if (level >= levels) return false;
    const inner: object[] = [];
    for (const form of layer)
      for (const member of Object.values(form)) if (isForm(member)) inner.push(member);
    layer = inner;
  }
  return true;
}
