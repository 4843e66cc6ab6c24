/** Kubernetes' crash back-off: the first restart is immediate, the next after 10 s, doubling up to 5 min. */
export interface CrashBackoff {
  readonly delayMs: number;
  /** Monotonic time of the restart that set it. */
  readonly updatedMs: number;
}

export const CRASH_BASE_MS = 10_000;
export const CRASH_MAX_MS = 300_000;
/** A container that ran this long since its last restart starts again with a clean sheet. */
export const CRASH_FORGET_MS = 2 * CRASH_MAX_MS;

function isForgotten(backoff: CrashBackoff, exitedMs: number): boolean {
  return exitedMs - backoff.updatedMs > CRASH_FORGET_MS;
}

/** Monotonic time from which a container that ended at `exitedMs` may be started again. */
export function restartAtMs(backoff: CrashBackoff | undefined, exitedMs: number): number {
  if (backoff === undefined || isForgotten(backoff, exitedMs)) return exitedMs;
  return exitedMs + backoff.delayMs;
}

/** The back-off to remember when the container that ended at `exitedMs` is started again now. */
export function afterRestart(
  backoff: CrashBackoff | undefined,
  exitedMs: number,
  nowMs: number,
): CrashBackoff {
  if (backoff === undefined || isForgotten(backoff, exitedMs))
    return { delayMs: CRASH_BASE_MS, updatedMs: nowMs };
  return { delayMs: Math.min(CRASH_MAX_MS, backoff.delayMs * 2), updatedMs: nowMs };
}

/** Delay before trying again what failed `failures` times in a row (pulls, creation, volumes): 10 s doubling to 5 min. */
export function retryDelayMs(failures: number): number {
  return Math.min(CRASH_MAX_MS, CRASH_BASE_MS * 2 ** Math.min(Math.max(0, failures - 1), 10));
}
