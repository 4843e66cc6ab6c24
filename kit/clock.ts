/** A pending timer; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/** Time as a dependency, so that loops can be driven by hand in tests. */
export interface Clock {
  /** Wall clock, epoch ms. For display, cron and timestamps only; it may jump. */
  nowMs(): number;
  /** Monotonic ms since an arbitrary start. For every duration. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`; does not keep the process alive by itself. */
  after(delayMs: number, run: () => void): Timer;
}

/** Longest delay Node's timers take; longer ones fire at once, so they are cut and set again by the callers' level trigger. */
const MAX_TIMER_MS = 2_147_483_647;

/** The machine's clocks. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, run) => {
    const handle = setTimeout(run, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** RFC 3339 UTC with seconds, as Kubernetes writes `Time`. */
export function toTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 UTC with microseconds, as Kubernetes writes `MicroTime`. */
export function toMicroTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 23)}000Z`;
}
