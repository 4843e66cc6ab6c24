/**
 * Why durable storage refused. `NoSpace`: the disk or quota is full; `IoError`: the disk failed; `Unreadable`: what was
 * stored cannot be read and nothing older can stand in for it; `Closed`: used after close.
 */
export type DurableReason = 'NoSpace' | 'IoError' | 'Unreadable' | 'Closed';

/** A refusal of durable storage. Branch on `reason`; the failed system call is the `cause`. */
export class DurableError extends Error {
  readonly reason: DurableReason;

  constructor(reason: DurableReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DurableError';
    this.reason = reason;
  }
}

/** The system call's error code, `ENOENT` for example; empty when `error` carries none. Never throws. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** True when a file-system call failed because the disk or the quota is full. Never throws. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errorCode(error));
}

/** Wraps what a file-system call rejected with; a DurableError passes unchanged. `doing` is "writing x", for people. */
export function toDurableError(error: unknown, doing: string): DurableError {
  if (error instanceof DurableError) return error;
  const full = isDiskFull(error);
  const why = full ? 'no space left on the device' : error instanceof Error ? error.message : String(error);
  return new DurableError(full ? 'NoSpace' : 'IoError', `${doing}: ${why}`, { cause: error });
}
