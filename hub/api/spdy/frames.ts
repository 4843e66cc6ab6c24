import { SpdyError } from './spdy-error.ts';

/** What a SPDY/3.1 peer says. `block` is a compressed header block; `fin` ends the peer's half of the stream. */
export type SpdyFrame =
  | { readonly type: 'data'; readonly stream: number; readonly payload: Uint8Array; readonly fin: boolean }
  | {
      readonly type: 'syn-stream';
      readonly stream: number;
      readonly block: Uint8Array;
      readonly fin: boolean;
    }
  | { readonly type: 'syn-reply'; readonly stream: number; readonly block: Uint8Array; readonly fin: boolean }
  | { readonly type: 'headers'; readonly stream: number; readonly block: Uint8Array; readonly fin: boolean }
  | { readonly type: 'rst-stream'; readonly stream: number; readonly status: number }
  | { readonly type: 'ping'; readonly id: number }
  | { readonly type: 'go-away'; readonly lastStream: number; readonly status: number };

/** Status codes of RST_STREAM. */
export const RST = { refusedStream: 3, cancel: 5 } as const;

/** Longest control frame that is taken, in bytes; the header blocks of kubectl have a hundred. */
export const MAX_CONTROL_BYTES = 16 * 1024;
const HEAD_BYTES = 8;
const VERSION = 3;
const FIN = 1;
const ID_MASK = 0x7fffffff;

const TYPES = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7, headers: 8 } as const;

/**
 * Cuts a byte stream into frames, however it is chunked. Data comes in pieces as it arrives, so a frame of 16 MiB costs no memory; SETTINGS,
 * WINDOW_UPDATE and unknown control frames are skipped. Payloads share the memory of the chunks.
 */
export class FrameReader {
  #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  #control: Buffer | undefined;
  #controlBytes = 0;
  /** Bytes of the present data frame that are still to come; undefined outside of one. */
  #dataLeft: number | undefined;

  /** The frames that `chunk` completes. Throws SpdyError; the reader must not be used any more then. */
  *read(chunk: Uint8Array): Generator<SpdyFrame> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#dataLeft !== undefined) {
        const piece = rest.subarray(0, this.#dataLeft);
        rest = rest.subarray(piece.length);
        this.#dataLeft -= piece.length;
        yield this.#data(piece);
      } else if (this.#control !== undefined) {
        const taken = Math.min(rest.length, this.#control.length - this.#controlBytes);
        this.#control.set(rest.subarray(0, taken), this.#controlBytes);
        this.#controlBytes += taken;
        rest = rest.subarray(taken);
        if (this.#controlBytes === this.#control.length) yield* this.#controlFrame(this.#control);
      } else {
        const taken = Math.min(rest.length, HEAD_BYTES - this.#headBytes);
        this.#head.set(rest.subarray(0, taken), this.#headBytes);
        this.#headBytes += taken;
        rest = rest.subarray(taken);
        if (this.#headBytes === HEAD_BYTES) yield* this.#begin();
      }
    }
  }

  *#begin(): Generator<SpdyFrame> {
    this.#headBytes = 0;
    const length = this.#head.readUIntBE(5, 3);
    const isControl = (this.#head[0] ?? 0) >= 0x80;
    if (!isControl) {
      this.#dataLeft = length;
      if (length === 0) yield this.#data(Buffer.alloc(0));
      return;
    }
    const version = this.#head.readUInt16BE(0) & 0x7fff;
    if (version !== VERSION) throw new SpdyError('BadVersion', `SPDY version ${version} instead of 3`);
    if (length > MAX_CONTROL_BYTES) throw new SpdyError('FrameTooLarge', `control frame of ${length} bytes`);
    this.#control = Buffer.alloc(length);
    this.#controlBytes = 0;
    if (length === 0) yield* this.#controlFrame(this.#control);
  }

  #data(payload: Uint8Array): SpdyFrame {
    const stream = this.#head.readUInt32BE(0) & ID_MASK;
    const isLast = this.#dataLeft === 0;
    if (isLast) this.#dataLeft = undefined;
    return { type: 'data', stream, payload, fin: isLast && ((this.#head[4] ?? 0) & FIN) !== 0 };
  }

  *#controlFrame(body: Buffer): Generator<SpdyFrame> {
    this.#control = undefined;
    const type = this.#head.readUInt16BE(2);
    const fin = ((this.#head[4] ?? 0) & FIN) !== 0;
    const need = (bytes: number): void => {
      if (body.length < bytes)
        throw new SpdyError('BadFrame', `control frame ${type} of ${body.length} bytes`);
    };
    const id = (at: number): number => body.readUInt32BE(at) & ID_MASK;
    if (type === TYPES.synStream) {
      need(10);
      yield { type: 'syn-stream', stream: id(0), block: body.subarray(10), fin };
    } else if (type === TYPES.synReply || type === TYPES.headers) {
      need(4);
      const name = type === TYPES.headers ? 'headers' : 'syn-reply';
      yield { type: name, stream: id(0), block: body.subarray(4), fin };
    } else if (type === TYPES.rstStream) {
      need(8);
      yield { type: 'rst-stream', stream: id(0), status: body.readUInt32BE(4) };
    } else if (type === TYPES.ping) {
      need(4);
      yield { type: 'ping', id: body.readUInt32BE(0) };
    } else if (type === TYPES.goAway) {
      need(8);
      yield { type: 'go-away', lastStream: id(0), status: body.readUInt32BE(4) };
    }
  }
}

/** Lays a frame out as bytes. Data must be shorter than 16 MiB. */
export function encodeSpdy(frame: SpdyFrame): Buffer {
  switch (frame.type) {
    case 'data':
      return dataFrame(frame.stream, frame.payload, frame.fin);
    case 'syn-stream':
      // No associated stream, highest priority, no slot.
      return control(TYPES.synStream, frame.fin, [u32(frame.stream), u32(0), Buffer.alloc(2), frame.block]);
    case 'syn-reply':
      return control(TYPES.synReply, frame.fin, [u32(frame.stream), frame.block]);
    case 'headers':
      return control(TYPES.headers, frame.fin, [u32(frame.stream), frame.block]);
    case 'rst-stream':
      return control(TYPES.rstStream, false, [u32(frame.stream), u32(frame.status)]);
    case 'ping':
      return control(TYPES.ping, false, [u32(frame.id)]);
    case 'go-away':
      return control(TYPES.goAway, false, [u32(frame.lastStream), u32(frame.status)]);
  }
}

function dataFrame(stream: number, payload: Uint8Array, fin: boolean): Buffer {
  const out = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  out.writeUInt32BE(stream & ID_MASK, 0);
  out[4] = fin ? FIN : 0;
  out.writeUIntBE(payload.length, 5, 3);
  out.set(payload, HEAD_BYTES);
  return out;
}

function control(type: number, fin: boolean, parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(type, 2);
  head[4] = fin ? FIN : 0;
  head.writeUIntBE(body.length, 5, 3);
  return Buffer.concat([head, body]);
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
