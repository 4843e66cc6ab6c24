/** The hub's side of the wire: one MQTT client, whether the broker is in this process or elsewhere. */
import { Socket } from 'node:net';
import { type BackoffPolicy, backoffMs, jittered } from '../../kit/backoff.ts';
import type { Clock, Timer } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import { connect, type IClientOptions, MqttClient } from '../../kit/mqtt.ts';
import { decodeReport, encodeMessage } from '../../protocol/wire/decode.ts';
import { isNodeName } from '../../protocol/wire/identity.ts';
import { type Control, MAX_PACKET_BYTES, type Report, type Telemetry } from '../../protocol/wire/messages.ts';
import { decodeTelemetry } from '../../protocol/wire/telemetry.ts';
import { parseTopic, topics } from '../../protocol/wire/topics.ts';
import { type BrokerAddress, type DeviceLink, LinkError } from './device-link.ts';
import type { Refusals } from './refusals.ts';

const KEEPALIVE_SECONDS = 30;
const CONNECT_TIMEOUT_MS = 10_000;
const RECONNECT: BackoffPolicy = { baseMs: 500, maxMs: 15_000 };
/** Topic and header beside a payload. */
const PACKET_OVERHEAD_BYTES = 256;

export interface HubLinkOptions {
  readonly broker: BrokerAddress;
  /** MQTT client id; must differ between hubs that share a broker. */
  readonly clientId: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly refusals: Refusals;
  readonly maxInFlight?: number;
  readonly maxInFlightBytes?: number;
  readonly maxFrameBacklogBytes?: number;
}

type Subscribers = {
  report: ((node: string, report: Report) => void)[];
  heartbeat: ((node: string, telemetry: Telemetry | undefined) => void)[];
  frame: ((node: string, stream: string, bytes: Uint8Array) => void)[];
};

/**
 * Keeps a connection to the broker. Invariants: nothing is queued while it is down (a send rejects instead, and the caller's level
 * trigger sends what is true by then); a message is delivered to listeners only when it decodes; a listener that throws costs
 * its own message only. Every reconnect starts with a new client, so that no old message is sent again.
 */
export class HubLink implements DeviceLink {
  readonly #o: HubLinkOptions;
  readonly #subscribers: Subscribers = { report: [], heartbeat: [], frame: [] };
  readonly #pending = new Set<(error: LinkError) => void>();
  #pendingBytes = 0;
  #client: MqttClient | undefined;
  #isReady = false;
  #isStopped = false;
  #failures = 0;
  #timer: Timer | undefined;
  #started: { resolve: () => void; reject: (error: LinkError) => void } | undefined;

  constructor(options: HubLinkOptions) {
    this.#o = options;
  }

  /** True while messages can be sent and arrive. */
  get isConnected(): boolean {
    return this.#isReady;
  }

  /** Connects and keeps trying; resolves when subscribed for the first time, rejects only when stopped before. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject };
      this.#connect();
    });
  }

  /** Disconnects for good; what is in flight rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#started?.reject(new LinkError('Disconnected', 'the link was stopped'));
    const client = this.#client;
    this.#drop();
    if (client !== undefined) await client.endAsync(true);
  }

  onReport(listener: (node: string, report: Report) => void): void {
    this.#subscribers.report.push(listener);
  }

  onHeartbeat(listener: (node: string, telemetry: Telemetry | undefined) => void): void {
    this.#subscribers.heartbeat.push(listener);
  }

  onFrame(listener: (node: string, stream: string, bytes: Uint8Array) => void): void {
    this.#subscribers.frame.push(listener);
  }

  sendControl(node: string, message: Control): Promise<void> {
    const payload = encodeMessage(message);
    const { maxInFlight = 10_000, maxInFlightBytes = 64 * 1024 * 1024 } = this.#o;
    if (payload.length > MAX_PACKET_BYTES - PACKET_OVERHEAD_BYTES)
      return Promise.reject(new LinkError('TooLarge', `the message has ${payload.length} bytes`));
    const client = this.#client;
    if (client === undefined || !this.#isReady)
      return Promise.reject(new LinkError('Disconnected', 'there is no connection to the broker'));
    if (this.#pending.size >= maxInFlight || this.#pendingBytes + payload.length > maxInFlightBytes)
      return Promise.reject(new LinkError('Busy', 'the broker does not keep up'));
    return this.#publish(client, topics.control(node), payload);
  }

  sendFrame(node: string, stream: string, bytes: Uint8Array): void {
    const client = this.#client;
    const { maxFrameBacklogBytes = 8 * 1024 * 1024 } = this.#o;
    if (client === undefined || !this.#isReady || client.stream.writableLength > maxFrameBacklogBytes) {
      this.#o.refusals.add(node, 'LinkBusy');
      return;
    }
    client.publish(topics.streamDown(node, stream), asBuffer(bytes), { qos: 0 });
  }

  #publish(client: MqttClient, topic: string, payload: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: LinkError): void => {
        if (!this.#pending.delete(settle)) return;
        this.#pendingBytes -= payload.length;
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#pending.add(settle);
      this.#pendingBytes += payload.length;
      client.publish(topic, asBuffer(payload), { qos: 1 }, (cause) =>
        settle(cause ? new LinkError('Refused', 'the broker refused the message', { cause }) : undefined),
      );
    });
  }

  #connect(): void {
    const client = this.#open();
    this.#client = client;
    client.on('connect', () => {
      // Small messages both ways would wait 40 ms for each other's acknowledgement.
      if (client.stream instanceof Socket) client.stream.setNoDelay(true);
      this.#subscribe(client);
    });
    client.on('error', (err) => this.#o.log.debug('broker connection error', { err }));
    client.on('message', (topic, payload) => this.#receive(topic, payload));
    client.on('close', () => {
      if (this.#client === client) this.#lost();
    });
  }

  #open(): MqttClient {
    const { broker, clientId } = this.#o;
    const options: IClientOptions = {
      clientId,
      clean: true,
      protocolVersion: 4,
      keepalive: KEEPALIVE_SECONDS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
    };
    if ('inProcess' in broker)
      return new MqttClient(() => broker.inProcess(), { ...options, protocol: 'mqtt' });
    const { url, ...secrets } = broker;
    return connect(url, { ...options, ...secrets });
  }

  #subscribe(client: MqttClient): void {
    client.subscribe(topics.hubFilters(), { qos: 1 }, (error, granted = []) => {
      if (client !== this.#client) return;
      if (error || granted.some((g) => g.qos === 128)) {
        this.#o.log.error('broker refuses the subscriptions of the hub', { err: error, granted });
        client.end(true);
        return;
      }
      this.#failures = 0;
      this.#isReady = true;
      this.#o.log.info('broker connected', {});
      this.#started?.resolve();
      this.#started = undefined;
    });
  }

  #lost(): void {
    const wasReady = this.#isReady;
    this.#client?.end(true);
    this.#drop();
    if (this.#isStopped) return;
    this.#failures += 1;
    const retryMs = jittered(backoffMs(RECONNECT, this.#failures), 0.5, Math.random());
    if (wasReady || this.#failures === 1) this.#o.log.warn('broker connection lost', { retryMs });
    this.#timer = this.#o.clock.after(retryMs, () => this.#connect());
  }

  #drop(): void {
    this.#isReady = false;
    this.#client = undefined;
    for (const settle of this.#pending)
      settle(new LinkError('Disconnected', 'the connection to the broker broke'));
  }

  #receive(topic: string, payload: Buffer): void {
    try {
      this.#deliver(topic, payload);
    } catch (err) {
      // One device's message must not take the hub down with it; the loops look again by themselves.
      this.#o.log.error('message handler failed', { topic, err });
    }
  }

  #deliver(topic: string, payload: Buffer): void {
    const parsed = parseTopic(topic);
    if (parsed === undefined || !isNodeName(parsed.node)) {
      this.#o.refusals.add('', 'UnknownTopic', { topic: topic.slice(0, 128) });
      return;
    }
    const { node } = parsed;
    if (parsed.what === 'stream') {
      for (const listener of this.#subscribers.frame) listener(node, parsed.stream, payload);
    } else if (parsed.what === 'heartbeat') {
      const sample = decodeTelemetry(payload);
      if (sample.ok) for (const listener of this.#subscribers.heartbeat) listener(node, sample.value);
      else this.#o.refusals.add(node, 'Undecodable', { why: sample.why });
    } else if (parsed.what === 'report') {
      const report = decodeReport(payload);
      if (report.ok) for (const listener of this.#subscribers.report) listener(node, report.value);
      else this.#o.refusals.add(node, 'Undecodable', { why: report.why });
    }
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
