/**
 * Runs `run` with a signal that aborts when `signal` does or after `limitMs` (reason: a TimeoutError). Nothing stays
 * attached to `signal` afterwards, which `AbortSignal.any` does not promise for signals that live as long as the process.
 */
export async function withDeadline<T>(
  limitMs: number,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal?.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort);
  const timer = setTimeout(() => {
    controller.abort(new DOMException(`not done within ${limitMs} ms`, 'TimeoutError'));
  }, limitMs);
  timer.unref();
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
