import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../../kit/clock.ts';
import { encodeSpdy, FrameReader, RST, type SpdyFrame } from './frames.ts';
import { HeaderReader, HeaderWriter, type SpdyHeaders } from './header-block.ts';
import { SpdyError } from './spdy-error.ts';
import { type SpdyStream, SpdyStreamHalf, type SpdyStreamHandlers } from './stream.ts';

/** Streams a client may have open in one session; a port-forwarded connection takes two. */
const MAX_STREAMS = 1024;
/** Payload handed over and not yet consumed, in bytes: above it the client is held back. */
const HELD_BYTES = 1024 * 1024;
/** A client that says nothing for two of these, asked each time, is gone. */
const PING_MS = 30_000;
/** What a closed session still waits for the client to hang up. */
const LINGER_MS = 5_000;

export interface SpdySessionOptions {
  readonly socket: Duplex;
  readonly clock: Clock;
  /** A stream the client opens: what listens to it, or undefined to refuse it. Must not throw. */
  readonly onStream: (stream: SpdyStream, headers: SpdyHeaders) => SpdyStreamHandlers | undefined;
}

/**
 * The server's side of a SPDY/3.1 session over any byte stream. Invariants: frames leave in the order of the calls; the windows of SPDY
 * are neither kept nor asked for (Go's clients do neither); the socket is not read while more than HELD_BYTES wait for consumers; a
 * client that breaks the protocol loses its session and nothing else; streams still open when the connection ends are told so as reset.
 */
export class SpdySession {
  readonly #options: SpdySessionOptions;
  readonly #reader = new FrameReader();
  readonly #headersIn = new HeaderReader();
  readonly #headersOut = new HeaderWriter();
  readonly #streams = new Map<number, SpdyStreamHalf>();
  #lastStream = 0;
  #heldBytes = 0;
  #roomy: (() => void) | undefined;
  #drained: Promise<void> | undefined;
  #missedPings = 0;
  #pingId = 0;
  #pings: Timer | undefined;
  #linger: Timer | undefined;
  #closing = false;

  constructor(options: SpdySessionOptions) {
    this.#options = options;
  }

  /** Serves until the connection has ended. Rejects with SpdyError when the client broke the protocol. */
  async run(): Promise<void> {
    const { socket } = this.#options;
    socket.on('error', () => socket.destroy()); // the loop below ends with it
    socket.on('close', () => this.#roomy?.());
    this.#beatLater();
    try {
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        this.#missedPings = 0;
        for (const frame of this.#reader.read(chunk)) await this.#take(frame);
        if (this.#heldBytes > HELD_BYTES) await this.#room();
      }
    } catch (error) {
      // A socket that fails is a client that left.
      if (!(error instanceof SpdyError)) return;
      this.#send({ type: 'go-away', lastStream: this.#lastStream, status: 1 });
      throw error;
    } finally {
      this.#finish();
    }
  }

  /** Tells the client that there will be nothing more, after what was sent, and hangs up. Idempotent. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    const { socket, clock } = this.#options;
    this.#send({ type: 'go-away', lastStream: this.#lastStream, status: 0 });
    socket.end();
    this.#linger = clock.after(LINGER_MS, () => socket.destroy());
    this.#roomy?.();
  }

  async #take(frame: SpdyFrame): Promise<void> {
    switch (frame.type) {
      case 'syn-stream':
        return this.#open(frame.stream, await this.#headersIn.read(frame.block), frame.fin);
      case 'syn-reply':
      case 'headers':
        // Nobody here opens streams or waits for headers, but the next block needs the context.
        await this.#headersIn.read(frame.block);
        if (frame.fin) this.#streams.get(frame.stream)?.takeEnd();
        return;
      case 'data':
        return this.#data(frame.stream, frame.payload, frame.fin);
      case 'rst-stream':
        this.#streams.get(frame.stream)?.takeReset();
        return;
      case 'ping':
        // Ours are even; theirs want an answer.
        if (frame.id % 2 === 1) this.#send(frame);
        return;
      case 'go-away':
        return; // the streams that are open go on; the end of the connection ends the session
    }
  }

  #open(id: number, headers: SpdyHeaders, fin: boolean): void {
    if (id % 2 === 0) throw new SpdyError('BadFrame', `stream ${id} cannot be a client's`);
    if (this.#streams.has(id)) throw new SpdyError('BadFrame', `stream ${id} is open already`);
    this.#lastStream = Math.max(this.#lastStream, id);
    const refuse = (): void => void this.#send({ type: 'rst-stream', stream: id, status: RST.refusedStream });
    if (this.#streams.size >= MAX_STREAMS || this.#closing) {
      refuse();
      return;
    }
    const stream = new SpdyStreamHalf(id, {
      send: (frame) => this.#send(frame),
      reply: () => this.#send({ type: 'syn-reply', stream: id, block: this.#emptyBlock(), fin: false }),
      closed: () => this.#streams.delete(id),
    });
    this.#streams.set(id, stream);
    const handlers = this.#options.onStream(stream, headers);
    if (handlers === undefined) {
      this.#streams.delete(id);
      refuse();
      return;
    }
    stream.listen(handlers);
    if (fin) stream.takeEnd();
  }

  #emptyBlock(): Uint8Array {
    return this.#headersOut.write(new Map());
  }

  #data(id: number, payload: Uint8Array, fin: boolean): void {
    // Data of a stream that has just been reset or refused is late, not wrong.
    const stream = this.#streams.get(id);
    if (payload.length > 0) {
      const taken = stream?.takeData(payload);
      if (taken !== undefined) this.#hold(payload.length, taken);
    }
    if (fin) stream?.takeEnd();
  }

  #hold(bytes: number, until: Promise<void>): void {
    this.#heldBytes += bytes;
    const free = (): void => {
      this.#heldBytes -= bytes;
      if (this.#heldBytes <= HELD_BYTES) this.#roomy?.();
    };
    until.then(free, free);
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomy = () => {
        this.#roomy = undefined;
        resolve();
      };
      if (this.#options.socket.destroyed) this.#roomy();
    });
  }

  /** Settles when the connection has room for more, or is gone. */
  #send(frame: SpdyFrame): Promise<void> {
    const { socket } = this.#options;
    if (socket.destroyed || socket.writableEnded) return Promise.resolve();
    if (socket.write(encodeSpdy(frame))) return Promise.resolve();
    this.#drained ??= new Promise((resolve) => {
      const settle = (): void => {
        socket.off('drain', settle);
        socket.off('close', settle);
        this.#drained = undefined;
        resolve();
      };
      socket.on('drain', settle);
      socket.on('close', settle);
    });
    return this.#drained;
  }

  #beatLater(): void {
    this.#pings = this.#options.clock.after(PING_MS, () => {
      // While the client is held back its answers cannot be read.
      if (this.#roomy !== undefined) this.#missedPings = 0;
      if (this.#missedPings >= 2) {
        this.#options.socket.destroy();
        return;
      }
      this.#missedPings++;
      this.#pingId = (this.#pingId + 2) >>> 0;
      this.#send({ type: 'ping', id: this.#pingId });
      this.#beatLater();
    });
  }

  #finish(): void {
    this.#pings?.cancel();
    this.#linger?.cancel();
    this.#headersIn.close();
    for (const stream of [...this.#streams.values()]) stream.takeReset();
    this.#options.socket.destroy();
  }
}
