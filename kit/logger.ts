import { type DestinationStream, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Fields of a line; numbers wear their unit in the name. An `err` field is written with message, reason and stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** JSON lines: constant text, varying fields. */
export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line, for example `{ room: 'scheduler' }`. */
  with(fields: LogFields): Logger;
}

/** Logs to standard output, or to `destination`. Writes synchronously: a crash loses no line. */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const sink = destination ?? pino.destination({ fd: 1, sync: true });
  return wrap(
    pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      sink,
    ),
  );
}

/** Discards everything; for tests and benches. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLogger,
};

function wrap(inner: pino.Logger): Logger {
  return {
    debug: (text, fields = {}) => inner.debug(fields, text),
    info: (text, fields = {}) => inner.info(fields, text),
    warn: (text, fields = {}) => inner.warn(fields, text),
    error: (text, fields = {}) => inner.error(fields, text),
    with: (fields) => wrap(inner.child(fields)),
  };
}
