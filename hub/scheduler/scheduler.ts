import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Change } from '../cluster.ts';
import { contentHash } from '../decide/content-hash.ts';
import { withCondition } from '../decide/node-object.ts';
import { type NodeState, podToPlace, withPod } from '../decide/node-state.ts';
import { type Placement, place } from '../decide/place.ts';
import { placementText, refusalSummary, refusalText } from '../decide/placement-text.ts';
import { isTerminal } from '../decide/pod-facts.ts';
import { isApiError, keyOf, type Loop, type LoopDeps, momentOf, referenceTo } from '../loop.ts';
import { ClusterState, type ReadLive } from './cluster-state.ts';
import { SchedulingQueue, type Waiting } from './scheduling-queue.ts';
import { anyVolume, type VolumeBinder } from './volume-binder.ts';

/** What the scheduler needs to know of telemetry. */
export interface LiveSource {
  readonly read: ReadLive;
  /** Calls with a node's name when its load moved meaningfully or its telemetry came back. */
  readonly subscribe: (listener: (node: string) => void) => () => void;
}

const SCHEDULER_NAME = 'default-scheduler';
/** Longest the scheduler decides before it lets others have the process, in ms. */
const SLICE_MS = 25;

/**
 * Binds pods that have no node, one decision after the other on one consistent state, the writes side by side. Wakes on changes
 * only. Invariants: a pod is bound at most once (the client refuses a second time); every placement is assumed before the next
 * decision is taken.
 */
export class Scheduler implements Loop {
  readonly #deps: LoopDeps;
  readonly #source: LiveSource;
  readonly #volumes: VolumeBinder;
  readonly #queue: SchedulingQueue;
  readonly #state: ClusterState;
  readonly #stops: (() => void)[] = [];
  readonly #writes = new Set<Promise<void>>();
  /** Pods whose bind is under way, by uid: they are not tried a second time meanwhile. */
  readonly #binding = new Set<string>();
  #awake = false;
  #stopped = true;

  constructor(deps: LoopDeps, live: LiveSource, volumes: VolumeBinder = anyVolume) {
    this.#volumes = volumes;
    this.#deps = { ...deps, log: deps.log.with({ room: 'scheduler' }) };
    this.#source = live;
    this.#state = new ClusterState(deps.view, live.read);
    this.#queue = new SchedulingQueue(deps.clock, () => this.#wake());
  }

  start(signal: AbortSignal): void {
    this.#stopped = false;
    const { view } = this.#deps;
    this.#stops.push(
      view.subscribe((change) => this.#onChange(change)),
      this.#source.subscribe(() => this.#queue.unparkAll()),
    );
    for (const pod of view.list('Pod')) this.#enqueue(pod);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#queue.stop();
    await Promise.all(this.#writes);
  }

  #onChange(change: Change): void {
    if (change.kind === 'Pod') this.#onPod(change as Change<Pod>);
    if (change.kind === 'Node') this.#onNode(change as Change<Node>);
    if (VOLUME_KINDS.includes(change.kind)) this.#queue.unparkAll();
  }

  #onPod({ type, object: pod, previous }: Change<Pod>): void {
    const { uid } = pod.metadata;
    for (const node of [pod.spec.nodeName, previous?.spec.nodeName]) {
      if (node !== undefined) this.#state.invalidate(node);
    }
    if (type === 'deleted') {
      this.#queue.remove(uid);
      this.#state.forget(uid);
      if (pod.spec.nodeName !== undefined) this.#queue.unparkAll();
      return;
    }
    if (pod.spec.nodeName === undefined) {
      this.#enqueue(pod);
      if (previous !== undefined && contentHash(pod.spec) !== contentHash(previous.spec))
        this.#queue.unpark(uid);
      return;
    }
    this.#queue.remove(uid);
    this.#state.observe(pod, this.#deps.clock.monotonicMs());
    if (isTerminal(pod) && previous !== undefined && !isTerminal(previous)) this.#queue.unparkAll();
  }

  #onNode({ type, object: node, previous }: Change<Node>): void {
    this.#state.invalidate(node.metadata.name);
    if (type === 'deleted') return;
    if (previous === undefined || placementFacts(node) !== placementFacts(previous)) this.#queue.unparkAll();
  }

  #enqueue(pod: Pod): void {
    if (!isOurs(pod)) {
      this.#queue.remove(pod.metadata.uid);
      return;
    }
    if (this.#binding.has(pod.metadata.uid)) return;
    const { uid, namespace = '', name } = pod.metadata;
    this.#queue.add({ uid, namespace, name, priority: pod.spec.priority ?? 0 });
  }

  /** Decides in the next microtask, so that one burst of changes makes one burst of decisions. */
  #wake(): void {
    if (this.#awake || this.#stopped) return;
    this.#awake = true;
    queueMicrotask(() => this.#decide());
  }

  #decide(): void {
    this.#awake = false;
    if (this.#stopped) return;
    const { clock } = this.#deps;
    const untilMs = clock.monotonicMs() + SLICE_MS;
    const ready = this.#queue.takeReady();
    if (ready.length === 0) return;
    const nodes = new Map(this.#state.nodes().map((node) => [node.name, node]));
    for (const [i, waiting] of ready.entries()) {
      if (i > 0 && clock.monotonicMs() > untilMs) {
        for (const rest of ready.slice(i)) this.#queue.putBack(rest);
        this.#awake = true;
        setImmediate(() => this.#decide());
        return;
      }
      this.#placeOne(waiting, nodes);
    }
  }

  #placeOne(waiting: Waiting, nodes: Map<string, NodeState>): void {
    const pod = this.#deps.view.byUid('Pod', waiting.uid);
    if (pod === undefined || !isOurs(pod)) return;
    const wanted = podToPlace(pod);
    const allowed = this.#volumes.allowed(pod);
    const candidates = [...nodes.values()];
    const placement = allowed.ok
      ? place(wanted, candidates, allowed.required)
      : refusedByVolumes(candidates, allowed.why);
    if (!placement.ok) {
      this.#queue.failed(waiting, true);
      this.#track(this.#tellUnschedulable(pod, placement));
      return;
    }
    const node = nodes.get(placement.node);
    if (node !== undefined) nodes.set(placement.node, withPod(node, wanted, true));
    this.#state.assume(wanted, placement.node);
    this.#track(this.#bind(pod, waiting, placement, nodes.size));
  }

  async #bind(pod: Pod, waiting: Waiting, placement: Placement & { ok: true }, nodes: number): Promise<void> {
    const { client, events, log } = this.#deps;
    const { namespace = '', name, uid } = pod.metadata;
    this.#binding.add(uid);
    try {
      await this.#volumes.prepare(pod, placement.node);
      await client.bind(namespace, name, uid, placement.node);
      this.#binding.delete(uid);
    } catch (err) {
      this.#binding.delete(uid);
      this.#state.forget(uid);
      if (isApiError(err, 'NotFound')) return;
      // Conflict: bound by somebody else, or changed; the next look sees which. Others heal by time.
      log.debug('bind failed', { pod: keyOf(pod), node: placement.node, err });
      if (!this.#stopped) this.#queue.failed(waiting, false);
      return;
    }
    const { score, feasible, staleTelemetry } = placement;
    log.info('pod bound', { pod: keyOf(pod), node: placement.node, score, feasible, staleTelemetry });
    const message = `Successfully assigned ${keyOf(pod)} to ${placement.node} (${placementText(placement, nodes)})`;
    events.record({ involved: referenceTo(pod), type: 'Normal', reason: 'Scheduled', message });
  }

  async #tellUnschedulable(pod: Pod, placement: Placement & { ok: false }): Promise<void> {
    const { client, events, clock } = this.#deps;
    const { namespace = '', name, uid } = pod.metadata;
    const message = refusalText(placement.reasons);
    const involved = referenceTo(pod);
    events.record({ involved, type: 'Warning', reason: 'FailedScheduling', message, replaces: true });
    // The condition goes to the disk: only the summary, which does not change with every load figure.
    const summary = refusalSummary(placement.reasons);
    const present = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
    if (present?.status === 'False' && present.message === summary) return;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: summary,
      lastTransitionTime:
        (present?.status === 'False' ? present.lastTransitionTime : undefined) ?? momentOf(clock).time,
    } as const;
    await client.modify(
      'Pod',
      namespace,
      name,
      (draft) => {
        if (draft.metadata.uid !== uid || draft.spec.nodeName !== undefined) return false;
        draft.status = { ...draft.status, conditions: withCondition(draft.status?.conditions, condition) };
        return true;
      },
      'status',
    );
  }

  /** Writes run beside the next decisions; what they fail with is told, never thrown into nowhere. */
  #track(write: Promise<void>): void {
    const tracked = write
      .catch((err: unknown) => this.#deps.log.warn('scheduler write failed', { err }))
      .finally(() => this.#writes.delete(tracked));
    this.#writes.add(tracked);
  }
}

/** Kinds whose changes may let a pod with claims go somewhere. */
const VOLUME_KINDS: readonly string[] = ['PersistentVolumeClaim', 'PersistentVolume', 'StorageClass'];

/** The pod's volumes let it run nowhere, whatever the nodes are like. */
function refusedByVolumes(nodes: readonly NodeState[], why: string): Placement & { ok: false } {
  return { ok: false, reasons: nodes.map((node) => ({ node: node.name, refusals: [{ reason: why }] })) };
}

/** Pods this scheduler has to place. */
function isOurs(pod: Pod): boolean {
  const { nodeName, schedulerName } = pod.spec;
  if (nodeName !== undefined || pod.metadata.deletionTimestamp !== undefined || isTerminal(pod)) return false;
  return schedulerName === undefined || schedulerName === '' || schedulerName === SCHEDULER_NAME;
}

/** What of a node can make a difference to where pods fit. */
function placementFacts(node: Node): string {
  const { labels } = node.metadata;
  const { taints, unschedulable } = node.spec;
  const { allocatable, conditions } = node.status ?? {};
  const ready = conditions?.find((c) => c.type === 'Ready')?.status;
  return contentHash({ labels, taints, unschedulable, allocatable, ready });
}
