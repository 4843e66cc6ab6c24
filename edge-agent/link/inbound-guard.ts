/**
 * Follows the boundaries of MQTT packets (MQTT 3.1.1 section 2.2) in a byte stream, keeping none of it, so that a length is judged
 * when it is declared and not when its bytes have filled the memory.
 */
export class InboundGuard {
  readonly #maxBytes: number;
  /** Bytes of the current packet's body still to come. */
  #bodyBytes = 0;
  /** Bytes of the current header seen so far; 0 between packets. */
  #headBytes = 0;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes; false when a packet is malformed or above the limit, which is final. Never throws. */
  accepts(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyBytes > 0) {
        const step = Math.min(this.#bodyBytes, chunk.length - at);
        this.#bodyBytes -= step;
        at += step;
      } else if (!this.#head(chunk[at++] ?? 0)) {
        return false;
      }
    }
    return true;
  }

  #head(byte: number): boolean {
    this.#headBytes += 1;
    if (this.#headBytes === 1) {
      this.#length = 0;
      return true;
    }
    this.#length += (byte & 0x7f) * 128 ** (this.#headBytes - 2);
    if ((byte & 0x80) !== 0) return this.#headBytes < 5;
    if (this.#headBytes + this.#length > this.#maxBytes) return false;
    this.#bodyBytes = this.#length;
    this.#headBytes = 0;
    return true;
  }
}
