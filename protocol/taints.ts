import type { Taint, TaintEffect, Toleration } from './kinds/node.ts';

/** Taints that the hub itself puts on nodes and takes off again. */
export const TAINT_NOT_READY = 'node.kubernetes.io/not-ready';
export const TAINT_UNREACHABLE = 'node.kubernetes.io/unreachable';
export const TAINT_UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
export const TAINT_MEMORY_PRESSURE = 'node.kubernetes.io/memory-pressure';
export const TAINT_DISK_PRESSURE = 'node.kubernetes.io/disk-pressure';
export const TAINT_PID_PRESSURE = 'node.kubernetes.io/pid-pressure';
/** The processor is too hot for more work; Kubernetes knows no such pressure. */
export const TAINT_TEMPERATURE_PRESSURE = 'coxswain.dev/temperature-pressure';

/**
 * True when the toleration covers the taint: an empty key with `Exists` covers all keys, an empty effect all effects.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
 */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== taint.effect) return false;
  const operator = toleration.operator ?? 'Equal';
  if (!toleration.key) return operator === 'Exists';
  if (toleration.key !== taint.key) return false;
  return operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}

/** Taints of the given effects that none of the tolerations covers, in order. */
export function untolerated(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
  effects: readonly TaintEffect[],
): Taint[] {
  return (taints ?? []).filter(
    (taint) => effects.includes(taint.effect) && !(tolerations ?? []).some((t) => tolerates(t, taint)),
  );
}

/**
 * How long a pod may stay on a node with this NoExecute taint, in ms from `taint.timeAdded`: 0 = leaves now,
 * Infinity = for ever. Of several matching tolerations the shortest `tolerationSeconds` counts.
 */
export function toleratedForMs(taint: Taint, tolerations: readonly Toleration[] | undefined): number {
  const matching = (tolerations ?? []).filter((t) => tolerates(t, taint));
  if (matching.length === 0) return 0;
  const limits = matching.map((t) =>
    t.tolerationSeconds === undefined ? Number.POSITIVE_INFINITY : Math.max(0, t.tolerationSeconds) * 1000,
  );
  return Math.min(...limits);
}
