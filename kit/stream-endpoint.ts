import {
  CHANNELS,
  type Channel,
  decodeFrame,
  encodeFrame,
  FRAME_BYTES,
  type StreamEnd,
  WINDOW_BYTES,
} from '../protocol/wire/frames.ts';

/** Channels that carry payload and so cost credit. */
export type DataChannel = 'stdin' | 'stdout' | 'stderr' | 'data';

/**
 * What an endpoint needs and tells. Callbacks run in the order the peer sent, synchronously in `receive`: a consumer that
 * writes into an ordered sink needs no more. The promise of `onData` only holds back credit, and so the peer.
 */
export interface StreamHandlers {
  /** Puts one frame on the wire; a throw ends the stream. */
  send(frame: Uint8Array): void;
  /** Payload is at most FRAME_BYTES and shares the memory given to `receive`. A rejection ends the stream with an error. */
  onData(channel: DataChannel, payload: Uint8Array): void | Promise<void>;
  /** The peer will send nothing more on this channel. */
  onEnd(channel: DataChannel): void;
  /** The peer's terminal has a new size, in characters. */
  onResize(width: number, height: number): void;
  /** Called exactly once, whichever side ended the stream; all data of the peer was handed over before. */
  onClose(end: StreamEnd): void;
}

type Job =
  | { readonly kind: 'data'; readonly channel: DataChannel; rest: Uint8Array; readonly done: () => void }
  | { readonly kind: 'end'; readonly channel: DataChannel };

const EMPTY = new Uint8Array(0);
const DATA_CHANNELS: readonly string[] = ['stdin', 'stdout', 'stderr', 'data'] satisfies DataChannel[];
/** Credit goes back in pieces of this size: four frames of overhead per window, and never a deadlock. */
const CREDIT_STEP_BYTES = WINDOW_BYTES / 4;
const MAX_TERMINAL = 65_535;

/**
 * One end of a stream over frames; both ends are alike. Invariants: frames leave numbered without gaps; a gap, a
 * repeat or a broken frame from the peer closes the stream with an error on both sides instead of passing on
 * damaged data; payload in flight each way stays within WINDOW_BYTES, and a peer that sends more is cut off.
 */
export class StreamEndpoint {
  readonly #handlers: StreamHandlers;
  readonly #jobs: Job[] = [];
  readonly #endedHere = new Set<DataChannel>();
  readonly #endedThere = new Set<DataChannel>();
  #nextOut = 0;
  #nextIn = 0;
  /** Payload sent and not yet credited by the peer, in bytes. */
  #outstandingBytes = 0;
  /** Payload received and not yet credited to the peer, in bytes. */
  #heldBytes = 0;
  /** The part of it that has been consumed. */
  #consumedBytes = 0;
  #closed = false;

  constructor(handlers: StreamHandlers) {
    this.#handlers = handlers;
  }

  /** True once either side has ended the stream. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends `payload` in frames, in the order of the calls, as credit allows. Resolves when the last byte has been sent;
   * also when the stream closed meanwhile or the channel was ended before, and the rest is dropped then. Never rejects.
   */
  write(channel: DataChannel, payload: Uint8Array): Promise<void> {
    if (this.#closed || this.#endedHere.has(channel) || payload.length === 0) return Promise.resolve();
    return new Promise((done) => {
      this.#jobs.push({ kind: 'data', channel, rest: payload, done });
      this.#pump();
    });
  }

  /** Says that nothing more comes on `channel`, after the writes before it. Idempotent. */
  end(channel: DataChannel): void {
    if (this.#closed || this.#endedHere.has(channel)) return;
    this.#endedHere.add(channel);
    this.#jobs.push({ kind: 'end', channel });
    this.#pump();
  }

  /** Tells the peer the size of this side's terminal, in characters. Does not wait for credit. */
  resize(width: number, height: number): void {
    if (!this.#closed) this.#send('resize', jsonBytes({ Width: width, Height: height }));
  }

  /** Ends the stream both ways at once; await the writes first to lose none. Idempotent: the first end counts. */
  close(end: StreamEnd = {}): void {
    if (this.#closed) return;
    this.#send('close', Object.keys(end).length === 0 ? EMPTY : jsonBytes(end));
    this.#finish(end);
  }

  /** Takes one frame of the peer. Never throws on bad input: it closes the stream. Ignored once closed. */
  receive(bytes: Uint8Array): void {
    if (this.#closed) return;
    const problem = this.#take(bytes);
    if (problem !== undefined) this.#fail(problem);
  }

  /** Gives what is wrong with the frame, if anything. */
  #take(bytes: Uint8Array): string | undefined {
    const frame = decodeFrame(bytes);
    if (frame === undefined) return 'undecodable frame';
    if (frame.number !== this.#nextIn) return `frame ${frame.number} arrived where ${this.#nextIn} was due`;
    this.#nextIn = (this.#nextIn + 1) >>> 0;
    const { channel, payload } = frame;
    if (isDataChannel(channel)) return this.#takeData(channel, payload);
    if (channel === 'end') return this.#takeEnd(payload);
    if (channel === 'resize') return this.#takeResize(payload);
    if (channel === 'credit') return this.#takeCredit(payload);
    this.#finish(payload.length === 0 ? {} : readEnd(payload));
    return undefined;
  }

  #takeData(channel: DataChannel, payload: Uint8Array): string | undefined {
    if (this.#endedThere.has(channel)) return `data on ${channel} after its end`;
    if (payload.length > FRAME_BYTES) return 'frame above the size limit';
    this.#heldBytes += payload.length;
    if (this.#heldBytes > WINDOW_BYTES) return 'peer ignored the window';
    if (payload.length === 0) return undefined;
    let taken: void | Promise<void>;
    try {
      taken = this.#handlers.onData(channel, payload);
    } catch (error) {
      return `receiver failed: ${messageOf(error)}`;
    }
    if (taken === undefined) {
      this.#consumed(payload.length);
    } else {
      taken.then(
        () => this.#consumed(payload.length),
        (error: unknown) => this.#fail(`receiver failed: ${messageOf(error)}`),
      );
    }
    return undefined;
  }

  #takeEnd(payload: Uint8Array): string | undefined {
    const channel = CHANNELS[payload[0] ?? 255];
    if (channel === undefined || !isDataChannel(channel)) return 'end of an unknown channel';
    if (this.#endedThere.has(channel)) return undefined;
    this.#endedThere.add(channel);
    this.#handlers.onEnd(channel);
    return undefined;
  }

  #takeResize(payload: Uint8Array): string | undefined {
    const size = readJson(payload);
    const width = size?.['Width'];
    const height = size?.['Height'];
    if (!isTerminalSize(width) || !isTerminalSize(height)) return 'undecodable terminal size';
    this.#handlers.onResize(width, height);
    return undefined;
  }

  #takeCredit(payload: Uint8Array): string | undefined {
    if (payload.length !== 4) return 'undecodable credit';
    const credit = new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
    if (credit > this.#outstandingBytes) return 'peer credited more than was sent';
    this.#outstandingBytes -= credit;
    this.#pump();
    return undefined;
  }

  #consumed(bytes: number): void {
    if (this.#closed) return;
    this.#consumedBytes += bytes;
    if (this.#consumedBytes < CREDIT_STEP_BYTES) return;
    const credit = new Uint8Array(4);
    new DataView(credit.buffer).setUint32(0, this.#consumedBytes);
    this.#heldBytes -= this.#consumedBytes;
    this.#consumedBytes = 0;
    this.#send('credit', credit);
  }

  /** Sends what credit allows. Waits for a whole frame's room, so that slow consumers do not cause tiny frames. */
  #pump(): void {
    for (let job = this.#jobs[0]; job !== undefined && !this.#closed; job = this.#jobs[0]) {
      if (job.kind === 'end') {
        this.#jobs.shift();
        this.#send('end', Uint8Array.of(CHANNELS.indexOf(job.channel)));
        continue;
      }
      const bytes = Math.min(job.rest.length, FRAME_BYTES);
      if (this.#outstandingBytes + bytes > WINDOW_BYTES) return;
      this.#outstandingBytes += bytes;
      const piece = job.rest.subarray(0, bytes);
      job.rest = job.rest.subarray(bytes);
      if (job.rest.length === 0) this.#jobs.shift();
      this.#send(job.channel, piece);
      if (job.rest.length === 0) job.done();
    }
  }

  #send(channel: Channel, payload: Uint8Array): void {
    const number = this.#nextOut;
    this.#nextOut = (number + 1) >>> 0;
    try {
      this.#handlers.send(encodeFrame(channel, number, payload));
    } catch (error) {
      this.#finish({ reason: 'ServiceUnavailable', message: `stream lost: ${messageOf(error)}` });
    }
  }

  #fail(message: string): void {
    this.close({ reason: 'InternalError', message: `stream broken: ${message}` });
  }

  #finish(end: StreamEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const job of this.#jobs.splice(0)) if (job.kind === 'data') job.done();
    this.#handlers.onClose(end);
  }
}

function isDataChannel(channel: Channel): channel is DataChannel {
  return DATA_CHANNELS.includes(channel);
}

function isTerminalSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_TERMINAL;
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function readJson(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(payload));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // Not JSON: the caller says what was expected.
  }
}

/** Reads the payload of a close frame; what cannot be read counts as an error, never as success. */
function readEnd(payload: Uint8Array): StreamEnd {
  const value = readJson(payload);
  if (value === undefined) return { reason: 'InternalError', message: 'undecodable close frame' };
  const { exitCode, reason, message } = value;
  return {
    ...(typeof exitCode === 'number' ? { exitCode } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
    ...(typeof message === 'string' ? { message } : {}),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
