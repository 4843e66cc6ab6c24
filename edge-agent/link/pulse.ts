import type { Clock, Timer } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Connection } from './transport.ts';

/** What the pulse needs of the session. */
export interface PulsePorts {
  readonly clock: Clock;
  readonly log: Logger;
  cadence(): { readonly heartbeatMs: number; readonly probeMs: number };
  takeSample(): Uint8Array | undefined;
}

const EMPTY = new Uint8Array(0);
/** How long the answer to a probe may take beyond a beat, in ms: a slow uplink may hold some seconds of other data. */
const ANSWER_MS = 10_000;

/**
 * Beats, and notices a hub that is gone. A beat goes out at QoS 0; when the hub has been silent for `probeMs`, at QoS 1, so that
 * its PUBACK, which carries the TCP acknowledgement anyway, proves the link: 80 bytes where an MQTT ping costs 204. Without an
 * answer the connection is dropped, which TCP alone would do only after a quarter of an hour.
 */
export class Pulse {
  readonly #topic: string;
  readonly #connection: Connection;
  readonly #ports: PulsePorts;
  #timer: Timer | undefined;
  #heardMs: number;
  #probedMs: number | undefined;
  #isSending = false;

  constructor(topic: string, connection: Connection, ports: PulsePorts) {
    this.#topic = topic;
    this.#connection = connection;
    this.#ports = ports;
    this.#heardMs = ports.clock.monotonicMs();
  }

  start(): void {
    this.#timer = this.#ports.clock.after(this.#ports.cadence().heartbeatMs, () => this.#beat());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Anything came from the hub's side. */
  heard(): void {
    this.#heardMs = this.#ports.clock.monotonicMs();
    this.#probedMs = undefined;
  }

  #beat(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    if (this.#probedMs !== undefined && nowMs - this.#probedMs >= ANSWER_MS) {
      this.#connection.destroy('the hub no longer answers');
      return;
    }
    this.start();
    // A beat behind another that has not left yet would say nothing new.
    if (this.#isSending) return;
    const isProbe = this.#probedMs === undefined && nowMs - this.#heardMs >= this.#ports.cadence().probeMs;
    if (isProbe) this.#probedMs = nowMs;
    this.#publish(this.#ports.takeSample() ?? EMPTY, isProbe);
  }

  #publish(payload: Uint8Array, isProbe: boolean): void {
    this.#isSending = !isProbe;
    this.#connection.publish(this.#topic, payload, isProbe ? 1 : 0).then(
      () => {
        this.#isSending = false;
        if (isProbe) this.heard();
      },
      (err: unknown) => {
        // The connection is gone; its onClose ends this pulse.
        this.#isSending = false;
        this.#ports.log.debug('heartbeat not sent', { err });
      },
    );
  }
}
