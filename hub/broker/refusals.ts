import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { GuardProblem } from './guarded-connection.ts';

/** Why the broker or the hub's link refused something of a device. */
export type RefusalReason =
  | GuardProblem
  | 'Handshake'
  | 'NoCertificate'
  | 'ForeignCertificate'
  | 'ExpiredCertificate'
  | 'NotADevice'
  | 'TooManyConnections'
  | 'ConnectTimeout'
  | 'ClientIdMismatch'
  | 'PersistentSession'
  | 'LastWill'
  | 'TopicNotAllowed'
  | 'FilterNotAllowed'
  | 'Retained'
  | 'QosTooHigh'
  | 'DuplicateIdentity'
  | 'Undecodable'
  | 'UnknownTopic'
  | 'LinkBusy';

/** How often something was refused; `node` is empty for peers that proved no name. */
export interface RefusalCount {
  readonly node: string;
  readonly reason: RefusalReason;
  readonly count: number;
}

const QUIET_MS = 60_000;
/** Above so many pairs, new names are counted together under the empty one. */
const MAX_PAIRS = 50_000;

/**
 * Counts refusals by node and reason, and logs each pair at most once a minute. Bounded, so that strangers cannot make it grow.
 */
export class Refusals {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #held = new Map<
    string,
    { node: string; reason: RefusalReason; count: number; loggedMs: number; silent: number }
  >();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  add(named: string, reason: RefusalReason, fields: Readonly<Record<string, unknown>> = {}): void {
    const isKnown = this.#held.size < MAX_PAIRS || this.#held.has(`${named}/${reason}`);
    const node = isKnown ? named : '';
    const key = `${node}/${reason}`;
    const held = this.#held.get(key) ?? { node, reason, count: 0, loggedMs: -QUIET_MS, silent: 0 };
    this.#held.set(key, held);
    held.count += 1;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - held.loggedMs < QUIET_MS) {
      held.silent += 1;
      return;
    }
    this.#log.warn('refused', { node, reason, ...fields, unlogged: held.silent });
    held.loggedMs = nowMs;
    held.silent = 0;
  }

  /** Every pair seen so far, for `coxswain_refused_messages_total`. */
  counts(): readonly RefusalCount[] {
    return [...this.#held.values()].map(({ node, reason, count }) => ({ node, reason, count }));
  }

  /** The count of one reason over all nodes, or of one node. */
  total(reason: RefusalReason, node?: string): number {
    return this.counts()
      .filter((c) => c.reason === reason && (node === undefined || c.node === node))
      .reduce((sum, c) => sum + c.count, 0);
  }
}
