/** The broker inside the hub: aedes behind mutual TLS, with the guards it lacks. */
import type { AddressInfo } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes, type AuthenticateError, type Client, type ConnectPacket } from 'aedes';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import { MAX_PACKET_BYTES } from '../../protocol/wire/messages.ts';
import { Admission, type Admitted } from './admission.ts';
import type { GuardLimits } from './guarded-connection.ts';
import type { RefusalReason, Refusals } from './refusals.ts';
import {
  type ConnectRequest,
  connectProblem,
  identify,
  type PeerVerdict,
  publishProblem,
  subscribeProblem,
} from './rules.ts';
import { Takeovers } from './takeovers.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 12_000;
const LIMITS: GuardLimits = {
  maxPacketBytes: MAX_PACKET_BYTES,
  maxOutboundBytes: 16 * 1024 * 1024,
  packetsPerSecond: 1_000,
};
/** MQTT 3.1.1 return codes of CONNACK. */
const IDENTIFIER_REJECTED = 2;
const NOT_AUTHORIZED = 5;

/** What the broker needs of the certificate authority; read again by `reloadTls`. */
export interface BrokerTrust {
  readonly caPem: string;
  readonly serverKeyPem: string;
  readonly serverCertPem: string;
  verifyOurs(certificate: Buffer): PeerVerdict;
}

export interface EmbeddedBrokerOptions {
  readonly trust: BrokerTrust;
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly refusals: Refusals;
  readonly maxConnections?: number;
  readonly connectTimeoutMs?: number;
  readonly limits?: Partial<GuardLimits>;
}

/** Errors of aedes, which have no code, that only say that a connection ended. */
const ENDINGS: ReadonlySet<string> = new Set(['connection closed', 'keep alive timeout']);

/** Who is at the other end; without `admitted` it is the hub itself. */
interface Peer {
  readonly admitted?: Admitted;
  request?: ConnectRequest;
}

/** An error of ours that has been counted already. */
class Refused extends Error {}

/**
 * Lets devices of this cluster in, each under its own name only. Invariants: aedes never sees a byte of a peer without a
 * certificate of ours; nothing of a connection outlives it (no sessions, retained messages or wills).
 */
export class EmbeddedBroker {
  readonly #o: EmbeddedBrokerOptions;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #peers = new WeakMap<object, Peer>();
  readonly #live = new Map<string, Client>();
  readonly #admission: Admission;
  readonly #sockets = new Set<TLSSocket>();
  readonly #takeovers: Takeovers;

  constructor(options: EmbeddedBrokerOptions) {
    this.#o = options;
    this.#takeovers = new Takeovers(options.clock);
    this.#admission = new Admission({
      verifyOurs: (certificate) => options.trust.verifyOurs(certificate),
      clock: options.clock,
      refusals: options.refusals,
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      limits: { ...LIMITS, ...options.limits },
    });
    this.#aedes = this.#makeAedes();
    this.#server = this.#makeServer();
  }

  /** The port it listens on; 0 before `start`. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Names of the devices connected now. */
  get connectedNodes(): readonly string[] {
    return [...this.#live.keys()];
  }

  /** Listens; rejects when the port is taken. */
  async start(): Promise<void> {
    await this.#aedes.listen();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#o.port, this.#o.host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (err) => this.#o.log.error('broker listener failed', { err }));
        resolve();
      });
    });
    this.#o.log.info('broker listens', { host: this.#o.host, port: this.port });
  }

  /** Closes every connection; resolves when all are gone. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#aedes.close(() => resolve()));
    await closed;
  }

  /** The hub's own way in: a stream pair in memory, trusted because nobody else can hold it. */
  connectInProcess(): Duplex {
    const [ours, theirs] = duplexPair();
    // A pair does not pass the end of one side on by itself.
    theirs.once('close', () => ours.destroy());
    ours.once('close', () => theirs.destroy());
    this.#peers.set(theirs, {});
    this.#aedes.handle(theirs);
    return ours;
  }

  /** New connections use the authority's present server certificate; held ones stay. */
  reloadTls(): void {
    this.#server.setSecureContext(this.#secrets());
  }

  #makeAedes(): Aedes {
    const aedes = new Aedes({
      connectTimeout: 2 * (this.#o.connectTimeoutMs ?? CONNECT_TIMEOUT_MS),
      drainTimeout: 0,
      preConnect: (client, packet, done) => this.#preConnect(client, packet, done),
      authenticate: (client, _user, _password, done) => this.#authenticate(client, done),
      authorizePublish: (client, packet, done) => {
        const problem = client === null ? undefined : this.#publish(client, packet);
        done(problem === undefined ? null : new Refused(problem));
      },
      authorizeSubscribe: (client, subscription, done) =>
        done(null, this.#maySubscribe(client, subscription.topic) ? subscription : null),
    });
    this.#listenTo(aedes);
    return aedes;
  }

  #makeServer(): Server {
    const { refusals, maxConnections } = this.#o;
    const server = createServer(
      {
        ...this.#secrets(),
        requestCert: true,
        // We judge certificates ourselves, so that an expired one gets an answer it can act on.
        rejectUnauthorized: false,
        minVersion: 'TLSv1.2',
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        noDelay: true,
        keepAlive: true,
      },
      (socket) => this.#admit(socket),
    );
    server.maxConnections = maxConnections ?? MAX_CONNECTIONS;
    server.on('drop', () => refusals.add('', 'TooManyConnections'));
    server.on('tlsClientError', (error: Error & { code?: string }) =>
      refusals.add('', 'Handshake', { code: error.code ?? '' }),
    );
    return server;
  }

  #secrets(): { key: string; cert: string; ca: string } {
    const { serverKeyPem, serverCertPem, caPem } = this.#o.trust;
    return { key: serverKeyPem, cert: serverCertPem, ca: caPem };
  }

  #admit(socket: TLSSocket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const admitted = this.#admission.admit(socket);
    if (admitted === undefined) return;
    this.#peers.set(admitted.conn, { admitted });
    this.#aedes.handle(admitted.conn);
  }

  #preConnect(client: Client, packet: ConnectPacket, done: (error: null, success: boolean) => void): void {
    const peer = this.#peers.get(client.conn);
    if (peer !== undefined) {
      peer.admitted?.saidConnect();
      const { clientId, clean = false, will } = packet;
      peer.request = { clientId, clean, hasWill: will !== undefined && will !== null };
    }
    done(null, peer !== undefined);
  }

  #authenticate(
    client: Client,
    done: (error: AuthenticateError | null, success: boolean | null) => void,
  ): void {
    const peer = this.#peers.get(client.conn);
    if (peer !== undefined && peer.admitted === undefined) {
      done(null, true);
      return;
    }
    const identity = peer?.admitted?.identity ?? identify(undefined);
    const problem = peer?.request === undefined ? 'NoCertificate' : connectProblem(identity, peer.request);
    if (problem !== undefined) {
      this.#o.refusals.add(identity.node, problem);
      const returnCode = problem === 'ClientIdMismatch' ? IDENTIFIER_REJECTED : NOT_AUTHORIZED;
      done(Object.assign(new Refused(problem), { returnCode }), null);
      return;
    }
    if (this.#takeovers.connected(identity.node, this.#live.has(identity.node)))
      this.#o.refusals.add(identity.node, 'DuplicateIdentity', {
        hint: 'two devices use one certificate; join one of them again under its own name',
      });
    done(null, true);
  }

  #publish(
    client: Client,
    packet: { topic: string; retain: boolean; qos: number },
  ): RefusalReason | undefined {
    const node = this.#nodeOf(client);
    if (node === undefined) return undefined;
    const problem = publishProblem(node, packet);
    if (problem !== undefined) this.#o.refusals.add(node, problem, { topic: packet.topic.slice(0, 128) });
    return problem;
  }

  #maySubscribe(client: Client, filter: string): boolean {
    const node = this.#nodeOf(client);
    if (node === undefined) return true;
    const problem = subscribeProblem(node, filter);
    if (problem !== undefined) this.#o.refusals.add(node, problem, { filter: filter.slice(0, 128) });
    return problem === undefined;
  }

  /** The device's name, empty for a stranger; undefined for the hub itself. */
  #nodeOf(client: Client): string | undefined {
    const peer = this.#peers.get(client.conn);
    if (peer === undefined) return '';
    return peer.admitted?.identity.node;
  }

  #listenTo(aedes: Aedes): void {
    const failed = (client: Client, error: Error & { code?: string }): void => {
      // Ours are counted, and a code is the network's: what is left broke the protocol.
      if (error instanceof Refused || error.code !== undefined || ENDINGS.has(error.message)) return;
      this.#o.refusals.add(this.#nodeOf(client) ?? '', 'Malformed', { why: error.message });
    };
    aedes.on('clientError', failed);
    aedes.on('connectionError', failed);
    aedes.on('client', (client) => {
      const node = this.#nodeOf(client);
      if (node !== undefined) this.#live.set(node, client);
    });
    aedes.on('clientDisconnect', (client) => {
      const node = this.#nodeOf(client);
      if (node !== undefined && this.#live.get(node) === client) this.#live.delete(node);
    });
  }
}
