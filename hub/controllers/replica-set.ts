import { inParallel } from '../../kit/parallel.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Change } from '../cluster.ts';
import { controllerUid } from '../decide/pod-facts.ts';
import { rollUpReplicaSet } from '../decide/replica-set-status.ts';
import { planReplicas } from '../decide/replicas.ts';
import { keyOf, type Loop, type LoopDeps, momentOf, splitKey, tolerant } from '../loop.ts';
import { controllerDeps, ObjectLoop } from './object-loop.ts';
import { errorText, PodControl, podFromTemplate } from './pod-control.ts';

/** Writes in flight per ReplicaSet: they share one flush of the store, so more at once costs no more. */
const WRITES_IN_FLIGHT = 64;
/** Pods made in one pass; the rest follows in the next, so that a huge number does not hold the queue. */
const BURST = 500;

/**
 * Keeps every ReplicaSet at its number of pods and its status true. Level-triggered, one pass per ReplicaSet at a time; needs no
 * expectations, because the view shows every write once its promise has settled.
 */
export class ReplicaSetController implements Loop {
  readonly #deps: LoopDeps;
  readonly #pods: PodControl;
  readonly #loop: ObjectLoop;

  constructor(deps: LoopDeps) {
    this.#deps = controllerDeps(deps, 'replica-set');
    this.#pods = new PodControl(deps);
    this.#loop = new ObjectLoop(deps, {
      name: 'replica-set',
      kind: 'ReplicaSet',
      reconcile: (key) => this.#reconcile(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#loop.start(signal);
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  #onChange({ kind, object, previous }: Change): void {
    if (kind !== 'Pod') return;
    for (const pod of previous === undefined ? [object] : [object, previous]) {
      const uid = controllerUid(pod as Pod);
      const rs = uid === undefined ? undefined : this.#deps.view.byUid('ReplicaSet', uid);
      if (rs !== undefined) this.#loop.queue.add(keyOf(rs));
      // A pod without owner may be one to adopt.
      if (uid === undefined) this.#addMatching(pod as Pod);
    }
  }

  #addMatching(pod: Pod): void {
    if (pod.metadata.labels === undefined) return;
    for (const rs of this.#deps.view.list('ReplicaSet', pod.metadata.namespace))
      this.#loop.queue.add(keyOf(rs));
  }

  async #reconcile(key: string): Promise<void> {
    const { view } = this.#deps;
    const { namespace, name } = splitKey(key);
    const rs = view.get('ReplicaSet', namespace, name);
    if (rs === undefined) return;
    const orphans = view.list('Pod', namespace).filter((pod) => controllerUid(pod) === undefined);
    const plan = planReplicas(rs, view.ownedBy('Pod', rs.metadata.uid), orphans);
    const created = Math.min(plan.create, BURST);
    await inParallel(plan.release, WRITES_IN_FLIGHT, (pod) => this.#pods.release(rs, pod));
    await inParallel(plan.adopt, WRITES_IN_FLIGHT, (pod) => this.#pods.adopt(rs, pod));
    await inParallel(plan.remove, WRITES_IN_FLIGHT, (pod) => this.#pods.remove(rs, pod));
    let failure: unknown;
    try {
      const pod = podFromTemplate(rs, rs.spec.template);
      await inParallel(Array(created).keys(), WRITES_IN_FLIGHT, () => this.#pods.create(rs, pod));
    } catch (error) {
      // Told in the status first; then it rises, so that the queue tries again.
      failure = error;
    }
    await this.#writeStatus(key, failure === undefined ? undefined : errorText(failure));
    if (failure !== undefined) throw failure;
    if (created < plan.create) this.#loop.queue.add(key);
  }

  async #writeStatus(key: string, failure: string | undefined): Promise<void> {
    const { view, client, clock } = this.#deps;
    const { namespace, name } = splitKey(key);
    const rs = view.get('ReplicaSet', namespace, name);
    if (rs === undefined) return;
    const owned = view.ownedBy('Pod', rs.metadata.uid);
    const rollup = rollUpReplicaSet(rs, owned, failure, momentOf(clock));
    if (rollup.lookAgainMs !== undefined) this.#loop.queue.addAfter(key, rollup.lookAgainMs);
    if (rollup.changed) await tolerant(client.updateStatus('ReplicaSet', { ...rs, status: rollup.status }));
  }
}
