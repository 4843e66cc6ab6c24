import { constants, createInflate } from 'node:zlib';
import { spdyDictionary } from './dictionary.ts';
import { SpdyError } from './spdy-error.ts';

/** Headers of a stream: lower-case names; several values of one name are joined by a zero byte. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Largest header block once inflated, in bytes: a small frame must not become a large one. */
const MAX_INFLATED_BYTES = 64 * 1024;
const MAX_HEADERS = 100;
const ZLIB_HEAD = Buffer.from([0x78, 0x01]);
/** An empty block: what zlib calls a sync flush. Readers hand out what they hold when they meet it. */
const FLUSH = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);
const MAX_STORED_BYTES = 0xffff;

/** Inflates the header blocks of one direction of a session: all of them, in order, because they share one context. */
export class HeaderReader {
  readonly #inflate = createInflate({ dictionary: spdyDictionary(), flush: constants.Z_SYNC_FLUSH });
  #pieces: Buffer[] = [];
  #bytes = 0;
  #fail: (error: Error) => void = () => undefined;

  constructor() {
    this.#inflate.on('data', (piece: Buffer) => {
      this.#pieces.push(piece);
      this.#bytes += piece.length;
      if (this.#bytes > MAX_INFLATED_BYTES) this.#inflate.destroy(new Error('header block too large'));
    });
    this.#inflate.on('error', (cause) =>
      this.#fail(new SpdyError('BadHeaders', `header block: ${cause.message}`, { cause })),
    );
  }

  /** The headers of the next block. Rejects with SpdyError; await each before the next. */
  read(block: Uint8Array): Promise<SpdyHeaders> {
    if (this.#inflate.destroyed) return Promise.reject(new SpdyError('BadHeaders', 'header context is gone'));
    return new Promise((resolve, reject) => {
      this.#pieces = [];
      this.#bytes = 0;
      this.#fail = reject;
      this.#inflate.write(block, (error) => {
        if (error || this.#inflate.destroyed) return; // 'error' follows and says why
        try {
          resolve(parseHeaders(Buffer.concat(this.#pieces)));
        } catch (reason) {
          reject(reason);
        }
      });
    });
  }

  /** Frees the context; idempotent. */
  close(): void {
    this.#fail(new SpdyError('BadHeaders', 'header context is gone'));
    this.#inflate.destroy();
  }
}

/** Writes the header blocks of one direction as stored (uncompressed) zlib blocks: they are tiny, a context would not be. */
export class HeaderWriter {
  #begun = false;

  /** The next block; at most 64 KiB of headers. Throws SpdyError when there are more. */
  write(headers: SpdyHeaders): Buffer {
    const plain = plainHeaders(headers);
    if (plain.length > MAX_STORED_BYTES) throw new SpdyError('FrameTooLarge', 'headers above 64 KiB');
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(plain.length, 1);
    stored.writeUInt16LE(plain.length ^ 0xffff, 3);
    const head = this.#begun ? [] : [ZLIB_HEAD];
    this.#begun = true;
    return Buffer.concat([...head, stored, plain, FLUSH]);
  }
}

/** Headers as SPDY/3 lays them out, before compression. */
export function plainHeaders(headers: SpdyHeaders): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value, 'utf8');
    return Buffer.concat([u32(bytes.length), bytes]);
  };
  return Buffer.concat([u32(headers.size), ...[...headers].flatMap(([k, v]) => [text(k), text(v)])]);
}

/** Reads an inflated block; throws SpdyError when it is cut short or says more than it holds. */
export function parseHeaders(bytes: Buffer): SpdyHeaders {
  let at = 0;
  const number = (): number => {
    if (at + 4 > bytes.length) throw new SpdyError('BadHeaders', 'header block cut short');
    at += 4;
    return bytes.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > bytes.length) throw new SpdyError('BadHeaders', 'header block cut short');
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const count = number();
  if (count > MAX_HEADERS) throw new SpdyError('BadHeaders', `${count} headers in one block`);
  const headers = new Map<string, string>();
  for (let i = 0; i < count; i++) headers.set(text().toLowerCase(), text());
  return headers;
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}
