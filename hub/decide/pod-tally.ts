import type { Pod } from '../../protocol/kinds/pod.ts';
import { isActive, isReady, isTerminal, readySinceMs } from './pod-facts.ts';
import { isMoving } from './replicas.ts';

type Labels = Readonly<Record<string, string>> | undefined;

/**
 * What the pods of one owner come to, counted as they come and go: an owner of ten thousand is rolled up without looking at ten
 * thousand pods. Says the same whatever the order; a pod is taken out in the very state in which it was put in. Pure.
 */
export class PodTally {
  #total = 0;
  #active = 0;
  #running = 0;
  #moving = 0;
  /** Active and ready, by uid: since when. */
  readonly #readySinceMs = new Map<string, number>();
  /** Active, by their labels: few groups, because the pods of one owner are alike. */
  readonly #groups = new Map<string, { readonly labels: Labels; count: number }>();

  /** All of them. */
  get total(): number {
    return this.#total;
  }

  /** Neither ended nor being deleted. */
  get active(): number {
    return this.#active;
  }

  /** Not ended: those being deleted included. */
  get running(): number {
    return this.#running;
  }

  /** Active, and marked to leave its node. */
  get moving(): number {
    return this.#moving;
  }

  /** Active and ready. */
  get ready(): number {
    return this.#readySinceMs.size;
  }

  add(pod: Pod): void {
    this.#count(pod, 1);
    if (isActive(pod) && isReady(pod)) this.#readySinceMs.set(pod.metadata.uid, readySinceMs(pod) ?? 0);
  }

  remove(pod: Pod): void {
    this.#count(pod, -1);
    this.#readySinceMs.delete(pod.metadata.uid);
  }

  /** Active and ready for `minReadySeconds`. */
  available(minReadySeconds: number, nowMs: number): number {
    if (minReadySeconds <= 0) return this.ready;
    let count = 0;
    for (const sinceMs of this.#readySinceMs.values()) if (sinceMs + minReadySeconds * 1000 <= nowMs) count++;
    return count;
  }

  /** In how many ms the next of them becomes available by time alone; undefined when none will. */
  nextAvailableMs(minReadySeconds: number, nowMs: number): number | undefined {
    if (minReadySeconds <= 0) return undefined;
    let next: number | undefined;
    for (const sinceMs of this.#readySinceMs.values()) {
      const waitMs = sinceMs + minReadySeconds * 1000 - nowMs;
      if (waitMs > 0 && (next === undefined || waitMs < next)) next = waitMs;
    }
    return next;
  }

  /** Active pods whose labels are so. */
  labelled(matches: (labels: Labels) => boolean): number {
    let count = 0;
    for (const group of this.#groups.values()) if (matches(group.labels)) count += group.count;
    return count;
  }

  #count(pod: Pod, by: 1 | -1): void {
    this.#total += by;
    if (!isTerminal(pod)) this.#running += by;
    if (!isActive(pod)) return;
    this.#active += by;
    if (isMoving(pod)) this.#moving += by;
    const { labels } = pod.metadata;
    const key = JSON.stringify(labels ?? {});
    const group = this.#groups.get(key) ?? { labels, count: 0 };
    group.count += by;
    if (group.count === 0) this.#groups.delete(key);
    else this.#groups.set(key, group);
  }
}

/** The tally of these pods. */
export function tallyOf(pods: Iterable<Pod>): PodTally {
  const tally = new PodTally();
  for (const pod of pods) tally.add(pod);
  return tally;
}
