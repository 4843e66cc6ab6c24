import type { EventReport, PodReport, Report } from '../../protocol/wire/messages.ts';

/** Limits of an outbox; both bound memory, whatever happens on the device and however long it is cut off. */
export interface OutboxLimits {
  /** Events kept until acknowledged; the oldest give way and are counted. */
  readonly maxEvents: number;
  /** Reports sent and not yet acknowledged; more wait and merge meanwhile. */
  readonly maxInFlight: number;
  /** Pods in one status report; an inventory always lists all. */
  readonly maxPodsPerReport: number;
  /** Events in one report. */
  readonly maxEventsPerReport: number;
}

/** Limits of every device: some hundred kilobytes at worst. */
export const OUTBOX_LIMITS: OutboxLimits = {
  maxEvents: 256,
  maxInFlight: 8,
  maxPodsPerReport: 32,
  maxEventsPerReport: 64,
};

type Sent =
  | { readonly seq: number; readonly kind: 'status'; readonly pods: readonly PodReport[] }
  | {
      readonly seq: number;
      readonly kind: 'events';
      readonly events: readonly EventReport[];
      readonly dropped: number;
    };

/**
 * What the device has to tell: the newest status per pod and a bounded ring of events, kept until the hub has made them
 * durable. Invariants: at most one status per pod, never an older one after a newer; every event is delivered or counted in
 * `dropped`; numbers rise by one with every report. No clock, no I/O: the link drives it.
 */
export class Outbox {
  readonly #boot: string;
  readonly #limits: OutboxLimits;
  /** Newest report of every pod the device holds; what an inventory lists. */
  readonly #pods = new Map<string, PodReport>();
  /** Pods whose newest report is not on its way. */
  readonly #dirty = new Set<string>();
  #events: EventReport[] = [];
  #sent: Sent[] = [];
  #dropped = 0;
  #seq = 0;
  #inventoryDue = false;
  /** Pods the device holds; undefined while nobody has told it. */
  #held: ReadonlySet<string> | undefined;

  constructor(boot: string, limits: OutboxLimits = OUTBOX_LIMITS) {
    this.#boot = boot;
    this.#limits = limits;
  }

  /** Head of a report outside the outbox (hello, facts, sync, refused): the next number of this boot. */
  nextHead(): { boot: string; seq: number } {
    this.#seq += 1;
    return { boot: this.#boot, seq: this.#seq };
  }

  /** True when `take` would give a report. */
  get ready(): boolean {
    if (this.#sent.length >= this.#limits.maxInFlight) return false;
    return this.#canTakeInventory || this.#dirty.size > 0 || this.#events.length > 0 || this.#dropped > 0;
  }

  /** Reports on their way, events waiting or on their way, pods known: for metrics and tests. */
  get depth(): { inFlight: number; events: number; pods: number } {
    return { inFlight: this.#sent.length, events: this.#eventCount(), pods: this.#pods.size };
  }

  /** Takes the newest state of a pod; an older one still waiting is forgotten. */
  putStatus(report: PodReport): void {
    this.#pods.set(report.uid, report);
    this.#dirty.add(report.uid);
  }

  /**
   * The pods of the desired state, once it is known: others are forgotten and nothing more is told of them. An inventory waits until each
   * of these has been looked at, because a pod that it lacks counts as not there.
   */
  hold(uids: Iterable<string>): void {
    const held = new Set(uids);
    this.#held = held;
    for (const uid of this.#pods.keys()) {
      if (held.has(uid)) continue;
      this.#pods.delete(uid);
      this.#dirty.delete(uid);
    }
  }

  /** Takes an event; a waiting one of the same id is replaced. When full, the oldest gives way and is counted. */
  putEvent(event: EventReport): void {
    const same = this.#events.findIndex((e) => e.id === event.id);
    if (same >= 0) this.#events.splice(same, 1);
    this.#events.push(event);
    this.#trim();
  }

  /** A new connection: what was on its way goes again, after an inventory of every pod. */
  restart(): void {
    this.resend();
    this.#inventoryDue = true;
  }

  /** Nothing was acknowledged for long: what was on its way goes again, with new numbers. */
  resend(): void {
    const sent = this.#sent;
    this.#sent = [];
    const events: EventReport[] = [];
    for (const report of sent) {
      if (report.kind === 'status') {
        for (const pod of report.pods) if (this.#pods.has(pod.uid)) this.#dirty.add(pod.uid);
      } else {
        events.push(...report.events);
        this.#dropped += report.dropped;
      }
    }
    const newer = new Set(this.#events.map((e) => e.id));
    this.#events = [...events.filter((e) => !newer.has(e.id)), ...this.#events];
    this.#trim();
  }

  /** Gives the next report to send and counts it as on its way; undefined when nothing waits or too much is out. */
  take(): Report | undefined {
    if (!this.ready) return undefined;
    if (this.#canTakeInventory) {
      this.#inventoryDue = false;
      return this.#takeStatus([...this.#pods.keys()], true);
    }
    if (this.#dirty.size > 0) {
      return this.#takeStatus([...this.#dirty].slice(0, this.#limits.maxPodsPerReport), false);
    }
    const events = this.#events.splice(0, this.#limits.maxEventsPerReport);
    const dropped = this.#dropped;
    this.#dropped = 0;
    const head = this.nextHead();
    this.#sent.push({ seq: head.seq, kind: 'events', events, dropped });
    return { t: 'events', ...head, events, ...(dropped > 0 ? { dropped } : {}) };
  }

  /** The hub has everything up to `seq` of `boot`; a foreign boot's word is ignored. */
  ack(boot: string, seq: number): void {
    if (boot === this.#boot) this.#sent = this.#sent.filter((report) => report.seq > seq);
  }

  get #canTakeInventory(): boolean {
    if (!this.#inventoryDue || this.#held === undefined) return false;
    return [...this.#held].every((uid) => this.#pods.has(uid));
  }

  #takeStatus(uids: readonly string[], full: boolean): Report {
    const pods = uids.flatMap((uid) => this.#pods.get(uid) ?? []);
    for (const uid of uids) this.#dirty.delete(uid);
    const head = this.nextHead();
    this.#sent.push({ seq: head.seq, kind: 'status', pods });
    return { t: 'status', ...head, ...(full ? { full } : {}), pods };
  }

  #eventCount(): number {
    return this.#sent.reduce((n, r) => n + (r.kind === 'events' ? r.events.length : 0), this.#events.length);
  }

  #trim(): void {
    const surplus = Math.min(this.#eventCount() - this.#limits.maxEvents, this.#events.length - 1);
    if (surplus <= 0) return;
    this.#events.splice(0, surplus);
    this.#dropped += surplus;
  }
}
