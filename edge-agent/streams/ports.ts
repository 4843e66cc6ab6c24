import type { Readable, Writable } from 'node:stream';

/** A container of a pod. `previousId` is the one before, while the engine still has it. */
export interface StreamContainer {
  readonly name: string;
  readonly id: string;
  readonly running: boolean;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly previousId?: string;
}

/** What the streams need to know of pods. */
export interface StreamPods {
  /** App containers first in the order of the spec; undefined for a pod this device does not have. */
  containersOf(uid: string): readonly StreamContainer[] | undefined;
  /** Address of a running pod; the node's own for one on the host's network. */
  addressOf(uid: string): string | undefined;
}

/** Which part of a container's log; times are epoch ms. */
export interface LogChoice {
  readonly follow: boolean;
  readonly tty: boolean;
  readonly tailLines?: number;
  readonly sinceMs?: number;
  readonly timestamps: boolean;
}

export interface SessionChoice {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** A container's log as it flows. */
export interface LogFlow {
  readonly stdout: Readable;
  readonly stderr: Readable;
  close(): void;
}

/** A running exec or attach. Ending `stdin` tells the other side; `close` drops the connection and kills nothing. */
export interface SessionFlow extends LogFlow {
  readonly stdin: Writable;
  resize(columns: number, rows: number): Promise<void>;
  /** Once the output has ended; undefined for an attach to a container that still runs. */
  exitCode(): Promise<number | undefined>;
}

/** What the streams need of the engine. Every call may reject; the message is shown to the user. */
export interface StreamRuntime {
  logs(containerId: string, choice: LogChoice): Promise<LogFlow>;
  openExec(containerId: string, command: readonly string[], choice: SessionChoice): Promise<SessionFlow>;
  openAttach(containerId: string, choice: SessionChoice): Promise<SessionFlow>;
}
