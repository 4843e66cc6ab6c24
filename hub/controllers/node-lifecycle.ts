import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { inParallel } from '../../kit/parallel.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Change } from '../cluster.ts';
import { assessNode, type NodeAssessment, planEvictions } from '../decide/assess-node.ts';
import { withCondition } from '../decide/node-object.ts';
import { isReady, isTerminal } from '../decide/pod-facts.ts';
import { type Loop, type LoopDeps, loopQueue, momentOf, referenceTo, tolerant } from '../loop.ts';

/** Whether devices are heard, by the hub's own monotonic clock. */
export interface NodeLiveness {
  isHeard(node: string): boolean;
  /** False while the hub hears nobody at all or has just begun to again: then it is the hub that was cut off. */
  mayEvict(node: string): boolean;
  /** Calls with a node's name whenever one of the answers above may have changed. Returns the way to stop. */
  subscribe(listener: (node: string) => void): () => void;
}

const WRITES_IN_FLIGHT = 64;

/**
 * Keeps each node's condition Ready and its taints true, says of the pods of a lost node that they are not ready, and makes pods
 * leave by their tolerations. Times are those of the hub.
 */
export class NodeLifecycleController implements Loop {
  readonly #deps: LoopDeps;
  readonly #liveness: NodeLiveness;
  readonly #queue: KeyedQueue;
  readonly #stops: (() => void)[] = [];

  constructor(deps: LoopDeps, liveness: NodeLiveness) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'controllers', loop: 'node-lifecycle' }) };
    this.#liveness = liveness;
    this.#queue = loopQueue((node) => this.#reconcile(node), this.#deps, 32);
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#stops.push(
      view.subscribe((change) => this.#onChange(change)),
      this.#liveness.subscribe((node) => this.#queue.add(node)),
    );
    for (const node of view.list('Node')) this.#queue.add(node.metadata.name);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    return this.#queue.stop();
  }

  #onChange({ kind, type, object }: Change): void {
    if (kind === 'Node' && type !== 'deleted') this.#queue.add(object.metadata.name);
    if (kind !== 'Pod' || type === 'deleted') return;
    const { nodeName } = (object as Pod).spec;
    // Only nodes in trouble care about single pods: one that was bound just before the node was lost must leave as well.
    const node = nodeName === undefined ? undefined : this.#deps.view.get('Node', '', nodeName);
    if (node?.spec.taints?.some((t) => t.effect === 'NoExecute')) this.#queue.add(node.metadata.name);
  }

  async #reconcile(name: string): Promise<void> {
    const { view, clock } = this.#deps;
    const node = view.get('Node', '', name);
    if (node === undefined || node.metadata.deletionTimestamp !== undefined) return;
    const heard = this.#liveness.isHeard(name);
    const assessment = assessNode(node, heard, momentOf(clock));
    if (assessment.changed) await this.#write(node, heard, assessment);
    const pods = view.podsOnNode(name);
    if (assessment.ready.status === 'Unknown') await this.#markNotReady(name, pods);
    await this.#evict(name);
  }

  async #write(node: Node, heard: boolean, { ready, taints }: NodeAssessment): Promise<void> {
    const { client, clock, events, log } = this.#deps;
    const { name } = node.metadata;
    const now = momentOf(clock);
    await Promise.all([
      client.modify('Node', '', name, (draft) => {
        const fresh = assessNode(draft, heard, now);
        if (fresh.taints.length > 0) draft.spec.taints = [...fresh.taints];
        else delete draft.spec.taints;
        return true;
      }),
      client.modify(
        'Node',
        '',
        name,
        (draft) => {
          const fresh = assessNode(draft, heard, now);
          draft.status = {
            ...draft.status,
            conditions: withCondition(draft.status?.conditions, fresh.ready),
          };
          return true;
        },
        'status',
      ),
    ]);
    const before = node.status?.conditions?.find((c) => c.type === 'Ready')?.status;
    if (before === ready.status) return;
    const reason = ready.status === 'True' ? 'NodeReady' : 'NodeNotReady';
    log.info('node readiness changed', { node: name, ready: ready.status, reason: ready.reason, taints });
    events.record({
      involved: referenceTo(node),
      type: ready.status === 'True' ? 'Normal' : 'Warning',
      reason,
      message: `Node ${name} status is now: ${reason}. ${ready.message ?? ''}`.trim(),
    });
  }

  /** Nobody knows what runs on a lost node; traffic and rollouts must not count on it. */
  async #markNotReady(node: string, pods: readonly Pod[]): Promise<void> {
    const { client, clock, events } = this.#deps;
    const { time } = momentOf(clock);
    const ready = pods.filter((pod) => isReady(pod) && !isTerminal(pod));
    await inParallel(ready, WRITES_IN_FLIGHT, async (pod) => {
      const { namespace = '', name, uid } = pod.metadata;
      const message = 'The node of the pod has gone silent.';
      await client.modify(
        'Pod',
        namespace,
        name,
        (draft) => {
          // Judged when the write is planned: once the device is heard, its own word comes after and must stand.
          if (draft.metadata.uid !== uid || !isReady(draft) || this.#liveness.isHeard(node)) return false;
          const condition = {
            type: 'Ready',
            status: 'False',
            reason: 'NodeNotReady',
            message,
            lastTransitionTime: time,
          } as const;
          draft.status = { ...draft.status, conditions: withCondition(draft.status?.conditions, condition) };
          return true;
        },
        'status',
      );
      events.record({ involved: referenceTo(pod), type: 'Warning', reason: 'NodeNotReady', message });
    });
  }

  async #evict(name: string): Promise<void> {
    const { view, client, clock, events, log } = this.#deps;
    const node = view.get('Node', '', name);
    if (node === undefined || !(node.spec.taints ?? []).some((t) => t.effect === 'NoExecute')) return;
    const heard = this.#liveness.isHeard(name);
    if (!heard && !this.#liveness.mayEvict(name)) return;
    // The device may have come back while the writes before this one were on their way: its taints are about to go.
    if (assessNode(node, heard, momentOf(clock)).changed) {
      this.#queue.add(name);
      return;
    }
    const { evict, lookAgainMs } = planEvictions(node, view.podsOnNode(name), clock.nowMs());
    if (lookAgainMs !== undefined) this.#queue.addAfter(name, lookAgainMs);
    if (evict.length > 0) log.info('pods leave a tainted node', { node: name, pods: evict.length });
    await inParallel(evict, WRITES_IN_FLIGHT, async (pod) => {
      const { namespace = '', name: podName, uid } = pod.metadata;
      const message = `Marking for deletion Pod ${namespace}/${podName}: node ${name} is not fit for it any more`;
      events.record({
        involved: referenceTo(pod),
        type: 'Normal',
        reason: 'TaintManagerEviction',
        message,
      });
      // For owners that count ends and judge them by their cause; without a finalizer nobody waits to read it.
      if (pod.metadata.finalizers !== undefined) await this.#markDisrupted(pod);
      await tolerant(client.delete('Pod', namespace, podName, { uid }));
    });
  }

  async #markDisrupted({ metadata: { namespace = '', name, uid } }: Pod): Promise<void> {
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      lastTransitionTime: momentOf(this.#deps.clock).time,
    } as const;
    await this.#deps.client.modify(
      'Pod',
      namespace,
      name,
      (draft) => {
        if (draft.metadata.uid !== uid || draft.metadata.deletionTimestamp !== undefined) return false;
        draft.status = { ...draft.status, conditions: withCondition(draft.status?.conditions, condition) };
        return true;
      },
      'status',
    );
  }
}
