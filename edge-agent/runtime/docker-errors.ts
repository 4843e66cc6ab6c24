import { RuntimeError, type RuntimeReason } from '../decide/runtime-error.ts';

/** What was asked of the engine; the same text means different things in different calls. */
export type Operation =
  | 'inspect'
  | 'list'
  | 'create'
  | 'start'
  | 'kill'
  | 'remove'
  | 'exec'
  | 'logs'
  | 'image'
  | 'pull'
  | 'network'
  | 'events'
  | 'info';

interface EngineAnswer {
  readonly statusCode?: number;
  readonly code?: string;
  readonly name?: string;
  readonly message: string;
}

/** Texts by which engines from 20.10 on tell causes apart within one HTTP status; the only place that reads texts. */
const TEXTS: readonly (readonly [RegExp, RuntimeReason, (readonly Operation[])?])[] = [
  [
    /daemon is shutting down|transport is closing|connection error: desc|containerd: .*unavailable/i,
    'EngineUnreachable',
  ],
  [/no space left on device/i, 'DiskFull'],
  [/network .*(has active endpoints|overlaps with other|already exists)/i, 'NetworkConflict'],
  [/network \S+ not found|could not find (a )?network/i, 'NetworkMissing'],
  [/Pool overlaps|networks have (same|overlapping)/i, 'NetworkConflict'],
  [/port is already allocated|bind.*address already in use|bind.*permission denied/i, 'PortInUse'],
  [/address already in use|no available IPv4 addresses/i, 'AddressInUse'],
  [/invalid reference format/i, 'BadSpec', ['pull', 'image', 'create']],
  [/no such image/i, 'ImageNotFound'],
  [/pull access denied|unauthorized|authentication required|denied:/i, 'ImageForbidden', ['pull']],
  [/manifest unknown|not found|no matching manifest|does not exist/i, 'ImageNotFound', ['pull']],
  [
    /dial |lookup |no such host|timeout|timed out|refused|unreachable|TLS|EOF|misbehaving|temporary failure|certificate|server gave HTTP/i,
    'RegistryUnreachable',
    ['pull'],
  ],
  [/is already in use by container/i, 'NameInUse', ['create']],
  [
    /OCI runtime|executable file not found|no such file or directory|failed to create (task|shim)|cannot start/i,
    'StartFailed',
    ['start'],
  ],
  [/is not running|is not started/i, 'ContainerNotFound', ['kill', 'exec']],
];

const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ECONNRESET',
  'EPIPE',
  'EACCES',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UND_ERR_SOCKET',
]);

/** Gives whatever the engine's client threw a closed reason. A RuntimeError passes unchanged. */
export function toRuntimeError(error: unknown, operation: Operation): RuntimeError {
  if (error instanceof RuntimeError) return error;
  // An aborted request fails with the client's own words; why it was aborted is in the cause or the error itself.
  const aborted = error instanceof Error && error.name === 'AbortError' ? error.cause : undefined;
  if (aborted instanceof Error && aborted.name === 'TimeoutError')
    return new RuntimeError('TimedOut', aborted.message, { cause: error });
  const answer = readAnswer(error);
  const message = answer.message;
  return new RuntimeError(reasonOf(answer, operation), message, { cause: error });
}

function reasonOf(answer: EngineAnswer, operation: Operation): RuntimeReason {
  if (answer.name === 'TimeoutError') return 'TimedOut';
  if (answer.name === 'AbortError' || answer.code === 'ABORT_ERR') return 'Aborted';
  if (answer.statusCode === undefined) {
    const socket = answer.code !== undefined && SOCKET_CODES.has(answer.code);
    if (socket || /socket hang up/.test(answer.message)) return 'EngineUnreachable';
  }
  for (const [pattern, reason, operations] of TEXTS)
    if (pattern.test(answer.message) && (operations === undefined || operations.includes(operation)))
      return reason;
  return byStatus(answer.statusCode, operation);
}

function byStatus(statusCode: number | undefined, operation: Operation): RuntimeReason {
  if (statusCode === 404)
    return operation === 'image' || operation === 'pull' ? 'ImageNotFound' : 'ContainerNotFound';
  if (statusCode === 400) return operation === 'start' ? 'StartFailed' : 'BadSpec';
  if (statusCode === 409 && operation === 'create') return 'NameInUse';
  if (operation === 'network' && statusCode === 403) return 'NetworkConflict';
  return 'EngineFailed';
}

/** The engine's own words without the client's decoration. */
function readAnswer(error: unknown): EngineAnswer {
  if (!(error instanceof Error)) return { message: String(error) };
  const fields = error as Error & { statusCode?: unknown; code?: unknown; json?: unknown };
  const json = fields.json as { message?: unknown } | null | undefined;
  const own =
    typeof json === 'object' && json !== null && typeof json.message === 'string' ? json.message : undefined;
  return {
    name: error.name,
    message: (own ?? error.message).trim(),
    ...(typeof fields.statusCode === 'number' ? { statusCode: fields.statusCode } : {}),
    ...(typeof fields.code === 'string' ? { code: fields.code } : {}),
  };
}

/** True for 304: the container was already as asked. */
export function isNotModified(error: unknown): boolean {
  return error instanceof Error && (error as Error & { statusCode?: unknown }).statusCode === 304;
}

/** True when the engine says that there is no such thing. */
export function isNotFound(error: unknown): boolean {
  return (error as { statusCode?: unknown } | null)?.statusCode === 404;
}

/** True when the engine refuses because something else uses the thing. */
export function isConflict(error: unknown): boolean {
  return (error as { statusCode?: unknown } | null)?.statusCode === 409;
}
