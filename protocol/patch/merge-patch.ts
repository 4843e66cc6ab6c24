import { isRecord, own } from '../json.ts';

/**
 * Applies a JSON merge patch (RFC 7386): null deletes a key, objects merge, all else is replaced. Neither argument is
 * changed; keys such as `__proto__` stay plain keys. Never throws on values nested less than a few thousand levels.
 */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const base = isRecord(target) ? target : {};
  const kept = Object.entries(base).filter(([key]) => !Object.hasOwn(patch, key));
  const changed = Object.entries(patch).flatMap(([key, value]): [string, unknown][] =>
    value === null ? [] : [[key, applyMergePatch(own(base, key), value)]],
  );
  return Object.fromEntries(inOrderOf(base, [...kept, ...changed]));
}

/** Keys keep the place they had; new ones follow. Order has no meaning, but people compare texts. */
function inOrderOf(
  base: Readonly<Record<string, unknown>>,
  entries: readonly [string, unknown][],
): [string, unknown][] {
  const found = new Map(entries);
  const before = Object.keys(base).flatMap((key): [string, unknown][] =>
    found.has(key) ? [[key, found.get(key)]] : [],
  );
  return [...before, ...entries.filter(([key]) => !Object.hasOwn(base, key))];
}
