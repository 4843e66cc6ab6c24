import type { Clock, Timer } from '../../kit/clock.ts';

/** A pod that waits for a node. */
export interface Waiting {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly priority: number;
  /** Order of arrival. */
  readonly order: number;
  attempts: number;
  /** Monotonic ms before which it is not tried again. */
  notBeforeMs: number;
  /** True when nothing that could help has changed since the last try. */
  parked: boolean;
}

const BASE_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

/**
 * Pods waiting to be placed. A pod that fits nowhere is parked until something changes that could help; then it is tried again, not
 * sooner than its backoff. Sets a timer only while an unparked pod waits out its backoff, so an idle queue costs nothing.
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #waiting = new Map<string, Waiting>();
  #timer: Timer | undefined;
  #order = 0;

  /** `wake` is called when a waiting pod becomes ready to be tried. */
  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Adds a pod; one that waits already keeps its place. */
  add(pod: { uid: string; namespace: string; name: string; priority: number }): void {
    const present = this.#waiting.get(pod.uid);
    if (present !== undefined) return;
    this.#waiting.set(pod.uid, {
      ...pod,
      order: this.#order++,
      attempts: 0,
      notBeforeMs: 0,
      parked: false,
    });
    this.#wake();
  }

  /** Gives back what was taken and not tried. */
  putBack(waiting: Waiting): void {
    this.#waiting.set(waiting.uid, waiting);
  }

  remove(uid: string): void {
    this.#waiting.delete(uid);
  }

  /** The pod itself changed: it is tried again after its backoff. */
  unpark(uid: string): void {
    const waiting = this.#waiting.get(uid);
    if (waiting === undefined || !waiting.parked) return;
    waiting.parked = false;
    this.#wake();
  }

  /** Something changed that could help: every parked pod is tried again after its backoff. */
  unparkAll(): void {
    let any = false;
    for (const waiting of this.#waiting.values()) {
      any ||= waiting.parked;
      waiting.parked = false;
    }
    if (any) this.#wake();
  }

  /** The try failed: `parked` waits for a change, otherwise for the backoff alone. */
  failed(waiting: Waiting, parked: boolean): void {
    waiting.attempts++;
    const delayMs = Math.min(MAX_BACKOFF_MS, BASE_BACKOFF_MS * 2 ** Math.min(waiting.attempts - 1, 10));
    waiting.notBeforeMs = this.#clock.monotonicMs() + delayMs;
    waiting.parked = parked;
    this.#waiting.set(waiting.uid, waiting);
    if (!parked) this.#arm();
  }

  /** Takes all pods that may be tried now: highest priority first, then in order of arrival. */
  takeReady(): Waiting[] {
    const nowMs = this.#clock.monotonicMs();
    const ready = [...this.#waiting.values()].filter((w) => !w.parked && w.notBeforeMs <= nowMs);
    for (const waiting of ready) this.#waiting.delete(waiting.uid);
    this.#arm();
    return ready.sort((a, b) => b.priority - a.priority || a.order - b.order);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#waiting.clear();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const due = [...this.#waiting.values()].filter((w) => !w.parked).map((w) => w.notBeforeMs);
    if (due.length === 0) return;
    const delayMs = Math.max(1, Math.min(...due) - this.#clock.monotonicMs());
    this.#timer = this.#clock.after(delayMs, this.#wake);
  }
}
