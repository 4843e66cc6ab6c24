import { Duplex } from 'node:stream';
import type { PodStream, StreamHandlers } from './ports.ts';
import { streamError } from './stream-end.ts';

/** Bytes from the pod that wait for the reader; the device is held back above it. */
const READ_AHEAD_BYTES = 64 * 1024;

/**
 * A connection to a port of a pod, as a stream that node's http and tls can use in place of a socket. It is destroyed with the ApiError the
 * connection failed with. Back-pressure holds both ways.
 */
export class PodSocket extends Duplex {
  readonly #stream: Promise<PodStream | undefined>;
  #wanted: (() => void) | undefined;

  /** Begins to connect; `open` opens the device's stream. */
  constructor(open: (handlers: StreamHandlers) => Promise<PodStream>) {
    super({ allowHalfOpen: true, readableHighWaterMark: READ_AHEAD_BYTES });
    const handlers: StreamHandlers = {
      onData: (_channel, payload) => this.#take(payload),
      onEnd: () => void this.push(null),
      onClose: (end) => {
        const error = streamError(end);
        if (error !== undefined) this.destroy(error);
        else if (!this.readableEnded) this.push(null);
      },
    };
    this.#stream = open(handlers).catch((error: unknown) => {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
      return undefined;
    });
  }

  override _read(): void {
    this.#wanted?.();
    this.#wanted = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stream.then((stream) => stream?.write('data', chunk)).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.then((stream) => stream?.end('data')).then(() => done(), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#wanted?.();
    this.#wanted = undefined;
    void this.#stream.then((stream) => stream?.close());
    done(error);
  }

  #take(payload: Uint8Array): void | Promise<void> {
    if (this.destroyed || this.readableEnded) return undefined;
    if (this.push(payload)) return undefined;
    return new Promise((resolve) => {
      this.#wanted = resolve;
    });
  }
}
