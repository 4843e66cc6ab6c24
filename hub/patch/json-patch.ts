import { applyPatch, Pointer } from 'rfc6902';
import { isRecord } from '../../protocol/json.ts';

/** The patched value, or why not: `malformed` is the sender's mistake in form, `failed` an operation that did not hold. */
export type JsonPatched =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: 'malformed' | 'failed'; readonly why: string };

/** Most operations of one patch; the same bound as Kubernetes has. */
const MAX_OPERATIONS = 10_000;
const OPERATIONS: readonly unknown[] = ['add', 'remove', 'replace', 'move', 'copy', 'test'];
/** Most characters that `copy` operations may add; a short patch could otherwise double a value without end. */
const MAX_COPIED = 3_145_728;
/** Path steps that would reach a prototype instead of a field. */
const UNSAFE_STEP = /\/(__proto__|constructor|prototype)(\/|$)/;

type Operation = Parameters<typeof applyPatch>[1][number];

/**
 * Applies a JSON patch (RFC 6902), all operations or none. The target is not changed. Paths through `__proto__`,
 * `constructor` or `prototype` are refused. Never throws.
 */
export function applyJsonPatch(target: unknown, patch: unknown): JsonPatched {
  if (!Array.isArray(patch)) return malformed('a JSON patch must be a list of operations');
  if (patch.length > MAX_OPERATIONS)
    return malformed(
      `the allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  const wrong = patch.map(operationFault).find((why) => why !== undefined);
  if (wrong !== undefined) return malformed(wrong);
  return applyChecked(structuredClone(target), patch as Operation[]);
}

/** Works on `copy` in place: the package does, and a failed patch throws the copy away. */
function applyChecked(copy: unknown, patch: readonly Operation[]): JsonPatched {
  let copied = 0;
  for (const [i, operation] of patch.entries()) {
    if (operation.op === 'copy') copied += sizeAt(copy, operation.from);
    if (copied > MAX_COPIED) return malformed('the copy operations of the patch add too much');
    const failure = applyOne(copy, operation);
    if (failure !== undefined) {
      const why = `operation ${i} (${operation.op} ${operation.path}): ${failure}`;
      return { ok: false, reason: 'failed', why };
    }
  }
  return { ok: true, value: copy };
}

/** Characters of the value at a path, roughly; 0 when there is none. */
function sizeAt(value: unknown, pointer: string): number {
  try {
    return JSON.stringify(Pointer.fromJSON(pointer).get(value))?.length ?? 0;
  } catch {
    // A path through something that has no fields: the copy itself then fails with a reason.
    return 0;
  }
}

/** Why the operation failed, or undefined. Values are stored as they are, so the patch's own must not be shared. */
function applyOne(copy: unknown, operation: Operation): string | undefined {
  try {
    return applyPatch(copy, [structuredClone(operation)])[0]?.message;
  } catch (error) {
    // The package throws where a path leads through a value that has no fields.
    return error instanceof Error ? error.message : String(error);
  }
}

const malformed = (why: string): JsonPatched => ({ ok: false, reason: 'malformed', why });

function operationFault(operation: unknown, index: number): string | undefined {
  if (!isRecord(operation)) return `operation ${index} is not an object`;
  const { op, path, from } = operation;
  if (!OPERATIONS.includes(op)) return `operation ${index}: unknown op ${JSON.stringify(op)}`;
  const pathFault = pointerFault(path);
  if (pathFault !== undefined) return `operation ${index}: path ${pathFault}`;
  const needsFrom = op === 'move' || op === 'copy';
  const fromFault = needsFrom ? pointerFault(from) : undefined;
  if (fromFault !== undefined) return `operation ${index}: from ${fromFault}`;
  const needsValue = op === 'add' || op === 'replace' || op === 'test';
  if (needsValue && !Object.hasOwn(operation, 'value')) return `operation ${index}: value is missing`;
  return undefined;
}

function pointerFault(pointer: unknown): string | undefined {
  if (typeof pointer !== 'string') return 'is not a text';
  if (pointer !== '' && !pointer.startsWith('/')) return 'must begin with /';
  return UNSAFE_STEP.test(pointer) ? 'names no field' : undefined;
}
