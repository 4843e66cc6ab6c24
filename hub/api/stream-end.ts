import { ApiError, type ApiReason } from '../../protocol/status.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';

/** Reasons a device may give that keep their HTTP code; all others are the hub's InternalError. */
const KNOWN: readonly ApiReason[] = [
  'BadRequest',
  'NotFound',
  'Conflict',
  'ServiceUnavailable',
  'Timeout',
  'TooManyRequests',
];

/** The error a stream ended with; undefined when it ended well. */
export function streamError(end: StreamEnd): ApiError | undefined {
  if (end.reason === undefined) return undefined;
  const reason = KNOWN.find((r) => r === end.reason) ?? 'InternalError';
  return new ApiError(reason, end.message ?? end.reason);
}

/** The Status an exec ends with on its error channel: success, the exit code, or why it could not run. */
export function execStatus(end: StreamEnd): object {
  const { exitCode = 0 } = end;
  const error = streamError(end);
  if (error !== undefined) {
    const { message, code } = error;
    return { metadata: {}, status: 'Failure', message, reason: 'InternalError', code };
  }
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}
