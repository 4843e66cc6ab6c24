import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../kit/clock.ts';
import { PacketScanner, type ScanProblem } from '../../kit/packet-scanner.ts';

/** Why a connection was cut by its guard; `Flooding` only slows it down. */
export type GuardProblem = ScanProblem | 'SlowReader' | 'Flooding';

/** Bounds of one connection, in bytes. */
export interface GuardLimits {
  readonly maxPacketBytes: number;
  /** Largest backlog towards a device that does not read. */
  readonly maxOutboundBytes: number;
  /** Sustained packets a second; twice as many may come at once. Above it the connection is read more slowly. */
  readonly packetsPerSecond: number;
}

/** How long a closed connection may take to deliver its last bytes, in ms. */
const LINGER_MS = 5_000;

/**
 * A device's connection as the broker sees it: packets are measured before the broker sees a byte of them, and writing never
 * waits, because one device that stops reading must not hold up the messages of all the others; it is cut off instead.
 */
export class GuardedConnection extends Duplex {
  readonly #socket: Socket;
  readonly #scanner: PacketScanner;
  readonly #limits: GuardLimits;
  readonly #clock: Clock;
  readonly #onProblem: (problem: GuardProblem) => void;
  /** Packets the device may still send now; negative is what it has to wait for. */
  #credit: number;
  #creditedMs: number;
  #waiting: Timer | undefined;

  constructor(socket: Socket, limits: GuardLimits, clock: Clock, onProblem: (problem: GuardProblem) => void) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.#credit = 2 * limits.packetsPerSecond;
    this.#creditedMs = clock.monotonicMs();
    this.#scanner = new PacketScanner(limits.maxPacketBytes, 'client');
    this.#onProblem = onProblem;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    if (this.#waiting === undefined) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#socket.writableLength + chunk.length > this.#limits.maxOutboundBytes) this.#cut('SlowReader');
    else if (this.#socket.writable) this.#socket.write(chunk);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#waiting?.cancel();
    if (error === null) {
      // The broker's last words (a refusal) are still on their way.
      this.#socket.destroySoon();
      this.#socket.setTimeout(LINGER_MS, () => this.#socket.destroy());
    } else {
      this.#socket.destroy();
    }
    done(error);
  }

  #take(chunk: Buffer): void {
    if (this.destroyed) return;
    const before = this.#scanner.packets;
    const problem = this.#scanner.feed(chunk);
    if (problem !== undefined) {
      this.#cut(problem);
      return;
    }
    if (!this.push(chunk)) this.#socket.pause();
    this.#spend(this.#scanner.packets - before);
  }

  /** Reads no further until the packets just taken are paid for. */
  #spend(packets: number): void {
    const { packetsPerSecond } = this.#limits;
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#creditedMs) * packetsPerSecond) / 1000;
    this.#credit = Math.min(2 * packetsPerSecond, this.#credit + earned) - packets;
    this.#creditedMs = nowMs;
    if (this.#credit >= 0 || this.#waiting !== undefined) return;
    this.#onProblem('Flooding');
    this.#socket.pause();
    this.#waiting = this.#clock.after((-this.#credit / packetsPerSecond) * 1000, () => {
      this.#waiting = undefined;
      this.#socket.resume();
    });
  }

  #cut(problem: GuardProblem): void {
    if (this.destroyed) return;
    this.#onProblem(problem);
    this.#socket.destroy();
    this.destroy();
  }
}
