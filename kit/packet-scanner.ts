/** Why bytes are not followed any further. */
export type ScanProblem = 'PacketTooLarge' | 'Malformed';

const CONNECT = 1;
const MAX_LENGTH_BYTES = 4;
/** A CONNECT of ours holds a client id and nothing else. */
const MAX_CONNECT_BYTES = 1024;

/**
 * Follows the boundaries of MQTT packets in a byte stream (MQTT 3.1.1 section 2.2) without keeping any of it, so that the length a
 * packet declares is judged before anybody makes room for it. What a client sends must begin with a small CONNECT.
 */
export class PacketScanner {
  readonly #maxBytes: number;
  #awaitsConnect: boolean;
  #packets = 0;
  #type = -1;
  #lengthBytes = 0;
  #length = 0;
  #remaining = 0;

  /** `from` tells which end sends the bytes; packets above `maxBytes`, header included, are a problem. */
  constructor(maxBytes: number, from: 'client' | 'broker') {
    this.#maxBytes = maxBytes;
    this.#awaitsConnect = from === 'client';
  }

  /** Packets whose header has been seen. */
  get packets(): number {
    return this.#packets;
  }

  /** Takes the next bytes; a problem is final. Never throws. */
  feed(chunk: Uint8Array): ScanProblem | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#remaining > 0) {
        const skipped = Math.min(this.#remaining, chunk.length - at);
        this.#remaining -= skipped;
        at += skipped;
        continue;
      }
      const problem = this.#header(chunk[at++] ?? 0);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #header(byte: number): ScanProblem | undefined {
    if (this.#type < 0) {
      this.#type = byte >> 4;
      return this.#awaitsConnect && this.#type !== CONNECT ? 'Malformed' : undefined;
    }
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
    this.#lengthBytes += 1;
    if ((byte & 0x80) !== 0) return this.#lengthBytes === MAX_LENGTH_BYTES ? 'Malformed' : undefined;
    const bytes = 1 + this.#lengthBytes + this.#length;
    if (bytes > (this.#awaitsConnect ? MAX_CONNECT_BYTES : this.#maxBytes)) return 'PacketTooLarge';
    this.#remaining = this.#length;
    this.#packets += 1;
    this.#awaitsConnect = false;
    this.#type = -1;
    this.#lengthBytes = 0;
    this.#length = 0;
    return undefined;
  }
}
