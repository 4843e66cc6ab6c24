import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ImageVariants } from '../decide/image-variants.ts';
import type { NodeRefusal, NotPlaced, Placed } from '../decide/place.ts';
import { refusalSummary, refusalText, withPreemption } from '../decide/placement-text.ts';
import { type PodToPlace, podClassOf, podToPlace } from '../decide/pod-to-place.ts';
import { type Blockers, blockersOf } from '../decide/retry-hints.ts';
import { isGated, isOurs } from '../decide/schedulable-pod.ts';
import { isApiError, keyOf, type LoopDeps } from '../loop.ts';
import type { ClusterState, Resident } from './cluster-state.ts';
import type { Nominations } from './nominations.ts';
import type { Placer } from './placer.ts';
import type { Preemptor } from './preemptor.ts';
import type { SchedulerWrites } from './scheduler-writes.ts';
import type { SchedulingQueue, Waiting } from './scheduling-queue.ts';
import type { VolumeBinder } from './volume-binder.ts';

/** What decisions are taken with. */
export interface DeciderParts {
  readonly state: ClusterState;
  readonly placer: Placer;
  readonly preemptor: Preemptor;
  readonly nominations: Nominations;
  readonly queue: SchedulingQueue;
  readonly writes: SchedulerWrites;
  readonly volumes: VolumeBinder;
  readonly variants: (image: string) => ImageVariants | undefined;
  /** A pod that was placed is not bound after all, and its room is free again. */
  readonly onReturned: (resident: Resident) => void;
  /** Room on a node that was promised to a pod is not wanted any more. */
  readonly onReleased: (node: string) => void;
}

/** Why a class of pods fits nowhere. Holds while neither a node nor a promise changes. */
interface Verdict {
  readonly version: string;
  readonly blockers: Blockers;
  readonly summary: string;
  readonly text: string;
}

const MAX_VERDICTS = 256;

/**
 * Takes one decision at a time and sets its writes going. Invariants: a placement is assumed before the next decision; a pod whose
 * bind is under way is in `#binding` and not tried meanwhile; pods that cannot be told apart get one verdict, not one each.
 */
export class Decider {
  readonly #deps: LoopDeps;
  readonly #p: DeciderParts;
  readonly #binding = new Set<string>();
  readonly #verdicts = new Map<string, Verdict>();
  #stopped = false;

  constructor(deps: LoopDeps, parts: DeciderParts) {
    this.#deps = deps;
    this.#p = parts;
  }

  /** True while the pod's bind is under way. */
  isBinding(uid: string): boolean {
    return this.#binding.has(uid);
  }

  /** Puts nothing back into the queue any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Places a pod taken from the queue, or parks it. */
  decide(waiting: Waiting): void {
    const pod = this.#deps.view.byUid('Pod', waiting.uid);
    if (pod === undefined || !isOurs(pod) || isGated(pod)) {
      this.#p.queue.remove(waiting.uid);
      return;
    }
    const volumes = this.#p.volumes.allowed(pod);
    const { variants } = this.#p;
    const wanted = podToPlace(pod, { variants, ...(volumes.ok && { volumeNodes: volumes.required }) });
    if (!volumes.ok) this.#parkForVolumes(pod, waiting, wanted, volumes.why);
    else if (!this.#parkAsKnown(pod, waiting, wanted)) this.#place(pod, waiting, wanted);
  }

  #place(pod: Pod, waiting: Waiting, wanted: PodToPlace): void {
    const { nominations, placer } = this.#p;
    const promised = nominations.before(wanted);
    const nominated = nominations.of(wanted.uid);
    const placement =
      (nominated === undefined ? undefined : placer.placeOn(wanted, nominated, promised)) ??
      placer.place(wanted, promised);
    if (placement.ok) this.#take(pod, waiting, wanted, placement);
    else this.#park(pod, waiting, wanted, placement);
  }

  #take(pod: Pod, waiting: Waiting, wanted: PodToPlace, placement: Placed): void {
    const promised = this.#p.nominations.forget(wanted.uid);
    this.#p.state.assume(wanted, placement.node);
    this.#p.queue.placed(waiting);
    if (promised !== undefined && promised !== placement.node) this.#p.onReleased(promised);
    this.#p.writes.run(this.#bind(pod, waiting, placement));
  }

  #park(pod: Pod, waiting: Waiting, wanted: PodToPlace, { reasons }: NotPlaced): void {
    const { nominations, preemptor, writes } = this.#p;
    const preemption = preemptor.plan(pod, wanted, reasons, nominations.before(wanted));
    if (preemption.ok) {
      this.#makeRoom(pod, wanted, preemption.node, preemption.victims);
      // Whatever kept it away, the room that is made now is what it waits for.
      this.#settle(pod, waiting, wanted, this.#verdict(reasons, undefined, 'resources'));
      return;
    }
    if (preemption.isFinal) {
      const promised = nominations.forget(wanted.uid);
      if (promised !== undefined) this.#p.onReleased(promised);
      writes.run(writes.nominate(pod, undefined));
    }
    const verdict = this.#verdict(reasons, preemption.why);
    if (nominations.of(wanted.uid) === undefined) this.#remember(podClassOf(wanted), verdict);
    this.#settle(pod, waiting, wanted, verdict);
  }

  #verdict(reasons: readonly NodeRefusal[], why: string | undefined, more?: 'resources'): Verdict {
    const blockers = blockersOf(reasons);
    const told = reasons.length === 0 ? undefined : why;
    return {
      version: this.#version(),
      blockers: more === undefined ? blockers : new Set([...blockers, more]),
      summary: withPreemption(refusalSummary(reasons), told),
      text: refusalText(reasons, told),
    };
  }

  #version(): string {
    return `${this.#p.state.nodes.version}/${this.#p.nominations.version}`;
  }

  #remember(key: string, verdict: Verdict): void {
    if (this.#verdicts.size >= MAX_VERDICTS) this.#verdicts.clear();
    this.#verdicts.set(key, verdict);
  }

  /** Parks a pod of a class that was refused a moment ago, when nothing has changed since. */
  #parkAsKnown(pod: Pod, waiting: Waiting, wanted: PodToPlace): boolean {
    if (this.#verdicts.size === 0 || this.#p.nominations.of(wanted.uid) !== undefined) return false;
    const key = podClassOf(wanted);
    const known = this.#verdicts.get(key);
    if (known === undefined) return false;
    if (known.version !== this.#version()) {
      this.#verdicts.delete(key);
      return false;
    }
    this.#settle(pod, waiting, wanted, known);
    return true;
  }

  #settle(pod: Pod, waiting: Waiting, wanted: PodToPlace, { blockers, summary, text }: Verdict): void {
    // One that room is made for waits for that room, not with the others of its class.
    const isPromised = this.#p.nominations.of(wanted.uid) !== undefined;
    const key = isPromised ? `promised ${wanted.uid}` : podClassOf(wanted);
    this.#p.queue.park(waiting, key, wanted, blockers);
    this.#p.writes.run(this.#p.writes.tellUnschedulable(pod, summary, text));
  }

  /** What its own claims say of a pod holds for no other: it waits in a class of its own. */
  #parkForVolumes(pod: Pod, waiting: Waiting, wanted: PodToPlace, why: string): void {
    const text = `0/${this.#p.state.nodes.count} nodes are available: ${why}.`;
    this.#p.queue.park(waiting, `volumes of ${wanted.uid}`, wanted, new Set(['volume'] as const));
    this.#p.writes.run(this.#p.writes.tellUnschedulable(pod, text, text));
  }

  #makeRoom(pod: Pod, wanted: PodToPlace, node: string, victims: readonly Pod[]): void {
    const { nominations, queue, writes } = this.#p;
    // Less important pods that room was made for here have to look for another.
    for (const { pod: other } of nominations.lowerOn(node, wanted.priority)) {
      nominations.forget(other.uid);
      queue.retry(other.uid);
      const object = this.#deps.view.byUid('Pod', other.uid);
      if (object !== undefined) writes.run(writes.nominate(object, undefined));
    }
    nominations.add(wanted, node);
    writes.run(writes.nominate(pod, node));
    for (const victim of victims) writes.run(writes.preempt(victim, pod, node));
  }

  async #bind(pod: Pod, waiting: Waiting, placement: Placed): Promise<void> {
    const { uid } = pod.metadata;
    this.#binding.add(uid);
    try {
      await this.#p.writes.bind(pod, placement, this.#p.state.nodes.count);
      this.#binding.delete(uid);
    } catch (err) {
      this.#binding.delete(uid);
      this.#onBindFailed(uid, waiting, placement.node, err);
    }
  }

  #onBindFailed(uid: string, waiting: Waiting, node: string, err: unknown): void {
    const now = this.#deps.view.byUid('Pod', uid);
    const resident = this.#p.state.resident(uid);
    if (now?.spec.nodeName === undefined && resident !== undefined) {
      this.#p.state.forget(uid);
      this.#p.onReturned(resident);
    }
    if (now === undefined || isApiError(err, 'NotFound')) return;
    // Conflict: bound by somebody else, or changed; the next look sees which. Others heal by time.
    this.#deps.log.debug('bind failed', { pod: keyOf(now), node, err });
    if (!this.#stopped && isOurs(now)) this.#p.queue.failed(waiting);
  }
}
