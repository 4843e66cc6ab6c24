import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { inParallel } from '../../kit/parallel.ts';
import type { OwnerReference } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ReplicaSet } from '../../protocol/kinds/workloads.ts';
import type { Change, NewObject } from '../cluster.ts';
import { controllerUid } from '../decide/pod-facts.ts';
import { rollUpReplicaSet } from '../decide/replica-set-status.ts';
import { planReplicas } from '../decide/replicas.ts';
import {
  keyOf,
  type Loop,
  type LoopDeps,
  loopQueue,
  momentOf,
  referenceTo,
  splitKey,
  tolerant,
} from '../loop.ts';

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
  readonly #queue: KeyedQueue;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'controllers', loop: 'replica-set' }) };
    this.#queue = loopQueue((key) => this.#reconcile(key), this.#deps, 16);
  }

  start(signal: AbortSignal): void {
    this.#unsubscribe = this.#deps.view.subscribe((change) => this.#onChange(change));
    for (const rs of this.#deps.view.list('ReplicaSet')) this.#queue.add(keyOf(rs));
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  #onChange({ kind, object, previous }: Change): void {
    if (kind === 'ReplicaSet') this.#queue.add(keyOf(object));
    if (kind !== 'Pod') return;
    for (const pod of previous === undefined ? [object] : [object, previous]) {
      const uid = controllerUid(pod as Pod);
      const rs = uid === undefined ? undefined : this.#deps.view.byUid('ReplicaSet', uid);
      if (rs !== undefined) this.#queue.add(keyOf(rs));
      // A pod without owner may be one to adopt.
      if (uid === undefined) this.#addMatching(pod as Pod);
    }
  }

  #addMatching(pod: Pod): void {
    if (pod.metadata.labels === undefined) return;
    for (const rs of this.#deps.view.list('ReplicaSet', pod.metadata.namespace)) this.#queue.add(keyOf(rs));
  }

  async #reconcile(key: string): Promise<void> {
    const { view } = this.#deps;
    const { namespace, name } = splitKey(key);
    const rs = view.get('ReplicaSet', namespace, name);
    if (rs === undefined) return;
    const orphans = view.list('Pod', namespace).filter((pod) => controllerUid(pod) === undefined);
    const plan = planReplicas(rs, view.ownedBy('Pod', rs.metadata.uid), orphans);
    const created = Math.min(plan.create, BURST);
    await inParallel(plan.release, WRITES_IN_FLIGHT, (pod) => this.#disown(pod, rs));
    await inParallel(plan.adopt, WRITES_IN_FLIGHT, (pod) => this.#adopt(pod, rs));
    await inParallel(plan.remove, WRITES_IN_FLIGHT, (pod) => this.#remove(pod, rs));
    let failure: unknown;
    try {
      await inParallel(Array(created).keys(), WRITES_IN_FLIGHT, () => this.#create(rs));
    } catch (error) {
      // Told in the status first; then it rises, so that the queue tries again.
      failure = error;
    }
    await this.#writeStatus(key, failure === undefined ? undefined : textOf(failure));
    if (failure !== undefined) throw failure;
    if (created < plan.create) this.#queue.add(key);
  }

  async #create(rs: ReplicaSet): Promise<void> {
    const { client, events } = this.#deps;
    try {
      const pod = await client.create('Pod', podFrom(rs));
      const message = `Created pod: ${pod.metadata.name}`;
      events.record({ involved: referenceTo(rs), type: 'Normal', reason: 'SuccessfulCreate', message });
    } catch (error) {
      const message = `Error creating: ${textOf(error)}`;
      events.record({ involved: referenceTo(rs), type: 'Warning', reason: 'FailedCreate', message });
      throw error;
    }
  }

  async #remove(pod: Pod, rs: ReplicaSet): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    await tolerant(this.#deps.client.delete('Pod', namespace, name, { uid }));
    const message = `Deleted pod: ${name}`;
    this.#deps.events.record({
      involved: referenceTo(rs),
      type: 'Normal',
      reason: 'SuccessfulDelete',
      message,
    });
  }

  async #adopt(pod: Pod, rs: ReplicaSet): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    await this.#deps.client.modify('Pod', namespace, name, (draft) => {
      if (draft.metadata.uid !== uid || controllerUid(draft) !== undefined) return false;
      draft.metadata.ownerReferences = [...(draft.metadata.ownerReferences ?? []), ownerReference(rs)];
      return true;
    });
  }

  async #disown(pod: Pod, rs: ReplicaSet): Promise<void> {
    const { namespace = '', name } = pod.metadata;
    await this.#deps.client.modify('Pod', namespace, name, (draft) => {
      draft.metadata.ownerReferences = (draft.metadata.ownerReferences ?? []).filter(
        (o) => o.uid !== rs.metadata.uid,
      );
      return true;
    });
  }

  async #writeStatus(key: string, failure: string | undefined): Promise<void> {
    const { view, client, clock } = this.#deps;
    const { namespace, name } = splitKey(key);
    const rs = view.get('ReplicaSet', namespace, name);
    if (rs === undefined) return;
    const owned = view.ownedBy('Pod', rs.metadata.uid);
    const rollup = rollUpReplicaSet(rs, owned, failure, momentOf(clock));
    if (rollup.lookAgainMs !== undefined) this.#queue.addAfter(key, rollup.lookAgainMs);
    if (rollup.changed) await tolerant(client.updateStatus('ReplicaSet', { ...rs, status: rollup.status }));
  }
}

/** The pod that a ReplicaSet stamps from its template. */
function podFrom(rs: ReplicaSet): NewObject<Pod> {
  const { metadata, spec } = rs.spec.template;
  return {
    metadata: {
      generateName: `${rs.metadata.name}-`,
      namespace: rs.metadata.namespace ?? '',
      ...(metadata?.labels && { labels: metadata.labels }),
      ...(metadata?.annotations && { annotations: metadata.annotations }),
      ...(metadata?.finalizers && { finalizers: metadata.finalizers }),
      ownerReferences: [ownerReference(rs)],
    },
    spec,
  };
}

function ownerReference(rs: ReplicaSet): OwnerReference {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: rs.metadata.name,
    uid: rs.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
