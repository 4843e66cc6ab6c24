import { applyPatch } from 'rfc6902';
/** temp */
export function applyJsonPatch(current: unknown, patch: unknown[]): unknown {
  const copy = structuredClone(current);
  applyPatch(copy, patch as never);
  return copy;
}
