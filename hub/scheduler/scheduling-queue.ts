import type { Clock, Timer } from '../../kit/clock.ts';
import type { PodToPlace } from '../decide/pod-to-place.ts';
import type { Blockers, Waiter } from '../decide/retry-hints.ts';
import { Heap } from './heap.ts';

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
  /** Where it waits; `taken` while it is being tried. */
  at: 'ready' | 'backoff' | 'parked' | 'taken';
  /** The class it is parked with, or tries for. */
  parkedWith: ParkedClass | undefined;
}

/** Pods that no rule can tell apart and that fit nowhere. One of them at a time tries whether that has changed. */
export interface ParkedClass extends Waiter {
  readonly key: string;
  pod: PodToPlace;
  blockers: Blockers;
  readonly members: Heap<Waiting>;
  /** The one that tries; the others follow it, one by one, as long as each finds a node. */
  scout: Waiting | undefined;
}

const BASE_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

const byArrival = (a: Waiting, b: Waiting): boolean => a.order < b.order;
const byRank = (a: Waiting, b: Waiting): boolean =>
  a.priority > b.priority || (a.priority === b.priority && a.order < b.order);
const byTime = (a: Waiting, b: Waiting): boolean => a.notBeforeMs < b.notBeforeMs;

/**
 * Pods waiting to be placed, the important first, then in order of arrival. What fits nowhere is parked by class until somebody who
 * knows what changed releases the class; then it is tried again, not sooner than its backoff. Sets a timer only while somebody
 * waits out a backoff, so an idle queue costs nothing. Pods that left a heap's place are skipped when they come up in it.
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #waiting = new Map<string, Waiting>();
  readonly #ready = new Heap<Waiting>(byRank);
  readonly #backoff = new Heap<Waiting>(byTime);
  readonly #parked = new Map<string, ParkedClass>();
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

  has(uid: string): boolean {
    return this.#waiting.has(uid);
  }

  /** Adds a pod; one that waits already keeps its place. */
  add(pod: { uid: string; namespace: string; name: string; priority: number }): void {
    if (this.#waiting.has(pod.uid)) return;
    const waiting: Waiting = {
      ...pod,
      order: this.#order++,
      attempts: 0,
      notBeforeMs: 0,
      at: 'taken',
      parkedWith: undefined,
    };
    this.#waiting.set(pod.uid, waiting);
    this.#makeReady(waiting);
  }

  /** The pod needs no node any more. */
  remove(uid: string): void {
    const waiting = this.#waiting.get(uid);
    if (waiting === undefined) return;
    this.#waiting.delete(uid);
    waiting.at = 'taken';
    this.#leaveClass(waiting);
  }

  /** The pod itself changed, or was promised room: it is tried again after its backoff, whatever its class does. */
  retry(uid: string): void {
    const waiting = this.#waiting.get(uid);
    if (waiting === undefined || waiting.at !== 'parked') return;
    waiting.parkedWith = undefined;
    this.#await(waiting);
  }

  /** The next pod to try now; it stays known to the queue. */
  take(): Waiting | undefined {
    for (;;) {
      const waiting = this.#ready.pop();
      if (waiting === undefined) return undefined;
      if (waiting.at !== 'ready') continue;
      waiting.at = 'taken';
      return waiting;
    }
  }

  /** The try ended with a node: the pod is out, and the next of its class follows it. */
  placed(waiting: Waiting): void {
    this.remove(waiting.uid);
  }

  /** The try failed for no reason that a change of the cluster would heal: again after the backoff. */
  failed(waiting: Waiting): void {
    const again: Waiting = { ...waiting, at: 'taken', parkedWith: undefined };
    this.#waiting.set(again.uid, again);
    this.#delay(again);
    this.#await(again);
  }

  /** The pod fits nowhere: it waits with its class until that is released. */
  park(waiting: Waiting, key: string, pod: PodToPlace, blockers: Blockers): void {
    this.#delay(waiting);
    let own = this.#parked.get(key);
    if (own === undefined) {
      own = { key, pod, blockers, members: new Heap(byArrival), scout: undefined };
      this.#parked.set(key, own);
    }
    own.pod = pod;
    own.blockers = blockers;
    const scoutedFor = waiting.parkedWith;
    if (own.scout === waiting) own.scout = undefined;
    // Its class changed under it: those it tried for have not had their answer.
    else if (scoutedFor?.scout === waiting) this.#leaveClass(waiting);
    waiting.parkedWith = own;
    waiting.at = 'parked';
    own.members.push(waiting);
  }

  /** The classes of parked pods that nobody tries for at the moment. */
  *parked(): Iterable<ParkedClass> {
    for (const own of this.#parked.values()) {
      if (this.#first(own) === undefined) {
        if (own.scout === undefined) this.#parked.delete(own.key);
      } else if (own.scout === undefined) yield own;
    }
  }

  /** Something changed that may help this class: its first pod tries after its backoff. */
  release(own: ParkedClass): void {
    if (own.scout !== undefined) return;
    const next = this.#first(own);
    if (next === undefined) return;
    own.members.pop();
    own.scout = next;
    this.#await(next);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#waiting.clear();
    this.#parked.clear();
  }

  #first(own: ParkedClass): Waiting | undefined {
    for (;;) {
      const next = own.members.peek();
      if (next === undefined || (next.at === 'parked' && next.parkedWith === own)) return next;
      own.members.pop();
    }
  }

  #leaveClass(waiting: Waiting): void {
    const own = waiting.parkedWith;
    waiting.parkedWith = undefined;
    if (own === undefined || own.scout !== waiting) return;
    own.scout = undefined;
    this.release(own);
  }

  #delay(waiting: Waiting): void {
    waiting.attempts++;
    const delayMs = Math.min(MAX_BACKOFF_MS, BASE_BACKOFF_MS * 2 ** Math.min(waiting.attempts - 1, 10));
    waiting.notBeforeMs = this.#clock.monotonicMs() + delayMs;
  }

  #await(waiting: Waiting): void {
    if (waiting.notBeforeMs <= this.#clock.monotonicMs()) {
      this.#makeReady(waiting);
      return;
    }
    waiting.at = 'backoff';
    this.#backoff.push(waiting);
    if (this.#backoff.peek() === waiting || this.#timer === undefined) this.#arm();
  }

  #makeReady(waiting: Waiting): void {
    waiting.at = 'ready';
    this.#ready.push(waiting);
    this.#wake();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (;;) {
      const first = this.#backoff.peek();
      if (first === undefined) return;
      if (first.at !== 'backoff') this.#backoff.pop();
      else if (first.notBeforeMs > nowMs) {
        this.#timer = this.#clock.after(Math.max(1, first.notBeforeMs - nowMs), () => this.#arm());
        return;
      } else {
        this.#backoff.pop();
        this.#makeReady(first);
      }
    }
  }
}
