import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../kit/clock.ts';
import { GuardedConnection, type GuardLimits } from './guarded-connection.ts';
import type { Refusals } from './refusals.ts';
import { identify, type PeerIdentity, type PeerVerdict } from './rules.ts';

/** TLS connections of one device that have not said CONNECT yet. */
const MAX_UNCONNECTED = 4;

export interface AdmissionOptions {
  readonly verifyOurs: (certificate: Buffer) => PeerVerdict;
  readonly clock: Clock;
  readonly refusals: Refusals;
  readonly limits: GuardLimits;
  readonly connectTimeoutMs: number;
}

/** A connection that proved a device's name; `saidConnect` ends the wait for its first packet. */
export interface Admitted {
  readonly conn: GuardedConnection;
  readonly identity: PeerIdentity;
  saidConnect(): void;
}

/**
 * Judges a connection by its certificate, before any byte of MQTT. An expired certificate of ours is admitted as far as CONNECT,
 * so that its owner gets an answer. Invariant: of one device at most four connections wait for their CONNECT, none for long.
 */
export class Admission {
  readonly #o: AdmissionOptions;
  readonly #unconnected = new Map<string, number>();

  constructor(options: AdmissionOptions) {
    this.#o = options;
  }

  /** The guarded connection, or undefined when the peer was refused and cut off. */
  admit(socket: TLSSocket): Admitted | undefined {
    const { verifyOurs, refusals, limits, clock } = this.#o;
    const der = socket.getPeerX509Certificate()?.raw;
    const identity = identify(der === undefined ? undefined : verifyOurs(der));
    const { node } = identity;
    const address = socket.remoteAddress ?? '';
    const waiting = this.#unconnected.get(node) ?? 0;
    if (node === '' || waiting >= MAX_UNCONNECTED) {
      const reason = node === '' ? (identity.problem ?? 'NoCertificate') : 'TooManyConnections';
      refusals.add(node, reason, { address });
      // Its reset is no news: it has been counted.
      socket.on('error', () => undefined);
      socket.destroy();
      return undefined;
    }
    const conn = new GuardedConnection(socket, limits, clock, (problem) =>
      refusals.add(node, problem, { address }),
    );
    return { conn, identity, saidConnect: this.#expectConnect(conn, node, address) };
  }

  #expectConnect(conn: GuardedConnection, node: string, address: string): () => void {
    const { clock, refusals, connectTimeoutMs } = this.#o;
    this.#unconnected.set(node, (this.#unconnected.get(node) ?? 0) + 1);
    const timer = clock.after(connectTimeoutMs, () => {
      refusals.add(node, 'ConnectTimeout', { address });
      conn.destroy();
    });
    let isWaiting = true;
    const settle = (): void => {
      if (!isWaiting) return;
      isWaiting = false;
      timer.cancel();
      const left = (this.#unconnected.get(node) ?? 1) - 1;
      if (left > 0) this.#unconnected.set(node, left);
      else this.#unconnected.delete(node);
    };
    conn.once('close', settle);
    return settle;
  }
}
