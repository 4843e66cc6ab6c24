import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { inParallel } from '../../kit/parallel.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Change } from '../cluster.ts';
import { orphanedPods, surplusFailed, surplusTerminated } from '../decide/garbage.ts';
import { controllerUid, isTerminal } from '../decide/pod-facts.ts';
import { type Loop, type LoopDeps, loopQueue, tolerant } from '../loop.ts';
import { controllerDeps } from './object-loop.ts';

/** How the pod garbage controller can be tuned. */
export interface PodGarbageOptions {
  /** Ended pods kept in all; the oldest beyond go. */
  readonly keepTerminatedPods: number;
  /** Failed pods kept of each Deployment, ReplicaSet and ReplicationController; who ended first beyond goes. */
  readonly keepFailedPods: number;
  /** How long a node must be away before its pods go: a node that was deleted by mistake can come back. */
  readonly nodeQuarantineMs: number;
}

/** As in Kubernetes, but for failed pods, which there stay until the number of all ended ones is reached. */
const DEFAULTS: PodGarbageOptions = {
  keepTerminatedPods: 12_500,
  keepFailedPods: 5,
  nodeQuarantineMs: 20_000,
};
const WRITES_IN_FLIGHT = 64;

/** Removes pods that nobody needs: those of deleted nodes, and ended ones beyond a number, of their owner and of all. */
export class PodGarbageController implements Loop {
  readonly #deps: LoopDeps;
  readonly #options: PodGarbageOptions;
  readonly #queue: KeyedQueue;
  /** Monotonic ms since when a node is missed. */
  readonly #missingSinceMs = new Map<string, number>();
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, options: Partial<PodGarbageOptions> = {}) {
    this.#deps = controllerDeps(deps, 'pod-garbage');
    this.#options = { ...DEFAULTS, ...options };
    this.#queue = loopQueue((key) => this.#work(key), this.#deps, 8);
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#unsubscribe = view.subscribe((change) => this.#onChange(change));
    for (const pod of view.list('Pod')) this.#onPod(pod);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  #onChange({ kind, type, object }: Change): void {
    if (kind === 'Node' && type === 'deleted') this.#checkNode(object.metadata.name);
    if (kind === 'Pod' && type !== 'deleted') this.#onPod(object as Pod);
  }

  #onPod(pod: Pod): void {
    if (isTerminal(pod)) {
      this.#queue.add('terminated:');
      this.#checkFailed(pod);
    }
    this.#checkNode(pod.spec.nodeName);
  }

  /** Only pods whose owner replaces them and keeps no account of them: not those of Jobs, nor those of nobody. */
  #checkFailed(pod: Pod): void {
    const { view } = this.#deps;
    const uid = controllerUid(pod);
    if (uid === undefined || pod.status?.phase !== 'Failed') return;
    const owner = view.byUid('ReplicaSet', uid) ?? view.byUid('ReplicationController', uid);
    if (owner !== undefined) this.#queue.add(`failed:${controllerUid(owner) ?? uid}`);
  }

  #checkNode(nodeName: string | undefined): void {
    if (nodeName === undefined || this.#deps.view.get('Node', '', nodeName) !== undefined) return;
    if (this.#missingSinceMs.has(nodeName)) return;
    this.#missingSinceMs.set(nodeName, this.#deps.clock.monotonicMs());
    this.#queue.addAfter(`node:${nodeName}`, this.#options.nodeQuarantineMs);
  }

  #work(key: string): Promise<void> {
    const colon = key.indexOf(':');
    const rest = key.slice(colon + 1);
    switch (key.slice(0, colon)) {
      case 'failed':
        return this.#removeFailed(rest);
      case 'node':
        return this.#removeOrphaned(rest);
      default:
        return this.#removeTerminated();
    }
  }

  async #removeTerminated(): Promise<void> {
    await this.#removeEnded(surplusTerminated(this.#deps.view.list('Pod'), this.#options.keepTerminatedPods));
  }

  async #removeEnded(pods: readonly Pod[]): Promise<void> {
    const { client } = this.#deps;
    await inParallel(pods, WRITES_IN_FLIGHT, ({ metadata: m }) =>
      tolerant(client.delete('Pod', m.namespace ?? '', m.name, { uid: m.uid })),
    );
  }

  /** `ownerUid` is that of a Deployment, or of a ReplicaSet or ReplicationController that nobody owns. */
  async #removeFailed(ownerUid: string): Promise<void> {
    const { view, log } = this.#deps;
    const sets = [ownerUid, ...view.ownedBy('ReplicaSet', ownerUid).map((rs) => rs.metadata.uid)];
    const pods = sets.flatMap((uid) => view.ownedBy('Pod', uid));
    const surplus = surplusFailed(pods, this.#options.keepFailedPods);
    if (surplus.length === 0) return;
    log.info('failed pods removed', { owner: ownerUid, pods: surplus.length });
    await this.#removeEnded(surplus);
  }

  async #removeOrphaned(nodeName: string): Promise<void> {
    const { view, client, clock, log } = this.#deps;
    const exists = view.get('Node', '', nodeName) !== undefined;
    const sinceMs = this.#missingSinceMs.get(nodeName);
    if (exists || sinceMs === undefined) {
      this.#missingSinceMs.delete(nodeName);
      return;
    }
    const leftMs = sinceMs + this.#options.nodeQuarantineMs - clock.monotonicMs();
    if (leftMs > 0) return this.#queue.addAfter(`node:${nodeName}`, leftMs);
    const orphans = orphanedPods(
      view.podsOnNode(nodeName),
      (name) => view.get('Node', '', name) !== undefined,
    );
    if (orphans.length > 0)
      log.info('pods of a deleted node removed', { node: nodeName, pods: orphans.length });
    await inParallel(orphans, WRITES_IN_FLIGHT, ({ metadata: m }) =>
      tolerant(client.delete('Pod', m.namespace ?? '', m.name, { uid: m.uid, gracePeriodSeconds: 0 })),
    );
    this.#missingSinceMs.delete(nodeName);
  }
}
