import type { HelloReport } from '../../protocol/wire/messages.ts';
import type { HeldIndex } from '../decide/desired-delta.ts';

/** What the hub knows of one device since its last hello. */
export interface Session {
  readonly node: string;
  readonly boot: string;
  /** Highest sequence number taken. */
  seq: number;
  heartbeatMs: number;
  leaseMs: number;
  /** The desired state the device is believed to hold. */
  held: HeldIndex;
  /** The next step sends the whole index. */
  needsFull: boolean;
  /** The device will not follow; nothing is sent until a person decides. */
  refused: boolean;
}

/** Sessions by node; at most one each: a newer hello replaces the older session. Lost with the process, built again by hellos. */
export class Sessions {
  readonly #sessions = new Map<string, Session>();

  get(node: string): Session | undefined {
    return this.#sessions.get(node);
  }

  /** Starts the session of a hello; undefined when the hello is one that was taken already. */
  begin(node: string, hello: HelloReport, refused: boolean): Session | undefined {
    const before = this.#sessions.get(node);
    if (before?.boot === hello.boot && hello.seq <= before.seq) return undefined;
    const session: Session = {
      node,
      boot: hello.boot,
      seq: hello.seq,
      heartbeatMs: hello.facts.heartbeatMs,
      leaseMs: hello.facts.leaseMs,
      held: { gen: hello.gen, index: new Map(Object.entries(hello.have)) },
      needsFull: true,
      refused,
    };
    this.#sessions.set(node, session);
    return session;
  }

  /** Nodes with a session. */
  names(): IterableIterator<string> {
    return this.#sessions.keys();
  }
}
