import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Deployment, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import type { Change } from '../cluster.ts';
import { controllerUid, isActive } from '../decide/pod-facts.ts';
import type { LiveUse } from '../decide/pod-to-place.ts';
import { isStillBetter, type Outlook } from '../decide/rebalance.ts';
import { type MoveStep, type MoveView, nextMoveStep } from '../decide/rebalance-move.ts';
import type { Wish } from '../decide/rebalance-round.ts';
import { rebalanceTerms } from '../decide/rebalance-terms.ts';
import { isMoving, MOVING } from '../decide/replicas.ts';
import { keyOf, type Loop, type LoopDeps, loopQueue, momentOf, referenceTo, splitKey } from '../loop.ts';
import { evictPod } from './evictor.ts';
import { controllerDeps } from './object-loop.ts';

/** A pod with what it really uses, when that is known. */
export interface UsedPod {
  readonly pod: Pod;
  readonly use: LiveUse | undefined;
}

/** Where the scheduler would put pods that have a node; see Preview of the scheduler. */
export interface PlacementPreview {
  elsewhere<T>(pod: UsedPod, look: (outlook: Outlook) => T): T | undefined;
  between<T>(old: UsedPod, fresh: UsedPod, look: (outlook: Outlook) => T): T | undefined;
}

/** Live use of a pod; undefined when its device does not tell. */
export type ReadUse = (pod: Pod) => LiveUse | undefined;

/** A pod that is on the move. */
export interface Move {
  /** `namespace/name`; empty when it has none. */
  readonly deployment: string;
  /** Its replacement has no node yet. */
  readonly isPlacing: boolean;
}

/** What became of a move. */
export interface MoveEnd {
  readonly deployment: string;
  readonly nodes: readonly string[];
  /** Undone for a reason that will not go away soon. */
  readonly isFailure: boolean;
}

/** Since when a pod stands in for one that was moved (RFC 3339): a restarted hub counts the moves of the last hour by it. */
export const MOVED = 'coxswain.dev/moved';

const RETRY_MS = 5_000;

/**
 * Brings moves that have begun to their end, one pass per pod at a time, from what the API holds alone: the mark on the pod, the
 * replacement that the ReplicaSet makes for it, disruption budgets. Never takes a pod away before another one serves in its place.
 */
export class PodMover implements Loop {
  readonly #deps: LoopDeps;
  readonly #preview: PlacementPreview;
  readonly #useOf: ReadUse;
  readonly #onEnd: (end: MoveEnd) => void;
  readonly #queue: KeyedQueue;
  /** Keys of marked pods. */
  readonly #moving = new Set<string>();
  #unsubscribe: (() => void) | undefined;

  constructor(
    deps: LoopDeps,
    preview: PlacementPreview,
    useOf: ReadUse,
    onEnd: (end: MoveEnd) => void = () => undefined,
  ) {
    this.#deps = controllerDeps(deps, 'pod-mover');
    this.#preview = preview;
    this.#useOf = useOf;
    this.#onEnd = onEnd;
    this.#queue = loopQueue((key) => this.#reconcile(key), this.#deps, 4);
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#unsubscribe = view.subscribe((change) => this.#onChange(change));
    for (const pod of view.list('Pod')) this.#note(pod);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  /** Moves under way. */
  moves(): readonly Move[] {
    const { view, clock } = this.#deps;
    return [...this.#moving].flatMap((key) => {
      const { namespace, name } = splitKey(key);
      const pod = view.get('Pod', namespace, name);
      if (pod === undefined) return [];
      const seen = this.#look(pod);
      const step = nextMoveStep(seen, clock.nowMs());
      if (step.do === 'nothing') return [];
      const isPlacing = step.do === 'wait' && step.replacement?.spec.nodeName === undefined;
      return [{ deployment: seen.deployment === undefined ? '' : keyOf(seen.deployment), isPlacing }];
    });
  }

  /** Marks the pod, so that its ReplicaSet makes another one. False when it changed meanwhile. */
  async begin({ podUid, from, to, why, gain }: Wish): Promise<boolean> {
    const { view, client, clock, events } = this.#deps;
    const pod = view.byUid('Pod', podUid);
    if (pod === undefined) return false;
    const { namespace = '', name } = pod.metadata;
    const { time } = momentOf(clock);
    let isMarked = false;
    const marked = await client.modify('Pod', namespace, name, (draft) => {
      isMarked =
        draft.metadata.uid === podUid && isActive(draft) && !isMoving(draft) && draft.spec.nodeName === from;
      if (isMarked) draft.metadata.annotations = { ...draft.metadata.annotations, [MOVING]: time };
      return isMarked;
    });
    if (marked === undefined || !isMarked) return false;
    const message = `Moving pod ${name} from ${from}, ${to} suits it better: ${why} (gain ${gain} of 100)`;
    for (const about of [marked, this.#look(marked).deployment]) {
      if (about === undefined) continue;
      events.record({ involved: referenceTo(about), type: 'Normal', reason: 'Rebalancing', message });
    }
    this.#deps.log.info('pod begins to move', { pod: keyOf(pod), from, to, why, gain });
    return true;
  }

  #onChange({ kind, type, object }: Change): void {
    if (kind === 'Pod') {
      if (type === 'deleted') this.#moving.delete(keyOf(object));
      else this.#note(object as Pod);
    }
    if (this.#moving.size === 0) return;
    if (kind === 'Pod') this.#addOfOwner(controllerUid(object as Pod));
    else if (
      kind === 'Deployment' ||
      kind === 'ReplicaSet' ||
      kind === 'PodDisruptionBudget' ||
      kind === 'Namespace'
    )
      for (const key of this.#moving) this.#queue.add(key);
  }

  #note(pod: Pod): void {
    const key = keyOf(pod);
    if (isMoving(pod)) this.#moving.add(key);
    else if (!this.#moving.delete(key)) return;
    this.#queue.add(key);
  }

  #addOfOwner(uid: string | undefined): void {
    if (uid === undefined) return;
    for (const key of this.#moving) {
      const { namespace, name } = splitKey(key);
      const pod = this.#deps.view.get('Pod', namespace, name);
      if (pod !== undefined && controllerUid(pod) === uid) this.#queue.add(key);
    }
  }

  async #reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const pod = this.#deps.view.get('Pod', namespace, name);
    if (pod === undefined) return;
    const seen = this.#look(pod);
    const step = nextMoveStep(seen, this.#deps.clock.nowMs());
    switch (step.do) {
      case 'nothing':
        return;
      case 'wait':
        this.#queue.addAfter(key, step.lookAgainMs);
        return;
      case 'evict':
        return this.#evict(key, seen, step);
      case 'undo':
        return this.#undo(seen, step.why, step.isFailure);
    }
  }

  #look(pod: Pod): MoveView {
    const { view } = this.#deps;
    const rs = byControllerOf(pod, (uid) => view.byUid('ReplicaSet', uid));
    const deployment = byControllerOf(rs, (uid) => view.byUid('Deployment', uid));
    const { namespace = '' } = pod.metadata;
    return {
      pod,
      rs,
      deployment,
      replicaSets: deployment === undefined ? [] : view.ownedBy('ReplicaSet', deployment.metadata.uid),
      pods: rs === undefined ? [] : view.ownedBy('Pod', rs.metadata.uid),
      isOn: deployment !== undefined && rebalanceTerms(deployment, view.get('Namespace', '', namespace)).isOn,
    };
  }

  async #evict(
    key: string,
    seen: MoveView,
    { replacement, untilMs }: MoveStep & { do: 'evict' },
  ): Promise<void> {
    const { client, clock, events, log } = this.#deps;
    const { pod, deployment } = seen;
    const old = { pod, use: this.#useOf(pod) };
    const fresh = { pod: replacement, use: this.#useOf(replacement) };
    if (this.#preview.between(old, fresh, isStillBetter) === false)
      return this.#undo(seen, `it is better off there than on ${replacement.spec.nodeName} now`, true);
    await client.modify('Pod', replacement.metadata.namespace ?? '', replacement.metadata.name, (draft) => {
      if (
        draft.metadata.uid !== replacement.metadata.uid ||
        draft.metadata.annotations?.[MOVED] !== undefined
      )
        return false;
      draft.metadata.annotations = { ...draft.metadata.annotations, [MOVED]: momentOf(clock).time };
      return true;
    });
    const message = `Rebalancing: ${replacement.metadata.name} on ${replacement.spec.nodeName} serves in its place`;
    const evicted = await evictPod(this.#deps, pod, 'Rebalancing', message);
    if (!evicted.ok) {
      log.debug('pod may not move yet', { pod: key, why: evicted.why });
      this.#queue.addAfter(key, Math.max(1, Math.min(RETRY_MS, untilMs - clock.nowMs())));
      return;
    }
    const nodes = [pod.spec.nodeName ?? '', replacement.spec.nodeName ?? ''];
    log.info('pod moved', { pod: key, from: nodes[0], to: nodes[1] });
    const text = `Moved from ${nodes[0]} to ${nodes[1]}: ${replacement.metadata.name} in place of ${pod.metadata.name}`;
    const about = deployment === undefined ? [replacement] : [replacement, deployment];
    for (const one of about)
      events.record({ involved: referenceTo(one), type: 'Normal', reason: 'Rebalanced', message: text });
    if (deployment === undefined) return;
    this.#onEnd({ deployment: keyOf(deployment), nodes, isFailure: false });
  }

  /** Takes the mark away; the ReplicaSet then removes the pod too many, which is the one that is not ready when one is not. */
  async #undo({ pod, deployment }: MoveView, why: string, isFailure: boolean): Promise<void> {
    const { client, events, log } = this.#deps;
    const { namespace = '', name, uid } = pod.metadata;
    await client.modify('Pod', namespace, name, (draft) => {
      if (draft.metadata.uid !== uid || !isMoving(draft)) return false;
      const { [MOVING]: _mark, ...annotations } = draft.metadata.annotations ?? {};
      draft.metadata.annotations = annotations;
      return true;
    });
    log.info('pod does not move', { pod: keyOf(pod), why });
    const message = `Pod ${name} stays on ${pod.spec.nodeName ?? 'no node'}: ${why}`;
    for (const about of deployment === undefined ? [pod] : [pod, deployment])
      events.record({ involved: referenceTo(about), type: 'Normal', reason: 'RebalancingUndone', message });
    if (deployment !== undefined)
      this.#onEnd({ deployment: keyOf(deployment), nodes: [pod.spec.nodeName ?? ''], isFailure });
  }
}

function byControllerOf<T extends ReplicaSet | Deployment>(
  object: Pod | ReplicaSet | undefined,
  find: (uid: string) => T | undefined,
): T | undefined {
  const uid = object === undefined ? undefined : controllerUid(object as Pick<Pod, 'metadata'>);
  return uid === undefined ? undefined : find(uid);
}
