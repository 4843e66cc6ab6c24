/** Why the container engine refused or failed. Callers branch on this, never on the text. */
export type RuntimeReason =
  | 'EngineUnreachable'
  | 'ContainerNotFound'
  | 'ImageNotFound'
  | 'ImageForbidden'
  | 'RegistryUnreachable'
  | 'NameInUse'
  | 'AddressInUse'
  | 'PortInUse'
  | 'NetworkConflict'
  | 'NetworkMissing'
  | 'BadSpec'
  | 'StartFailed'
  | 'DiskFull'
  | 'TimedOut'
  | 'Aborted'
  | 'EngineFailed';

/** A failure of the container engine with a closed reason; `cause` is what the engine's client threw. */
export class RuntimeError extends Error {
  readonly reason: RuntimeReason;
  constructor(reason: RuntimeReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RuntimeError';
    this.reason = reason;
  }
}

/** True for a RuntimeError of one of these reasons. */
export function isRuntimeError(error: unknown, ...reasons: RuntimeReason[]): error is RuntimeError {
  return error instanceof RuntimeError && (reasons.length === 0 || reasons.includes(error.reason));
}
