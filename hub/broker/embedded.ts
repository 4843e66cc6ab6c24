/** The broker inside the hub: aedes behind mutual TLS, with the guards it lacks. */
import type { AddressInfo } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes, type AuthenticateError, type Client, type ConnectPacket } from 'aedes';
import type { Clock, Timer } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import { MAX_PACKET_BYTES } from '../../protocol/wire/messages.ts';
import { GuardedConnection, type GuardLimits } from './guarded-connection.ts';
import type { RefusalReason, Refusals } from './refusals.ts';
import {
  type ConnectRequest,
  connectProblem,
  identify,
  type PeerIdentity,
  type PeerVerdict,
  publishProblem,
  subscribeProblem,
} from './rules.ts';
import { Takeovers } from './takeovers.ts';

const HANDSHAKE_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** TLS connections of one device that have not said CONNECT yet. */
const MAX_UNCONNECTED = 4;
const MAX_CONNECTIONS = 12_000;
const MAX_OUTBOUND_BYTES = 16 * 1024 * 1024;
const PACKETS_PER_SECOND = 1_000;
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

interface Peer {
  readonly isHub: boolean;
  readonly identity: PeerIdentity;
  request?: ConnectRequest;
  timer?: Timer;
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
  readonly #unconnected = new Map<string, number>();
  readonly #sockets = new Set<TLSSocket>();
  readonly #takeovers: Takeovers;

  constructor(options: EmbeddedBrokerOptions) {
    this.#o = options;
    this.#takeovers = new Takeovers(options.clock);
    this.#aedes = new Aedes({
      connectTimeout: 2 * (options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS),
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
    this.#listenToAedes();
    this.#server = createServer(
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
    this.#server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
    this.#server.on('drop', () => options.refusals.add('', 'TooManyConnections'));
    this.#server.on('tlsClientError', (error: Error & { code?: string }) =>
      options.refusals.add('', 'Handshake', { code: error.code ?? '' }),
    );
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
    this.#peers.set(theirs, { isHub: true, identity: { node: '' } });
    this.#aedes.handle(theirs);
    return ours;
  }

  /** New connections use the authority's present server certificate; held ones stay. */
  reloadTls(): void {
    this.#server.setSecureContext(this.#secrets());
  }

  #secrets(): { key: string; cert: string; ca: string } {
    const { serverKeyPem, serverCertPem, caPem } = this.#o.trust;
    return { key: serverKeyPem, cert: serverCertPem, ca: caPem };
  }

  #admit(socket: TLSSocket): void {
    const { trust, refusals, clock } = this.#o;
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', (err) => this.#o.log.debug('connection failed', { err }));
    const der = socket.getPeerX509Certificate()?.raw;
    const identity = identify(der === undefined ? undefined : trust.verifyOurs(der));
    const { node } = identity;
    const address = socket.remoteAddress ?? '';
    if (node === '') {
      refusals.add('', identity.problem ?? 'NoCertificate', { address });
      socket.destroy();
      return;
    }
    if ((this.#unconnected.get(node) ?? 0) >= MAX_UNCONNECTED) {
      refusals.add(node, 'TooManyConnections', { address });
      socket.destroy();
      return;
    }
    const limits = {
      maxPacketBytes: MAX_PACKET_BYTES,
      maxOutboundBytes: MAX_OUTBOUND_BYTES,
      packetsPerSecond: PACKETS_PER_SECOND,
      ...this.#o.limits,
    };
    const conn = new GuardedConnection(socket, limits, clock, (problem) =>
      refusals.add(node, problem, { address }),
    );
    this.#expectConnect(conn, { isHub: false, identity }, address);
    this.#aedes.handle(conn);
  }

  #expectConnect(conn: GuardedConnection, peer: Peer, address: string): void {
    const { node } = peer.identity;
    this.#peers.set(conn, peer);
    this.#unconnected.set(node, (this.#unconnected.get(node) ?? 0) + 1);
    peer.timer = this.#o.clock.after(this.#o.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, () => {
      this.#o.refusals.add(node, 'ConnectTimeout', { address });
      conn.destroy();
    });
    conn.once('close', () => this.#settleConnect(peer));
  }

  /** The peer has said CONNECT or gone away; counted once. */
  #settleConnect(peer: Peer): void {
    if (peer.timer === undefined) return;
    peer.timer.cancel();
    delete peer.timer;
    const { node } = peer.identity;
    const left = (this.#unconnected.get(node) ?? 1) - 1;
    if (left > 0) this.#unconnected.set(node, left);
    else this.#unconnected.delete(node);
  }

  #preConnect(client: Client, packet: ConnectPacket, done: (error: null, success: boolean) => void): void {
    const peer = this.#peers.get(client.conn);
    if (peer !== undefined) {
      this.#settleConnect(peer);
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
    if (peer?.isHub === true) {
      done(null, true);
      return;
    }
    const { identity, request } = peer ?? { identity: identify(undefined), request: undefined };
    const problem = request === undefined ? 'NoCertificate' : connectProblem(identity, request);
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
    const peer = this.#peers.get(client.conn);
    if (peer?.isHub === true) return undefined;
    const node = peer?.identity.node ?? '';
    const problem = publishProblem(node, packet);
    if (problem !== undefined) this.#o.refusals.add(node, problem, { topic: packet.topic.slice(0, 128) });
    return problem;
  }

  #maySubscribe(client: Client, filter: string): boolean {
    const peer = this.#peers.get(client.conn);
    if (peer?.isHub === true) return true;
    const node = peer?.identity.node ?? '';
    const problem = subscribeProblem(node, filter);
    if (problem !== undefined) this.#o.refusals.add(node, problem, { filter: filter.slice(0, 128) });
    return problem === undefined;
  }

  #listenToAedes(): void {
    const nodeOf = (client: Client): string => this.#peers.get(client.conn)?.identity.node ?? '';
    const failed = (client: Client, error: Error & { code?: string }): void => {
      // Ours are counted, and a code is the network's: what is left broke the protocol.
      if (error instanceof Refused || error.code !== undefined || ENDINGS.has(error.message)) return;
      this.#o.refusals.add(nodeOf(client), 'Malformed', { why: error.message });
    };
    this.#aedes.on('clientError', failed);
    this.#aedes.on('connectionError', failed);
    this.#aedes.on('client', (client) => {
      if (nodeOf(client) !== '') this.#live.set(nodeOf(client), client);
    });
    this.#aedes.on('clientDisconnect', (client) => {
      if (this.#live.get(nodeOf(client)) === client) this.#live.delete(nodeOf(client));
    });
  }
}
