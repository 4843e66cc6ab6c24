import type { WebSocket } from 'ws';
import type { Clock } from '../../kit/clock.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import type { Exchange } from './exchange.ts';
import { streamError } from './stream-end.ts';
import { acceptWebSocket } from './web-socket.ts';

/** Without a protocol, messages are binary. */
const PROTOCOLS = ['', 'binary.k8s.io', 'base64.binary.k8s.io'];
/** A close frame has room for 123 bytes; a character cut in two becomes one of three. */
const MAX_REASON_BYTES = 120;
const WELL = 1000;
const FAILED = 1011;

/**
 * One log as messages of a WebSocket, for browsers: an empty one first, then pieces as they come. The handshake is held back until it is
 * clear whether there is something to show, so that a refusal of the device can still become a Status.
 */
export class LogSocket {
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  /** Settles when the handshake is done; rejects with the ApiError of a log that cannot be shown. */
  readonly started: Promise<void>;
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;
  #socket: Promise<WebSocket> | undefined;
  #isText = false;
  #refused = false;

  constructor(exchange: Exchange, clock: Clock) {
    this.#exchange = exchange;
    this.#clock = clock;
    this.started = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // The device may refuse before anybody waits.
    this.started.catch(() => undefined);
  }

  start(): void {
    if (this.#socket !== undefined || this.#refused) return;
    this.#socket = acceptWebSocket(this.#exchange, PROTOCOLS, this.#clock).then(({ socket, protocol }) => {
      this.#isText = protocol.startsWith('base64');
      socket.send('', { binary: !this.#isText });
      return socket;
    });
    this.#socket.then(() => this.#resolve(), this.#reject);
  }

  /** Settles when the client has taken the bytes, or is gone. */
  async write(payload: Uint8Array): Promise<void> {
    this.start();
    const socket = await this.#socket?.catch(() => undefined); // `started` tells
    if (socket === undefined || socket.readyState !== socket.OPEN) return;
    const message = this.#isText ? Buffer.from(payload).toString('base64') : payload;
    await new Promise<void>((resolve) => {
      socket.send(message, { binary: !this.#isText }, () => resolve());
    });
  }

  /** Closes after what was written; a log cut short with a code that says so. */
  close(end: StreamEnd): void {
    const error = streamError(end);
    if (error !== undefined && this.#socket === undefined) {
      this.#refused = true;
      this.#reject(error);
      return;
    }
    this.start();
    const reason = Buffer.from(error?.message ?? '').toString('utf8', 0, MAX_REASON_BYTES);
    const code = error === undefined ? WELL : FAILED;
    this.#socket?.then((socket) => socket.close(code, reason)).catch(() => undefined); // `started` tells
  }
}
