import type { Identity } from './identity.ts';

/** A live connection to a broker, subscribed to the device's own topics. */
export interface Connection {
  /** Address of this device on the way to the hub, when the transport knows it. */
  readonly localAddress: string | undefined;
  /**
   * QoS 0 resolves when the message has left the process, QoS 1 when the broker has it. Rejects once the connection is
   * lost; nothing is ever kept for a later connection.
   */
  publish(topic: string, payload: Uint8Array, qos: 0 | 1): Promise<void>;
  /** Says goodbye and closes; `onClose` follows. Idempotent. */
  close(): Promise<void>;
  /** Drops the connection at once, for a peer that no longer answers; `onClose` follows. */
  destroy(why: string): void;
}

/** What a connection tells. `onClose` comes exactly once after a successful connect, and nothing after it. */
export interface ConnectionEvents {
  onMessage(topic: string, payload: Uint8Array): void;
  onClose(why: string): void;
}

/** What to connect with. `address` is `host:port` with or without a scheme. */
export interface ConnectRequest {
  readonly address: string;
  readonly identity: Identity;
  readonly clientId: string;
  readonly subscribe: readonly string[];
  /** Silence of ours after which the broker may drop the connection, in seconds. */
  readonly keepAliveSeconds: number;
}

/** Why a connection could not be made. The link branches on it. */
export type ConnectReason =
  /** Nobody answers there: try the next address, later again. */
  | 'Unreachable'
  /** The peer is not the hub of our cluster: its certificate is foreign, for another name, or over. */
  | 'NotOurHub'
  /** The hub says that our certificate is over: renew it. */
  | 'CertificateExpired'
  /** The hub refuses our certificate or our session. */
  | 'Refused';

/** A connection that could not be made. */
export class ConnectError extends Error {
  readonly reason: ConnectReason;
  constructor(reason: ConnectReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConnectError';
    this.reason = reason;
  }
}

/** Makes connections. `connect` resolves subscribed, or rejects with ConnectError; the host name is resolved anew each time. */
export interface Transport {
  connect(request: ConnectRequest, events: ConnectionEvents): Promise<Connection>;
}
