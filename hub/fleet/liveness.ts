import type { Clock, Timer } from '../../kit/clock.ts';

/** How patient the hub is. */
export interface LivenessOptions {
  readonly clock: Clock;
  /** Silence allowed after a start or a long stall of the hub itself, in ms: devices have to find it again first. */
  readonly graceMs?: number;
}

interface Lease {
  leaseMs: number;
  heardAtMs: number;
  deadlineMs: number;
  /** The deadline has passed once; a last look comes after what waits in the sockets was read. */
  suspect: boolean;
  heard: boolean;
}

const DEFAULT_GRACE_MS = 30_000;
/** A timer later than this means that the hub itself stood still, and silence proves nothing. */
const STALL_MS = 1_000;
const LAST_LOOK_MS = 50;

/**
 * Who is heard, by the hub's monotonic clock alone. One timer for the earliest deadline, nothing per heartbeat. Invariants: nobody is
 * lost because the hub slept; a node that fell silent together with all others proves that the hub was cut off, not the node.
 */
export class Liveness {
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #leases = new Map<string, Lease>();
  readonly #listeners = new Set<(node: string) => void>();
  #timer: { timer: Timer; dueMs: number } | undefined;
  #isolated = false;
  #evictNotBeforeMs: number;
  #evictTimer: Timer | undefined;

  constructor(options: LivenessOptions) {
    this.#clock = options.clock;
    this.#graceMs = options.graceMs ?? DEFAULT_GRACE_MS;
    this.#evictNotBeforeMs = this.#clock.monotonicMs();
  }

  /** A node that the store knows at the start: `heard` as it was then, with time to find the hub. */
  expect(node: string, leaseMs: number, heard: boolean): void {
    const nowMs = this.#clock.monotonicMs();
    const deadlineMs = nowMs + Math.max(leaseMs, this.#graceMs);
    this.#leases.set(node, { leaseMs, heardAtMs: nowMs, deadlineMs, suspect: false, heard });
    if (!heard) this.#holdEvictions(this.#graceMs);
    this.#arm();
  }

  /** A message of the node arrived. Returns false when it had been lost until now. */
  heard(node: string, leaseMs?: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#leases.get(node);
    const lease = known ?? {
      leaseMs: leaseMs ?? DEFAULT_GRACE_MS,
      heardAtMs: nowMs,
      deadlineMs: 0,
      suspect: false,
      heard: true,
    };
    lease.leaseMs = leaseMs ?? lease.leaseMs;
    lease.heardAtMs = nowMs;
    lease.deadlineMs = nowMs + lease.leaseMs;
    lease.suspect = false;
    const wasHeard = lease.heard;
    lease.heard = true;
    this.#leases.set(node, lease);
    if (this.#isolated) {
      this.#isolated = false;
      this.#holdEvictions(this.#graceMs);
    }
    if (known === undefined) this.#arm();
    if (!wasHeard) {
      this.#arm();
      this.#tell(node);
    }
    return wasHeard;
  }

  forget(node: string): void {
    this.#leases.delete(node);
  }

  isHeard(node: string): boolean {
    return this.#leases.get(node)?.heard ?? false;
  }

  /** False while the hub itself may be what is cut off: nobody was heard well after the node, or only just again. */
  mayEvict(node: string): boolean {
    if (this.isHeard(node)) return true;
    return !this.#isolated && this.#clock.monotonicMs() >= this.#evictNotBeforeMs;
  }

  subscribe(listener: (node: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    this.#timer?.timer.cancel();
    this.#evictTimer?.cancel();
    this.#listeners.clear();
  }

  #holdEvictions(forMs: number): void {
    this.#evictNotBeforeMs = this.#clock.monotonicMs() + forMs;
    this.#evictTimer?.cancel();
    this.#evictTimer = this.#clock.after(forMs + 1, () => {
      for (const [node, lease] of this.#leases) if (!lease.heard) this.#tell(node);
    });
  }

  /** Sets the timer for the earliest deadline unless an earlier one is set: heartbeats only push deadlines back. */
  #arm(): void {
    const deadlines = [...this.#leases.values()].filter((l) => l.heard).map((l) => l.deadlineMs);
    if (deadlines.length === 0) return;
    const dueMs = Math.min(...deadlines);
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.timer.cancel();
    const delayMs = Math.max(0, dueMs - this.#clock.monotonicMs());
    this.#timer = { dueMs, timer: this.#clock.after(delayMs, () => this.#look(dueMs)) };
  }

  #look(dueMs: number): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    const lateMs = nowMs - dueMs;
    const lost: string[] = [];
    for (const [node, lease] of this.#leases) {
      if (!lease.heard) continue;
      if (lateMs > STALL_MS) {
        lease.deadlineMs =
          nowMs + (lateMs > lease.leaseMs ? Math.max(lease.leaseMs, this.#graceMs) : lease.leaseMs);
        lease.suspect = false;
      } else if (lease.deadlineMs <= nowMs && !lease.suspect) {
        lease.suspect = true;
        lease.deadlineMs = nowMs + LAST_LOOK_MS;
      } else if (lease.deadlineMs <= nowMs) {
        lease.heard = false;
        lost.push(node);
      }
    }
    this.#isolated ||= lost.some((node) => this.#isLastWord(node));
    for (const node of lost) this.#tell(node);
    this.#arm();
  }

  /** True when no other node was heard well after this one: a cut of the hub silences all within one heartbeat. */
  #isLastWord(node: string): boolean {
    const lease = this.#leases.get(node);
    if (lease === undefined) return false;
    const laterMs = lease.heardAtMs + lease.leaseMs / 2;
    return [...this.#leases.values()].every((other) => other.heardAtMs <= laterMs);
  }

  #tell(node: string): void {
    for (const listener of this.#listeners) listener(node);
  }
}
