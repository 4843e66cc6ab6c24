import { backoffMs, jittered } from '../../kit/backoff.ts';
import { type Clock, sleep, type Timer } from '../../kit/clock.ts';
import { nodeCommonName } from '../../kit/csr.ts';
import type { Logger } from '../../kit/logger.ts';
import { topics } from '../../protocol/wire/topics.ts';
import { nearestFirst } from '../decide/hub-api.ts';
import { type Identity, type IdentityProblem, sameIdentity } from './identity.ts';
import { Session, type SessionPorts } from './session.ts';
import { ConnectError, type Connection, type ConnectionEvents, type Transport } from './transport.ts';

/** Result of reading the identity files; see `readIdentity`. */
export type IdentityResult =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly problem: IdentityProblem; readonly why: string };

/** What the link needs beyond a session's ports. */
export interface LinkOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly transport: Transport;
  readIdentity(): Promise<IdentityResult>;
  /** True when a new certificate has been stored. Must not reject. */
  renewIfDue(identity: Identity, wasRefused: boolean): Promise<boolean>;
  /** Longest wait between two attempts, in ms. */
  reconnectMaxMs(): number;
  /** Evenly distributed in 0..1. */
  random(): number;
  /** A connection began: rates and telemetry start anew. `api` is where the hub's API is, nearest to this connection first. */
  onConnected(localAddress: string | undefined, api: readonly string[]): void;
  onDisconnected(): void;
  readonly session: SessionPorts;
}

const RECONNECT_BASE_MS = 500;
/** Devices of a fleet whose hub restarts come back spread over this time, in ms. */
const SPREAD_MS = 1000;
const RENEWAL_CHECK_MS = 6 * 3_600_000;
/** Refusals in a row after which the certificate is taken for over, whatever our clock says. */
const REFUSALS_BEFORE_RENEWAL = 3;

/**
 * Keeps one connection to the hub: reads the identity anew for each, goes through the list of addresses, waits longer after each
 * failure with jitter, and for ever. Nothing else of the agent waits for it.
 */
export class Link {
  readonly #options: LinkOptions;
  readonly #log: Logger;
  readonly #stopping = new AbortController();
  #identity: Identity | undefined;
  #session: Session | undefined;
  #connection: Connection | undefined;
  #wake: AbortController | undefined;
  #renewalTimer: Timer | undefined;
  #running: Promise<void> | undefined;
  #failures = 0;
  #refusals = 0;
  #server = 0;
  #lastProblem = '';

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** True while the hub has answered our hello on a live connection. */
  get isConnected(): boolean {
    return this.#session?.isWelcome ?? false;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Says goodbye and resolves when the connection is closed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#renewalTimer?.cancel();
    this.#wake?.abort();
    await this.#connection?.close();
    await this.#running;
  }

  outboxChanged(): void {
    this.#session?.outboxChanged();
  }

  factsChanged(): void {
    this.#session?.factsChanged();
  }

  /** Throws while there is no connection. */
  sendFrame(stream: string, frame: Uint8Array): void {
    if (this.#session === undefined) throw new Error('not connected');
    this.#session.sendFrame(stream, frame);
  }

  /** The identity's files changed: when they say something new, connect anew with it. */
  async identityChanged(): Promise<void> {
    const result = await this.#options.readIdentity();
    if (!result.ok) return; // Half written, or gone: the next connect tells.
    if (this.#identity !== undefined && sameIdentity(this.#identity, result.identity)) return;
    this.#log.info('identity changed, connecting anew');
    this.#wake?.abort();
    await this.#connection?.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#attempt();
      if (signal.aborted) return;
      await this.#pause();
    }
  }

  /** One identity, one address, one connection until it ends. Never rejects. */
  async #attempt(): Promise<void> {
    const read = await this.#options.readIdentity();
    if (!read.ok) {
      this.#failed(read.problem === 'NotJoined' ? 'not joined to a hub' : 'identity not readable', read.why);
      return;
    }
    const identity = (await this.#options.renewIfDue(read.identity, false))
      ? await this.#reread(read.identity)
      : read.identity;
    this.#identity = identity;
    const address = identity.mqtt[this.#server % Math.max(1, identity.mqtt.length)];
    if (address === undefined) return this.#failed('hub.json names no MQTT address', '');
    try {
      await this.#live(identity, address);
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      this.#server += 1;
      this.#failed(`hub not reached: ${error.reason}`, error.message);
      if (await this.#renewAfter(error, identity)) this.#failures = 0;
    }
    return undefined;
  }

  /** Connects and resolves when the connection has ended; rejects with ConnectError when there was none. */
  async #live(identity: Identity, address: string): Promise<void> {
    const { transport, session: ports } = this.#options;
    const node = identity.nodeName;
    let ended: (why: string) => void = () => undefined;
    const over = new Promise<string>((resolve) => {
      ended = resolve;
    });
    // Messages may come in the same instant as the connection: they wait for their session.
    const early: [string, Uint8Array][] = [];
    const events: ConnectionEvents = {
      onMessage: (topic, payload) => {
        if (this.#session === undefined) early.push([topic, payload]);
        else this.#session.receive(topic, payload);
      },
      onClose: (why) => ended(why),
    };
    const connection = await transport.connect(
      {
        address,
        identity,
        clientId: nodeCommonName(node),
        subscribe: topics.deviceFilters(node),
        keepAliveSeconds: keepAliveSeconds(ports.cadence().heartbeatMs),
      },
      events,
    );
    if (this.#stopping.signal.aborted) return connection.close();
    const session = new Session(node, connection, ports);
    this.#connection = connection;
    this.#session = session;
    this.#refusals = 0;
    this.#log.info('connected to the hub', { address });
    this.#lastProblem = '';
    this.#options.onConnected(connection.localAddress, nearestFirst(identity.api, address));
    this.#watchRenewal();
    session.start();
    for (const [topic, payload] of early) session.receive(topic, payload);
    const why = await over;
    // A connection the hub never answered on counts as a failure, so that a broken hub is not stormed.
    if (session.isWelcome) this.#failures = 0;
    else this.#failures += 1;
    session.end();
    this.#session = undefined;
    this.#connection = undefined;
    this.#renewalTimer?.cancel();
    this.#log.info('connection to the hub ended', { why });
    this.#options.onDisconnected();
  }

  async #reread(fallback: Identity): Promise<Identity> {
    const read = await this.#options.readIdentity();
    return read.ok ? read.identity : fallback;
  }

  async #renewAfter(error: ConnectError, identity: Identity): Promise<boolean> {
    if (error.reason === 'Refused') this.#refusals += 1;
    const isOver = error.reason === 'CertificateExpired' || this.#refusals >= REFUSALS_BEFORE_RENEWAL;
    return isOver && (await this.#options.renewIfDue(identity, true));
  }

  /** A connection may last for months: look at the certificate now and then. */
  #watchRenewal(): void {
    this.#renewalTimer?.cancel();
    this.#renewalTimer = this.#options.clock.after(RENEWAL_CHECK_MS, () => {
      void this.#renewLive();
      this.#watchRenewal();
    });
  }

  /** The live connection stays; the new certificate serves the next one. */
  async #renewLive(): Promise<void> {
    const before = this.#identity;
    if (before !== undefined && (await this.#options.renewIfDue(before, false))) {
      this.#identity = await this.#reread(before);
    }
  }

  async #pause(): Promise<void> {
    const { clock, random, reconnectMaxMs } = this.#options;
    const policy = { baseMs: RECONNECT_BASE_MS, maxMs: reconnectMaxMs() };
    const delayMs =
      this.#failures === 0 ? random() * SPREAD_MS : jittered(backoffMs(policy, this.#failures), 1, random());
    this.#wake = new AbortController();
    try {
      await sleep(clock, delayMs, this.#wake.signal);
    } catch (error) {
      if (!this.#wake.signal.aborted) throw error;
      // Woken early: the identity changed, or the agent stops.
    }
    this.#wake = undefined;
  }

  /** Says each new problem once; the same one over days stays at debug. */
  #failed(problem: string, why: string): void {
    this.#failures += 1;
    const fields = { why, failures: this.#failures };
    if (problem === this.#lastProblem) this.#log.debug(problem, fields);
    else this.#log.warn(problem, fields);
    this.#lastProblem = problem;
  }
}

/**
 * The broker drops a silent device after 1.5 times this. Beats come far more often, and a probing beat finds out whether the link
 * lives; a ping beside them would only cost its 256 bytes.
 */
function keepAliveSeconds(heartbeatMs: number): number {
  return Math.max(300, Math.ceil((4 * heartbeatMs) / 1000));
}
