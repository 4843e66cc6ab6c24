import {
  ConnectError,
  type Connection,
  type ConnectionEvents,
  type ConnectRequest,
  type Transport,
} from '../../edge-agent/link/transport.ts';
import { decodeReport, encodeMessage } from '../../protocol/wire/decode.ts';
import type { Control, Report } from '../../protocol/wire/messages.ts';
import { topics } from '../../protocol/wire/topics.ts';

/** What happens to each message on the way; the default is nothing. */
export interface Faults {
  /** Chance of loss, of a second delivery, and of being held back behind the next message; 0..1. */
  readonly drop?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
}

export interface SeenMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
}

/**
 * A broker and hub in memory for one device. Messages can be lost, doubled and reordered; the link can be partitioned (silence both
 * ways, nobody is told), cut (the connection ends) or refuse to be made. Deterministic with a seeded `random`.
 */
export class MemoryLink implements Transport {
  readonly seen: SeenMessage[] = [];
  readonly requests: ConnectRequest[] = [];
  faults: Faults = {};
  random: () => number = () => 0.5;
  /** Rejections for the next connects, first out first. */
  readonly refusals: ConnectError[] = [];
  isReachable = true;
  isPartitioned = false;
  /** Called for each report that arrives at the hub. */
  onReport: (report: Report) => void = () => undefined;
  onMessage: (message: SeenMessage) => void = () => undefined;
  #live: { events: ConnectionEvents; close: (why: string) => void } | undefined;
  #held: (() => void) | undefined;

  get isConnected(): boolean {
    return this.#live !== undefined;
  }

  /** Reports that arrived, of one kind. */
  reports<T extends Report['t']>(t: T): Extract<Report, { t: T }>[] {
    return this.seen.flatMap(({ topic, payload }) => {
      if (!topic.endsWith('/r')) return [];
      const decoded = decodeReport(payload);
      if (!decoded.ok) throw new Error(`the device sent an undecodable report: ${decoded.why}`);
      return decoded.value.t === t ? [decoded.value as Extract<Report, { t: T }>] : [];
    });
  }

  async connect(request: ConnectRequest, events: ConnectionEvents): Promise<Connection> {
    this.requests.push(request);
    await Promise.resolve();
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    if (!this.isReachable || this.isPartitioned) throw new ConnectError('Unreachable', 'nobody there');
    let open = true;
    const pending = new Set<(error: Error) => void>();
    const close = (why: string): void => {
      if (!open) return;
      open = false;
      this.#live = undefined;
      for (const reject of pending) reject(new Error(why));
      events.onClose(why);
    };
    this.#live = { events, close };
    return {
      localAddress: '192.0.2.7',
      publish: (topic, payload, qos) => {
        if (!open) return Promise.reject(new Error('not connected'));
        const message = { topic, payload: payload.slice(), qos };
        return new Promise((resolve, reject) => {
          pending.add(reject);
          const arrived = (): void => {
            pending.delete(reject);
            resolve();
          };
          if (this.isPartitioned) {
            // QoS 0 has left the process, and nobody will ever know.
            if (qos === 0) arrived();
            return;
          }
          this.#transfer(() => this.#arrive(message));
          arrived();
        });
      },
      close: () => Promise.resolve(close('closed by this device')),
      destroy: (why) => close(why),
    };
  }

  /** The hub says something to the device named `node`. */
  say(node: string, message: Control): void {
    this.sayRaw(topics.control(node), encodeMessage(message));
  }

  sayRaw(topic: string, payload: Uint8Array): void {
    const live = this.#live;
    if (live === undefined || this.isPartitioned) return;
    this.#transfer(() => {
      if (this.#live === live) live.events.onMessage(topic, payload);
    });
  }

  /** The connection ends, as when the broker stops. */
  cut(why = 'cut'): void {
    this.#live?.close(why);
  }

  #arrive(message: SeenMessage): void {
    this.seen.push(message);
    this.onMessage(message);
    if (!message.topic.endsWith('/r')) return;
    const decoded = decodeReport(message.payload);
    if (decoded.ok) this.onReport(decoded.value);
  }

  #transfer(deliver: () => void): void {
    const { drop = 0, duplicate = 0, reorder = 0 } = this.faults;
    if (this.random() < drop) return;
    const times = this.random() < duplicate ? 2 : 1;
    const all = (): void => {
      for (let i = 0; i < times; i++) deliver();
    };
    if (this.random() < reorder && this.#held === undefined) {
      this.#held = all;
      return;
    }
    queueMicrotask(all);
    const late = this.#held;
    this.#held = undefined;
    if (late !== undefined) queueMicrotask(late);
  }
}
