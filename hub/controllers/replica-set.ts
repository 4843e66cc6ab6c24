import { inParallel } from '../../kit/parallel.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ReplicaOwner } from '../../protocol/kinds/workloads.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import type { Change } from '../cluster.ts';
import { controllerUid } from '../decide/pod-facts.ts';
import { type ReplicaFailure, rollUpReplicaSet } from '../decide/replica-set-status.ts';
import { missingReplicas, planReplicas, type ReplicaPlan } from '../decide/replicas.ts';
import { keyOf, type Loop, type LoopDeps, momentOf, splitKey } from '../loop.ts';
import { controllerDeps, ObjectLoop, spacingForPods } from './object-loop.ts';
import { OwnedPods } from './owned-pods.ts';
import { orphansIn } from './ownership.ts';
import { errorText, PodControl, podFromTemplate } from './pod-control.ts';
import { type ReplicaSource, replicaSets } from './replica-sources.ts';
import { slowStart } from './slow-start.ts';

/** Writes in flight per ReplicaSet: they share one flush of the store, so more at once costs no more. */
const WRITES_IN_FLIGHT = 64;
/** Pods made at first when nothing is known of trouble; a failure stops there. */
const FIRST_BATCH = 16;
/** Pods made in one pass; the rest follows in the next, so that a huge number does not hold the queue. */
const BURST = 500;

/**
 * Keeps every ReplicaSet at its number of pods and its status true, or whatever else the source shows as one. Level-triggered, one pass
 * per ReplicaSet at a time; needs no expectations, because the view shows every write once its promise has settled.
 */
export class ReplicaSetController implements Loop {
  readonly #deps: LoopDeps;
  readonly #sets: ReplicaSource;
  readonly #pods: PodControl;
  readonly #loop: ObjectLoop;
  readonly #owned: OwnedPods;

  constructor(deps: LoopDeps, sets: ReplicaSource = replicaSets(deps)) {
    this.#sets = sets;
    this.#deps = controllerDeps(deps, sets.name);
    this.#pods = new PodControl(deps);
    this.#owned = new OwnedPods(deps.view, sets.kind);
    this.#loop = new ObjectLoop(deps, {
      name: sets.name,
      kind: sets.kind,
      reconcile: (key) => this.#reconcile(key),
      spacingMs: (key) => this.#spacingMs(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#owned.start();
    this.#loop.start(signal);
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  #onChange(change: Change): void {
    const { kind, object, previous } = change;
    if (kind !== 'Pod') return;
    this.#owned.onChange(change);
    for (const pod of previous === undefined ? [object] : [object, previous]) {
      const uid = controllerUid(pod as Pod);
      const rs = uid === undefined ? undefined : this.#sets.byUid(uid);
      if (rs !== undefined) this.#loop.add(keyOf(rs));
      // A pod without owner may be one to adopt.
      if (uid === undefined) this.#addMatching(pod as Pod);
    }
  }

  #addMatching(pod: Pod): void {
    for (const rs of this.#sets.list(pod.metadata.namespace))
      if (selectorMatches(rs.spec.selector, pod.metadata.labels)) this.#loop.add(keyOf(rs));
  }

  #spacingMs(key: string): number {
    const { namespace, name } = splitKey(key);
    return spacingForPods(this.#sets.get(namespace, name)?.status?.replicas ?? 0);
  }

  async #reconcile(key: string): Promise<void> {
    const { view } = this.#deps;
    const { namespace, name } = splitKey(key);
    const rs = this.#sets.get(namespace, name);
    if (rs === undefined) return;
    const orphans = orphansIn(view, 'Pod', namespace);
    const plan = this.#plan(rs, orphans);
    const created = Math.min(plan.create, BURST);
    await inParallel(plan.release, WRITES_IN_FLIGHT, (pod) => this.#pods.release(rs, pod));
    await inParallel(plan.adopt, WRITES_IN_FLIGHT, (pod) => this.#pods.adopt(rs, pod));
    const reason = plan.remove.length > 0 ? 'FailedDelete' : 'FailedCreate';
    try {
      await inParallel(plan.remove, WRITES_IN_FLIGHT, async (pod) => {
        if (this.#isSame(rs)) await this.#pods.remove(rs, pod);
      });
      await this.#create(rs, created);
    } catch (error) {
      // Told in the status first; then it rises, so that the queue tries again.
      await this.#writeStatus(rs, { reason, message: errorText(error) });
      throw error;
    }
    await this.#writeStatus(rs, undefined);
    if (created < plan.create) this.#loop.queue.add(key);
  }

  #plan(rs: ReplicaOwner, orphans: readonly Pod[]): ReplicaPlan {
    const { view, clock } = this.#deps;
    const { uid } = rs.metadata;
    const missing = missingReplicas(rs, this.#owned.of(uid), orphans.length > 0);
    if (missing !== undefined) return { create: missing, remove: [], adopt: [], release: [] };
    const owned = view.ownedBy('Pod', uid);
    return planReplicas(rs, owned, orphans, { related: this.#related(rs, owned), nowMs: clock.nowMs() });
  }

  /** Carefully after a failure: one try first, then more. */
  #create(rs: ReplicaOwner, count: number): Promise<void> {
    const failed = rs.status?.conditions?.some((c) => c.type === 'ReplicaFailure') === true;
    const pod = podFromTemplate(rs, rs.spec.template);
    const pace = { first: failed ? 1 : FIRST_BATCH, most: WRITES_IN_FLIGHT };
    return slowStart(count, pace, async () => {
      if (this.#isSame(rs)) await this.#pods.create(rs, pod);
    });
  }

  /**
   * True while nobody has changed what is asked for. A rollout counts on a smaller number being kept to from the moment it is
   * written; the change has called for another pass.
   */
  #isSame({ metadata: { uid, generation } }: ReplicaOwner): boolean {
    return this.#sets.byUid(uid)?.metadata.generation === generation;
  }

  /** Pods of all ReplicaSets with the same owner. */
  #related(rs: ReplicaOwner, owned: readonly Pod[]): readonly Pod[] {
    const { view } = this.#deps;
    const owner = controllerUid(rs);
    if (owner === undefined) return owned;
    const siblings = view.ownedBy('ReplicaSet', owner);
    if (siblings.length <= 1) return owned;
    return siblings.flatMap((sibling) => view.ownedBy('Pod', sibling.metadata.uid));
  }

  async #writeStatus(seen: ReplicaOwner, failure: ReplicaFailure | undefined): Promise<void> {
    const { clock } = this.#deps;
    const rs = this.#sets.byUid(seen.metadata.uid);
    if (rs === undefined || !this.#isSame(seen)) return;
    const rollup = rollUpReplicaSet(rs, this.#owned.of(rs.metadata.uid), failure, momentOf(clock));
    if (rollup.lookAgainMs !== undefined) this.#loop.queue.addAfter(keyOf(rs), rollup.lookAgainMs);
    if (rollup.changed) await this.#sets.writeStatus(rs.metadata.uid, rollup.status);
  }
}
