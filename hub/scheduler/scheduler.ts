import type { Namespace } from '../../protocol/kinds/core.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Change } from '../cluster.ts';
import { sameJson } from '../decide/content-hash.ts';
import { type MayDisrupt, mayDisrupt } from '../decide/disruption-budgets.ts';
import type { NotPlaced, Placed } from '../decide/place.ts';
import { refusalSummary, refusalText, withPreemption } from '../decide/placement-text.ts';
import { isTerminal } from '../decide/pod-facts.ts';
import { type PodToPlace, podClassOf, podToPlace } from '../decide/pod-to-place.ts';
import { type Blockers, blockersOf, couldHelp, type Relief } from '../decide/retry-hints.ts';
import { PRICE_LABEL } from '../decide/scores/price.ts';
import { isApiError, keyOf, type Loop, type LoopDeps } from '../loop.ts';
import { ClusterState, type ReadLive } from './cluster-state.ts';
import { Nominations } from './nominations.ts';
import { Placer } from './placer.ts';
import { Preemptor } from './preemptor.ts';
import { Preview } from './preview.ts';
import { SchedulerWrites } from './scheduler-writes.ts';
import { SchedulingQueue, type Waiting } from './scheduling-queue.ts';
import { anyVolume, type VolumeBinder } from './volume-binder.ts';

/** What the scheduler needs to know of telemetry. */
export interface LiveSource {
  readonly read: ReadLive;
  /** Calls with a node's name when its load moved meaningfully or its telemetry came back. */
  readonly subscribe: (listener: (node: string) => void) => () => void;
}

/** What others know that placement depends on; each has a default that stands in nobody's way. */
export interface SchedulerPorts {
  readonly volumes?: VolumeBinder;
  readonly mayDisrupt?: MayDisrupt;
  /** All architectures of an image, as `arm64`; undefined while they are not known. */
  readonly architectures?: (image: string) => readonly string[] | undefined;
}

const SCHEDULER_NAME = 'default-scheduler';
/** Longest the scheduler decides before it lets others have the process, in ms. */
const SLICE_MS = 25;
/** Telemetry that grows stale tells nobody: all of it is looked at before decisions, but not more often than this. */
const SWEEP_MS = 100;
const VOLUME_KINDS: readonly string[] = ['PersistentVolumeClaim', 'PersistentVolume', 'StorageClass'];

/**
 * Binds pods that have no node, one decision after the other on one consistent state, the writes side by side. Wakes on changes
 * only. Invariants: a pod is bound at most once (the client refuses a second time); every placement is assumed before the next
 * decision is taken; a pod that fits nowhere is not tried again before something changes that could help it.
 */
export class Scheduler implements Loop {
  /** Where pods that have a node would go today. */
  readonly preview: Preview;
  readonly #deps: LoopDeps;
  readonly #source: LiveSource;
  readonly #ports: SchedulerPorts;
  readonly #queue: SchedulingQueue;
  readonly #state: ClusterState;
  readonly #placer: Placer;
  readonly #preemptor: Preemptor;
  readonly #nominations = new Nominations();
  readonly #writes: SchedulerWrites;
  readonly #stops: (() => void)[] = [];
  /** Pods whose bind is under way, by uid: they are not tried a second time meanwhile. */
  readonly #binding = new Set<string>();
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #awake = false;
  #stopped = true;

  constructor(deps: LoopDeps, live: LiveSource, ports: SchedulerPorts = {}) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'scheduler' }) };
    this.#source = live;
    this.#ports = ports;
    this.#state = new ClusterState(deps.view, live.read);
    this.#placer = new Placer(this.#state);
    this.#preemptor = new Preemptor(deps.view, this.#state, this.#placer, ports.mayDisrupt ?? mayDisrupt);
    this.preview = new Preview(this.#state, this.#placer, (pod) => {
      const volumes = (ports.volumes ?? anyVolume).allowed(pod);
      return volumes.ok ? this.#toPlace(pod, volumes.required) : undefined;
    });
    this.#writes = new SchedulerWrites(this.#deps, ports.volumes ?? anyVolume);
    this.#queue = new SchedulingQueue(deps.clock, () => this.#wake());
  }

  start(signal: AbortSignal): void {
    this.#stopped = false;
    const { view, clock } = this.#deps;
    for (const node of view.list('Node')) this.#state.setNode(node);
    for (const pod of view.list('Pod')) {
      if (pod.spec.nodeName === undefined) this.#enqueue(pod);
      else this.#state.observe(pod, clock.monotonicMs());
    }
    this.#stops.push(
      view.subscribe((change) => this.#onChange(change)),
      this.#source.subscribe((node) => this.#onLoad(node)),
    );
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#queue.stop();
    await this.#writes.settled();
  }

  #onChange(change: Change): void {
    const { kind } = change;
    if (kind === 'Pod') this.#onPod(change as Change<Pod>);
    else if (kind === 'Node') this.#onNode(change as Change<Node>);
    else if (kind === 'Namespace') this.#onNamespace(change as Change<Namespace>);
    else if (VOLUME_KINDS.includes(kind)) this.#relieve({ what: 'volume' });
  }

  #onPod({ type, object: pod, previous }: Change<Pod>): void {
    const { uid } = pod.metadata;
    if (type === 'deleted') {
      this.#queue.remove(uid);
      this.#nominations.forget(uid);
      this.#left(uid, () => this.#state.forget(uid));
    } else if (pod.spec.nodeName === undefined) {
      this.#onUnbound(pod, previous);
    } else {
      this.#queue.remove(uid);
      this.#nominations.forget(uid);
      this.#onBound(pod, previous);
    }
  }

  #onUnbound(pod: Pod, previous: Pod | undefined): void {
    this.#enqueue(pod);
    if (previous === undefined || !this.#queue.has(pod.metadata.uid)) return;
    const isSame =
      sameJson(pod.spec, previous.spec) && sameJson(pod.metadata.labels, previous.metadata.labels);
    if (!isSame) this.#queue.retry(pod.metadata.uid);
  }

  #onBound(pod: Pod, previous: Pod | undefined): void {
    const { uid } = pod.metadata;
    const before = this.#state.resident(uid);
    const left = this.#state.observe(pod, this.#deps.clock.monotonicMs());
    const now = this.#state.resident(uid);
    const changed = before?.pod !== now?.pod;
    if (before !== undefined && (left || changed))
      this.#relieve({ what: 'podLeft', node: before.node, pod: before.pod });
    if (now !== undefined && (changed || previous?.spec.nodeName === undefined))
      this.#relieve({ what: 'podCame', pod: now.pod });
  }

  /** Tells those who wait that a pod has left its node, when it was on one. */
  #left(uid: string, remove: () => void): void {
    const resident = this.#state.resident(uid);
    remove();
    if (resident !== undefined) this.#relieve({ what: 'podLeft', node: resident.node, pod: resident.pod });
  }

  #onNode({ type, object: node, previous }: Change<Node>): void {
    const { name } = node.metadata;
    if (type === 'deleted') this.#state.removeNode(name);
    else if (previous !== undefined && sameJson(placementFacts(node), placementFacts(previous))) return;
    else this.#state.setNode(node);
    // What a node costs keeps no pod away.
    if (type === 'modified' && previous !== undefined && sameJson(priceless(node), priceless(previous)))
      return;
    this.#relieve({ what: 'node', node: name });
  }

  #onNamespace({ object, previous }: Change<Namespace>): void {
    if (sameJson(object.metadata.labels, previous?.metadata.labels)) return;
    this.#state.namespacesChanged();
    this.#relieve({ what: 'namespace' });
  }

  #onLoad(node: string): void {
    this.#state.refreshNode(node);
    this.#relieve({ what: 'load', node });
  }

  /** Lets those try again whom the change could help: of each class one, the others follow it while there is room. */
  #relieve(relief: Relief): void {
    const node = 'node' in relief ? relief.node : undefined;
    if (node !== undefined) for (const uid of this.#nominations.on(node)) this.#queue.retry(uid);
    for (const parked of this.#queue.parked()) {
      const answer = couldHelp(relief, parked, this.#state.namespaceLabels);
      if (answer === 'no') continue;
      const helps =
        answer === 'yes' ||
        (node !== undefined && this.#placer.fits(parked.pod, node)) ||
        (relief.what === 'node' && parked.pod.priority > this.#state.lowestPriority);
      if (helps) this.#queue.release(parked);
    }
  }

  #enqueue(pod: Pod): void {
    const { uid, namespace = '', name } = pod.metadata;
    if (!isOurs(pod)) {
      this.#queue.remove(uid);
      return;
    }
    if (isGated(pod)) {
      this.#queue.remove(uid);
      this.#writes.run(this.#writes.tellGated(pod));
      return;
    }
    if (this.#binding.has(uid) || this.#queue.has(uid)) return;
    const nominated = pod.status?.nominatedNodeName;
    if (nominated !== undefined && nominated !== '') this.#nominations.add(podToPlace(pod), nominated);
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
    const startedAtMs = clock.monotonicMs();
    if (startedAtMs - this.#sweptAtMs >= SWEEP_MS) {
      this.#sweptAtMs = startedAtMs;
      this.#state.refreshLive();
    }
    for (;;) {
      const waiting = this.#queue.take();
      if (waiting === undefined) return;
      this.#decideOne(waiting);
      if (clock.monotonicMs() - startedAtMs > SLICE_MS) break;
    }
    this.#awake = true;
    setImmediate(() => this.#decide());
  }

  #decideOne(waiting: Waiting): void {
    const pod = this.#deps.view.byUid('Pod', waiting.uid);
    if (pod === undefined || !isOurs(pod) || isGated(pod)) {
      this.#queue.remove(waiting.uid);
      return;
    }
    const volumes = (this.#ports.volumes ?? anyVolume).allowed(pod);
    const wanted = this.#toPlace(pod, volumes.ok ? volumes.required : undefined);
    if (!volumes.ok) {
      this.#parkForVolumes(pod, waiting, wanted, volumes.why);
      return;
    }
    const promised = this.#nominations.before(wanted);
    const nominated = this.#nominations.of(wanted.uid);
    const placement =
      (nominated === undefined ? undefined : this.#placer.placeOn(wanted, nominated, promised)) ??
      this.#placer.place(wanted, promised);
    if (placement.ok) this.#take(pod, waiting, wanted, placement);
    else this.#park(pod, waiting, wanted, placement);
  }

  #toPlace(pod: Pod, volumeNodes: PodToPlace['volumeNodes'] | undefined): PodToPlace {
    const { architectures } = this.#ports;
    return podToPlace(pod, {
      ...(volumeNodes !== undefined && { volumeNodes }),
      ...(architectures !== undefined && { architectures }),
    });
  }

  #take(pod: Pod, waiting: Waiting, wanted: PodToPlace, placement: Placed): void {
    this.#nominations.forget(wanted.uid);
    this.#state.assume(wanted, placement.node);
    this.#queue.placed(waiting);
    this.#writes.run(this.#bind(pod, waiting, placement));
  }

  #park(pod: Pod, waiting: Waiting, wanted: PodToPlace, { reasons }: NotPlaced): void {
    const preemption = this.#preemptor.plan(pod, wanted, reasons, this.#nominations.before(wanted));
    let blockers: Blockers = blockersOf(reasons);
    if (preemption.ok) {
      this.#makeRoom(pod, wanted, preemption.node, preemption.victims);
      // Whatever kept it away, the room that is made now is what it waits for.
      blockers = new Set([...blockers, 'resources']);
    } else if (!preemption.why.startsWith('not eligible')) {
      this.#nominations.forget(wanted.uid);
      this.#writes.run(this.#writes.nominate(pod, undefined));
    }
    const why = preemption.ok ? undefined : preemption.why;
    this.#queue.park(waiting, podClassOf(wanted), wanted, blockers);
    const summary = withPreemption(refusalSummary(reasons), why);
    this.#writes.run(this.#writes.tellUnschedulable(pod, summary, refusalText(reasons, why)));
  }

  #parkForVolumes(pod: Pod, waiting: Waiting, wanted: PodToPlace, why: string): void {
    this.#queue.park(waiting, podClassOf(wanted), wanted, new Set(['volume']));
    const text = `0/${this.#state.nodes.count} nodes are available: ${why}.`;
    this.#writes.run(this.#writes.tellUnschedulable(pod, text, text));
  }

  #makeRoom(pod: Pod, wanted: PodToPlace, node: string, victims: readonly Pod[]): void {
    // Less important pods that room was made for here have to look for another.
    for (const { pod: other } of this.#nominations.lowerOn(node, wanted.priority)) {
      this.#nominations.forget(other.uid);
      this.#queue.retry(other.uid);
      const object = this.#deps.view.byUid('Pod', other.uid);
      if (object !== undefined) this.#writes.run(this.#writes.nominate(object, undefined));
    }
    this.#nominations.add(wanted, node);
    this.#writes.run(this.#writes.nominate(pod, node));
    for (const victim of victims) this.#writes.run(this.#writes.preempt(victim, pod, node));
  }

  async #bind(pod: Pod, waiting: Waiting, placement: Placed): Promise<void> {
    const { uid } = pod.metadata;
    this.#binding.add(uid);
    try {
      await this.#writes.bind(pod, placement, this.#state.nodes.count);
      this.#binding.delete(uid);
    } catch (err) {
      this.#binding.delete(uid);
      const now = this.#deps.view.byUid('Pod', uid);
      if (now?.spec.nodeName === undefined) this.#left(uid, () => this.#state.forget(uid));
      if (now === undefined || isApiError(err, 'NotFound')) return;
      // Conflict: bound by somebody else, or changed; the next look sees which. Others heal by time.
      this.#deps.log.debug('bind failed', { pod: keyOf(pod), node: placement.node, err });
      if (!this.#stopped && isOurs(now)) this.#queue.failed(waiting);
    }
  }
}

/** Pods this scheduler has to place. */
function isOurs(pod: Pod): boolean {
  const { nodeName, schedulerName } = pod.spec;
  if (nodeName !== undefined || pod.metadata.deletionTimestamp !== undefined || isTerminal(pod)) return false;
  return schedulerName === undefined || schedulerName === '' || schedulerName === SCHEDULER_NAME;
}

function isGated(pod: Pod): boolean {
  return (pod.spec.schedulingGates?.length ?? 0) > 0;
}

/** What of a node can make a difference to where pods go. */
function placementFacts(node: Node): unknown {
  const { labels } = node.metadata;
  const { taints, unschedulable } = node.spec;
  const { allocatable, capacity, images, conditions } = node.status ?? {};
  const ready = conditions?.find((c) => c.type === 'Ready')?.status;
  return { labels, taints, unschedulable, allocatable, capacity, images, ready };
}

function priceless(node: Node): unknown {
  const { [PRICE_LABEL]: _price, ...labels } = node.metadata.labels ?? {};
  return placementFacts({ ...node, metadata: { ...node.metadata, labels } });
}
