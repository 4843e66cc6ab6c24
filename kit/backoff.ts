/** Exponential backoff: `baseMs`, doubled per failure, never above `maxMs`. */
export interface BackoffPolicy {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Delay before try `failures + 1`; 0 without failures. Pure; add jitter with `jittered`. */
export function backoffMs(policy: BackoffPolicy, failures: number): number {
  if (failures <= 0) return 0;
  return Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(failures - 1, 30));
}

/** Spreads a delay evenly over `1 ± ratio/2` of itself; `unit` is a random number in 0..1. Pure. */
export function jittered(delayMs: number, ratio: number, unit: number): number {
  return delayMs * (1 + ratio * (unit - 0.5));
}
