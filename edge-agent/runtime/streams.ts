import type { Readable, Writable } from 'node:stream';

/** Which part of a container's log; times are epoch ms. */
export interface LogOptions {
  readonly follow: boolean;
  readonly tty: boolean;
  readonly tailLines?: number;
  readonly sinceMs?: number;
  /** Every line begins with its RFC 3339 time and a space. */
  readonly timestamps: boolean;
}

/** A command to run, or a main process to attach to, with the streams that are wanted. */
export interface SessionOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A running exec or attach. Ending `stdin` tells the other side; `close` drops the connection and kills nothing. */
export interface Session {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  resize(columns: number, rows: number): Promise<void>;
  /** Once the output has ended; undefined for an attach to a container that still runs. */
  exitCode(): Promise<number | undefined>;
  close(): void;
}

/** A container's log as it flows. */
export interface LogSession {
  readonly stdout: Readable;
  readonly stderr: Readable;
  close(): void;
}
