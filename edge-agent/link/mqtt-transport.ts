import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../kit/clock.ts';
import { type IClientOptions, MqttClient } from '../../kit/mqtt.ts';
import { PacketScanner } from '../../kit/packet-scanner.ts';
import { MAX_PACKET_BYTES } from '../../protocol/wire/messages.ts';
import { openTls, parseAddress, toConnectError } from './tls-socket.ts';
import {
  ConnectError,
  type Connection,
  type ConnectionEvents,
  type ConnectRequest,
  type Transport,
} from './transport.ts';

const DEFAULT_PORT = 8883;
/** From TLS to the last SUBACK. */
const HANDSHAKE_MS = 10_000;

/**
 * MQTT 3.1.1 over mutual TLS with mqtt.js. The library's own reconnecting, offline queue and pings are off: the link
 * reconnects, the outbox keeps what must not be lost, and heartbeats prove the link for fewer bytes than pings.
 */
export class MqttTransport implements Transport {
  readonly #clock: Clock;

  /** `clock` judges certificates: never below the last time the device has known. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async connect(request: ConnectRequest, events: ConnectionEvents): Promise<Connection> {
    const endpoint = parseAddress(request.address, DEFAULT_PORT);
    if (endpoint === undefined) {
      throw new ConnectError('Unreachable', `"${request.address}" is not an address of the form host:port`);
    }
    const socket = await openTls(endpoint, request.identity, this.#clock.nowMs());
    const connection = new MqttConnection(socket, request, events);
    await connection.ready;
    return connection;
  }
}

class MqttConnection implements Connection {
  readonly localAddress: string | undefined;
  /** Resolves once subscribed; rejects with ConnectError. */
  readonly ready: Promise<void>;
  readonly #socket: TLSSocket;
  readonly #client: MqttClient;
  readonly #unfinished = new Set<(error: Error) => void>();
  #closed = false;
  #closeWhy = 'closed by the hub';

  constructor(socket: TLSSocket, request: ConnectRequest, events: ConnectionEvents) {
    this.#socket = socket;
    this.localAddress = socket.localAddress;
    this.#client = new MqttClient(() => socket as Duplex as ReturnType<StreamBuilder>, optionsOf(request));
    guardInbound(socket, (why) => this.destroy(why));
    this.ready = this.#handshake(request, events);
  }

  publish(topic: string, payload: Uint8Array, qos: 0 | 1): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('not connected'));
    return new Promise((resolve, reject) => {
      this.#unfinished.add(reject);
      const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      this.#client.publish(topic, bytes, { qos }, (error) => {
        this.#unfinished.delete(reject);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closeWhy = 'closed by this device';
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve());
      this.#client.end(false);
      // A peer that is gone never answers the goodbye.
      setTimeout(() => this.#socket.destroy(), 1000).unref();
    });
  }

  destroy(why: string): void {
    if (this.#closed) return;
    this.#closeWhy = why;
    this.#socket.destroy();
  }

  async #handshake(request: ConnectRequest, events: ConnectionEvents): Promise<void> {
    const client = this.#client;
    let isReady = false;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => this.destroy('the broker did not answer'), HANDSHAKE_MS);
      let failure: ConnectError | undefined;
      client.on('error', (error) => {
        failure ??= toConnectError(error, request.address);
        this.#closeWhy = error.message;
        this.#socket.destroy();
      });
      // With mqtt.js's own listener alone, an error of the socket would be swallowed with its reason.
      this.#socket.on('error', (error) => {
        failure ??= toConnectError(error, request.address);
        this.#closeWhy = error.message;
      });
      this.#socket.once('close', () => {
        clearTimeout(timer);
        this.#finish();
        if (isReady) events.onClose(this.#closeWhy);
        else reject(failure ?? refusedBeforeReady(request.address, this.#closeWhy));
      });
      client.on('message', (topic, payload) => events.onMessage(topic, payload));
      client.once('connect', () => {
        client.subscribe([...request.subscribe], { qos: 1 }, (error, _granted, packet) => {
          const isGranted = packet?.granted.every((qos) => typeof qos === 'number' && qos < 128) ?? false;
          if (error || !isGranted) {
            failure ??= new ConnectError('Refused', `${request.address} refuses our subscriptions`);
            this.#socket.destroy();
            return;
          }
          clearTimeout(timer);
          isReady = true;
          resolve();
        });
      });
    });
  }

  #finish(): void {
    this.#closed = true;
    for (const reject of this.#unfinished) reject(new Error(`connection lost: ${this.#closeWhy}`));
    this.#unfinished.clear();
    this.#client.removeAllListeners('message');
  }
}

type StreamBuilder = ConstructorParameters<typeof MqttClient>[0];

function optionsOf(request: ConnectRequest): IClientOptions {
  return {
    clientId: request.clientId,
    protocolVersion: 4,
    clean: true,
    keepalive: request.keepAliveSeconds,
    reconnectPeriod: 0,
    connectTimeout: HANDSHAKE_MS,
    queueQoSZero: false,
    resubscribe: false,
    writeCache: false,
    log: () => undefined,
  };
}

/** A peer that took our TLS and closed before it said yes does not want our certificate or our session. */
function refusedBeforeReady(address: string, why: string): ConnectError {
  return new ConnectError('Refused', `${address} ended the connection before accepting it: ${why}`);
}

/** Cuts the connection when a packet declares more than the wire allows, before the library makes room for it. */
function guardInbound(socket: TLSSocket, cut: (why: string) => void): void {
  const scanner = new PacketScanner(MAX_PACKET_BYTES, 'broker');
  socket.on('data', (chunk: Buffer) => {
    const problem = scanner.feed(chunk);
    if (problem === 'PacketTooLarge') cut('the broker sent a packet above the size limit');
    else if (problem !== undefined) cut('the broker sent bytes that are not MQTT');
  });
}
