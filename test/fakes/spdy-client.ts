/** The client's side of SPDY/3.1 as Go's clients speak it: compressed headers with the dictionary, no windows. */
import type { Duplex } from 'node:stream';
import { constants, createDeflate } from 'node:zlib';
import { spdyDictionary } from '../../hub/api/spdy/dictionary.ts';
import { encodeSpdy, FrameReader, type SpdyFrame } from '../../hub/api/spdy/frames.ts';
import { plainHeaders } from '../../hub/api/spdy/header-block.ts';

export class SpdyClient {
  /** Frames the server sent. */
  readonly frames: SpdyFrame[] = [];
  readonly #socket: Duplex;
  readonly #deflate = createDeflate({ dictionary: spdyDictionary() });
  #nextId = 1;

  constructor(socket: Duplex) {
    this.#socket = socket;
    const reader = new FrameReader();
    socket.on('data', (chunk: Buffer) => {
      for (const frame of reader.read(chunk)) this.frames.push(frame);
    });
  }

  /** Opens a stream with these headers and gives its id. */
  async open(headers: Readonly<Record<string, string>>, fin = false): Promise<number> {
    const stream = this.#nextId;
    this.#nextId += 2;
    const block = await this.#compress(plainHeaders(new Map(Object.entries(headers))));
    this.send({ type: 'syn-stream', stream, block, fin });
    return stream;
  }

  send(frame: SpdyFrame): void {
    this.#socket.write(encodeSpdy(frame));
  }

  say(stream: number, text: string, fin = false): void {
    this.send({ type: 'data', stream, payload: Buffer.from(text), fin });
  }

  /** What the server has said on a stream, as text. */
  heard(stream: number): string {
    const pieces = this.frames.flatMap((f) => (f.type === 'data' && f.stream === stream ? [f.payload] : []));
    return Buffer.concat(pieces).toString('utf8');
  }

  /** True when the server sent a frame of this type on the stream; for `fin`, one that ends it. */
  has(type: SpdyFrame['type'] | 'fin', stream: number): boolean {
    return this.frames.some((f) => {
      if (!('stream' in f) || f.stream !== stream) return false;
      return type === 'fin' ? 'fin' in f && f.fin : f.type === type;
    });
  }

  #compress(plain: Uint8Array): Promise<Buffer> {
    return new Promise((resolve) => {
      const pieces: Buffer[] = [];
      const take = (piece: Buffer): void => void pieces.push(piece);
      this.#deflate.on('data', take);
      this.#deflate.write(plain);
      this.#deflate.flush(constants.Z_SYNC_FLUSH, () => {
        this.#deflate.off('data', take);
        resolve(Buffer.concat(pieces));
      });
    });
  }
}
