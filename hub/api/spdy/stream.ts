import { RST, type SpdyFrame } from './frames.ts';

/** Payload of one data frame, in bytes: small, so that parallel streams take turns. */
const PIECE_BYTES = 32 * 1024;

/** What listens to a stream that a client opened. */
export interface SpdyStreamHandlers {
  /** The promise holds the whole session's client back until it settles. Must not throw. */
  readonly onData: (payload: Uint8Array) => void | Promise<void>;
  /** The client will send nothing more. */
  readonly onEnd?: () => void;
  /** The client broke the stream off, or is gone; nothing else is told afterwards. */
  readonly onReset?: () => void;
}

/** A stream that a client opened. After its end, calls do nothing. */
export interface SpdyStream {
  readonly id: number;
  /** Accepts the stream: clients wait for it before they send. Idempotent. */
  reply(): void;
  /** Settles when the connection has room for more, or is gone. */
  write(payload: Uint8Array): Promise<void>;
  /** Nothing more comes from this side. Idempotent. */
  end(): void;
  /** Breaks the stream off both ways. */
  reset(): void;
}

/** How a stream reaches its session. */
export interface StreamPort {
  send(frame: SpdyFrame): Promise<void>;
  reply(): void;
  closed(): void;
}

/** One stream's state; the session feeds it with `take…`. It is gone once both sides have ended, or either broke it off. */
export class SpdyStreamHalf implements SpdyStream {
  readonly id: number;
  readonly #port: StreamPort;
  #handlers: SpdyStreamHandlers | undefined;
  #replied = false;
  #endedHere = false;
  #endedThere = false;
  #gone = false;

  constructor(id: number, port: StreamPort) {
    this.id = id;
    this.#port = port;
  }

  listen(handlers: SpdyStreamHandlers): void {
    this.#handlers = handlers;
  }

  reply(): void {
    if (this.#replied || this.#gone) return;
    this.#replied = true;
    this.#port.reply();
  }

  write(payload: Uint8Array): Promise<void> {
    let sent = Promise.resolve();
    // All in one turn, so that an end after it cannot overtake it.
    for (let at = 0; at < payload.length && !this.#endedHere && !this.#gone; at += PIECE_BYTES) {
      const piece = payload.subarray(at, at + PIECE_BYTES);
      sent = this.#port.send({ type: 'data', stream: this.id, payload: piece, fin: false });
    }
    return sent;
  }

  end(): void {
    if (this.#endedHere || this.#gone) return;
    this.#endedHere = true;
    void this.#port.send({ type: 'data', stream: this.id, payload: new Uint8Array(0), fin: true });
    this.#closeWhenBothEnded();
  }

  reset(): void {
    if (this.#gone) return;
    this.#gone = true;
    void this.#port.send({ type: 'rst-stream', stream: this.id, status: RST.cancel });
    this.#port.closed();
  }

  takeData(payload: Uint8Array): void | Promise<void> {
    if (this.#endedThere || this.#gone) return undefined;
    return this.#handlers?.onData(payload);
  }

  takeEnd(): void {
    if (this.#endedThere || this.#gone) return;
    this.#endedThere = true;
    this.#handlers?.onEnd?.();
    this.#closeWhenBothEnded();
  }

  takeReset(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#port.closed();
    this.#handlers?.onReset?.();
  }

  #closeWhenBothEnded(): void {
    if (!this.#endedHere || !this.#endedThere || this.#gone) return;
    this.#gone = true;
    this.#port.closed();
  }
}
