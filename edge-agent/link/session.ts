import { type BackoffPolicy, backoffMs } from '../../kit/backoff.ts';
import type { Clock, Timer } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import { decodeControl, encodeMessage } from '../../protocol/wire/decode.ts';
import {
  type Control,
  type DesiredMessage,
  type NodeFacts,
  type OpenMessage,
  type Report,
  WIRE_VERSIONS,
} from '../../protocol/wire/messages.ts';
import { parseTopic, topics } from '../../protocol/wire/topics.ts';
import type { RefusalReason } from '../decide/desired-step.ts';
import type { Outbox } from '../decide/outbox.ts';
import type { DesiredKeeper } from './desired-keeper.ts';
import { Pulse } from './pulse.ts';
import type { Connection } from './transport.ts';

/** What a session needs of the rest of the agent. All calls are synchronous and must not throw. */
export interface SessionPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly agentVersion: string;
  readonly outbox: Outbox;
  readonly keeper: DesiredKeeper;
  facts(): NodeFacts;
  /** Cadence of now: heartbeats and how long the hub may be silent before it is asked. */
  cadence(): { readonly heartbeatMs: number; readonly probeMs: number };
  /** Payload of the next heartbeat; undefined for an empty one. */
  takeSample(): Uint8Array | undefined;
  /** The hub has said who it is and what time it has. */
  onWelcome(atMs: number): void;
  onOpen(message: OpenMessage): void;
  onStreamFrame(stream: string, frame: Uint8Array): void;
}

const HELLO_BACKOFF: BackoffPolicy = { baseMs: 15_000, maxMs: 120_000 };
const SYNC_BACKOFF: BackoffPolicy = { baseMs: 1000, maxMs: 60_000 };
/** Reports are sent again when nothing was acknowledged for this long. */
const RESEND_BACKOFF: BackoffPolicy = { baseMs: 30_000, maxMs: 300_000 };

/**
 * The conversation of docs/wire.md over one connection: hello, welcome, desired steps, reports until acknowledged, heartbeats.
 * Begins with `start`, ends with `end`; what must outlive a connection is in the outbox and the keeper.
 */
export class Session {
  readonly #node: string;
  readonly #connection: Connection;
  readonly #ports: SessionPorts;
  readonly #log: Logger;
  readonly #pulse: Pulse;
  readonly #timers = new Map<'hello' | 'sync' | 'resend' | 'pump', Timer>();
  #isWelcome = false;
  #hellos = 0;
  #syncs = 0;
  #resends = 0;
  #malformed = 0;
  /** Images the hub was told on this connection: the largest part of the facts, and rarely news. */
  #toldImages: NodeFacts['images'];
  #ended = false;

  constructor(node: string, connection: Connection, ports: SessionPorts) {
    this.#node = node;
    this.#connection = connection;
    this.#ports = ports;
    this.#log = ports.log;
    this.#pulse = new Pulse(topics.heartbeat(node), connection, ports);
  }

  /** True once the hub has answered our hello. */
  get isWelcome(): boolean {
    return this.#isWelcome;
  }

  /** Address of this device on the way to the hub. */
  get localAddress(): string | undefined {
    return this.#connection.localAddress;
  }

  start(): void {
    this.#hello();
    this.#pulse.start();
  }

  /** The connection is over, or about to be: nothing more is sent. */
  end(): void {
    this.#ended = true;
    this.#pulse.stop();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  /** Something came in on one of our topics. Never throws on bad input. */
  receive(topic: string, payload: Uint8Array): void {
    if (this.#ended) return;
    this.#pulse.heard();
    const parsed = parseTopic(topic);
    if (parsed?.node !== this.#node) return;
    if (parsed.what === 'stream' && parsed.way === 'down') {
      this.#ports.onStreamFrame(parsed.stream, payload);
    } else if (parsed.what === 'control') {
      this.#control(payload);
    }
  }

  /** The outbox has news, or facts changed: tell them soon. */
  outboxChanged(): void {
    if (!this.#isWelcome || this.#ended || this.#timers.has('pump')) return;
    // A turn of the loop later, so that changes of the same instant share a report.
    this.#after('pump', 0, () => this.#pump());
  }

  factsChanged(): void {
    if (!this.#isWelcome) return;
    const { images, ...facts } = this.#ports.facts();
    const isNews = images !== undefined && images !== this.#toldImages;
    this.#toldImages = images;
    const told = isNews ? { ...facts, images } : facts;
    this.#report({ t: 'facts', ...this.#ports.outbox.nextHead(), facts: told });
  }

  sendFrame(stream: string, frame: Uint8Array): void {
    if (this.#ended) throw new Error('not connected');
    this.#send(topics.streamUp(this.#node, stream), frame, 0);
  }

  #control(payload: Uint8Array): void {
    const decoded = decodeControl(payload);
    if (!decoded.ok) {
      this.#malformed += 1;
      const level = this.#malformed === 1 ? 'warn' : 'debug';
      this.#log[level]('message of the hub dropped', { why: decoded.why, count: this.#malformed });
      return;
    }
    this.#dispatch(decoded.value);
  }

  #dispatch(message: Control): void {
    switch (message.t) {
      case 'welcome':
        this.#welcome(message.version, message.atMs);
        break;
      case 'desired':
        void this.#desired(message);
        break;
      case 'ack':
        this.#resends = 0;
        this.#cancel('resend');
        this.#ports.outbox.ack(message.boot, message.seq);
        this.#pump();
        break;
      case 'hello?':
        this.#hellos = 0;
        this.#hello();
        break;
      case 'open':
        this.#ports.onOpen(message);
        break;
    }
  }

  #welcome(version: number, atMs: number): void {
    if (!WIRE_VERSIONS.includes(version)) {
      this.#log.error('the hub chose a wire version this agent does not speak', { version });
      this.#connection.destroy('no common wire version');
      return;
    }
    this.#cancel('hello');
    this.#hellos = 0;
    this.#isWelcome = true;
    this.#ports.onWelcome(atMs);
    this.#ports.outbox.restart();
    this.#pump();
  }

  async #desired(message: DesiredMessage): Promise<void> {
    const { kept, step } = await this.#ports.keeper.apply(message);
    if (this.#ended) return;
    if (kept === 'accept') this.#syncs = 0;
    if (kept === 'sync' || kept === 'failed') this.#syncLater();
    if (step.do === 'refuse') this.#refuse(step.reason, message.gen);
  }

  /** Asks for the difference; ever more slowly when the answers do not fit, or the disk takes nothing. */
  #syncLater(): void {
    if (this.#timers.has('sync')) return;
    const delayMs = backoffMs(SYNC_BACKOFF, this.#syncs);
    this.#syncs += 1;
    this.#after('sync', delayMs, () => {
      this.#report({ t: 'sync', ...this.#ports.outbox.nextHead(), ...this.#ports.keeper.summary() });
    });
  }

  #refuse(reason: RefusalReason, offeredGen: number): void {
    const { held } = this.#ports.keeper;
    const pods = [...held.items.values()].flatMap((item) =>
      item.kind === 'pod'
        ? [
            {
              uid: item.body.metadata.uid,
              namespace: item.body.metadata.namespace ?? 'default',
              name: item.body.metadata.name,
            },
          ]
        : [],
    );
    this.#log.warn('desired state refused, keeping what runs', { reason, offeredGen, gen: held.gen });
    const { cluster, gen } = held;
    this.#report({ t: 'refused', ...this.#ports.outbox.nextHead(), reason, cluster, gen, offeredGen, pods });
  }

  #hello(): void {
    const { outbox, keeper, agentVersion } = this.#ports;
    keeper.restart();
    const facts = this.#ports.facts();
    this.#toldImages = facts.images;
    this.#report({
      t: 'hello',
      ...outbox.nextHead(),
      versions: WIRE_VERSIONS,
      agent: agentVersion,
      ...keeper.summary(),
      facts,
    });
    this.#hellos += 1;
    this.#after('hello', backoffMs(HELLO_BACKOFF, this.#hellos), () => {
      this.#log.warn('the hub has not answered our hello, saying it again', { hellos: this.#hellos });
      this.#hello();
    });
  }

  #pump(): void {
    if (!this.#isWelcome || this.#ended) return;
    const { outbox } = this.#ports;
    for (let report = outbox.take(); report !== undefined; report = outbox.take()) this.#report(report);
    if (outbox.depth.inFlight === 0) {
      this.#cancel('resend');
      return;
    }
    if (this.#timers.has('resend')) return;
    this.#resends += 1;
    this.#after('resend', backoffMs(RESEND_BACKOFF, this.#resends), () => {
      this.#log.warn('reports not acknowledged, sending them again', { ...outbox.depth });
      outbox.resend();
      this.#pump();
    });
  }

  #report(report: Report): void {
    this.#send(topics.report(this.#node), encodeMessage(report), 1);
  }

  #send(topic: string, payload: Uint8Array, qos: 0 | 1): void {
    this.#connection.publish(topic, payload, qos).then(
      () => {
        if (qos === 1) this.#pulse.heard();
      },
      // The connection is gone: onClose follows, and what must not be lost is still in the outbox.
      (err: unknown) => this.#log.debug('message not sent', { topic, err }),
    );
  }

  #after(what: 'hello' | 'sync' | 'resend' | 'pump', delayMs: number, run: () => void): void {
    this.#cancel(what);
    const timer = this.#ports.clock.after(delayMs, () => {
      this.#timers.delete(what);
      run();
    });
    this.#timers.set(what, timer);
  }

  #cancel(what: 'hello' | 'sync' | 'resend' | 'pump'): void {
    this.#timers.get(what)?.cancel();
    this.#timers.delete(what);
  }
}
