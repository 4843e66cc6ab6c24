import { Turn } from '../../kit/turn.ts';
import type { Namespace } from '../../protocol/kinds/core.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Change } from '../cluster.ts';
import { sameJson } from '../decide/content-hash.ts';
import { mayDisrupt } from '../decide/disruption-verdict.ts';
import type { ImageVariants } from '../decide/image-variants.ts';
import { IMAGE_PLATFORMS } from '../decide/node-object.ts';
import { type PodToPlace, podToPlace } from '../decide/pod-to-place.ts';
import { couldHelp, type Relief } from '../decide/retry-hints.ts';
import { isGated, isOurs } from '../decide/schedulable-pod.ts';
import { PRICE_LABEL } from '../decide/scores/price.ts';
import { type Loop, type LoopDeps, momentOf } from '../loop.ts';
import { ClusterState, type ReadLive, type Resident } from './cluster-state.ts';
import { Decider } from './decider.ts';
import { Nominations } from './nominations.ts';
import { Placer } from './placer.ts';
import { Preemptor } from './preemptor.ts';
import { Preview } from './preview.ts';
import { SchedulerWrites } from './scheduler-writes.ts';
import { SchedulingQueue } from './scheduling-queue.ts';
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
  /** Variants of an image, as `arm64`; what the nodes say of their images unless given. */
  readonly variants?: (image: string) => ImageVariants | undefined;
}

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
  readonly #queue: SchedulingQueue;
  readonly #state: ClusterState;
  readonly #placer: Placer;
  readonly #preemptor: Preemptor;
  readonly #decider: Decider;
  readonly #nominations = new Nominations();
  readonly #writes: SchedulerWrites;
  readonly #stops: (() => void)[] = [];
  readonly #turn: Turn;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #awake = false;
  #stopped = true;

  constructor(deps: LoopDeps, live: LiveSource, ports: SchedulerPorts = {}) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'scheduler' }) };
    this.#source = live;
    this.#turn = new Turn(deps.clock);
    this.#state = new ClusterState(deps.view, live.read);
    this.#placer = new Placer(this.#state);
    this.#queue = new SchedulingQueue(deps.clock, () => this.#wake());
    const { volumes = anyVolume, variants = (image) => this.#state.images.variantsOf(image) } = ports;
    this.preview = new Preview(this.#state, this.#placer, (pod) => {
      const bound = volumes.allowed(pod);
      return bound.ok ? podToPlace(pod, { variants, volumeNodes: bound.required }) : undefined;
    });
    this.#writes = new SchedulerWrites(this.#deps, volumes);
    this.#preemptor = new Preemptor(deps.view, this.#state, this.#placer, (pods, budgets) =>
      mayDisrupt(budgets, pods, momentOf(deps.clock)).map((verdict) => verdict.ok),
    );
    this.#decider = new Decider(this.#deps, {
      state: this.#state,
      placer: this.#placer,
      preemptor: this.#preemptor,
      nominations: this.#nominations,
      queue: this.#queue,
      writes: this.#writes,
      volumes,
      variants,
      onReturned: (resident) => this.#onLeft(resident),
      onReleased: (node) => this.#relieve({ what: 'node', node }),
    });
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
    this.#decider.stop();
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
      this.#unpromise(uid);
      const resident = this.#state.resident(uid);
      this.#state.forget(uid);
      if (resident !== undefined) this.#onLeft(resident);
    } else if (pod.spec.nodeName === undefined) {
      this.#onUnbound(pod, previous);
    } else {
      this.#queue.remove(uid);
      this.#unpromise(uid, pod.spec.nodeName);
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
    if (before !== undefined && (left || changed)) this.#onLeft(before);
    if (now !== undefined && (changed || previous?.spec.nodeName === undefined))
      this.#relieve({ what: 'podCame', pod: now.pod });
  }

  /** Tells those who wait that a pod has left its node. */
  #onLeft({ node, pod }: Resident): void {
    this.#relieve({ what: 'podLeft', node, pod });
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
    if (node !== undefined) this.#retryPromised(node, relief);
    for (const parked of this.#queue.parked()) {
      const answer = couldHelp(relief, parked, this.#state.namespaceLabels);
      if (answer === 'no') continue;
      if (answer === 'yes' || (node !== undefined && this.#hasRoom(parked.pod, node)))
        this.#queue.release(parked);
    }
  }

  /** Those who were promised a node try when they fit there, or when nobody is left to wait for. */
  #retryPromised(node: string, relief: Relief): void {
    for (const { pod } of this.#nominations.on(node)) {
      const isOver =
        relief.what === 'node' || [...this.#state.residents(node)].every((r) => !r.pod.terminating);
      if (isOver || this.#placer.fits(pod, node)) this.#queue.retry(pod.uid);
    }
  }

  /** Room is there, or can be made for a pod that none is being made for yet. */
  #hasRoom(pod: PodToPlace, node: string): boolean {
    if (this.#placer.isFree(pod, node, this.#nominations.before(pod))) return true;
    return this.#nominations.of(pod.uid) === undefined && this.#preemptor.couldMakeRoom(pod, node);
  }

  /** The pod does not need what it was promised; others may. */
  #unpromise(uid: string, boundTo?: string): void {
    const node = this.#nominations.forget(uid);
    if (node !== undefined && node !== boundTo) this.#relieve({ what: 'node', node });
  }

  #enqueue(pod: Pod): void {
    const { uid, namespace = '', name } = pod.metadata;
    if (!isOurs(pod)) {
      this.#queue.remove(uid);
      this.#unpromise(uid);
      return;
    }
    if (isGated(pod)) {
      this.#queue.remove(uid);
      this.#writes.run(this.#writes.tellGated(pod));
      return;
    }
    if (this.#decider.isBinding(uid) || this.#queue.has(uid)) return;
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
      this.#decider.decide(waiting);
      if (this.#turn.isOver) break;
    }
    this.#awake = true;
    setImmediate(() => this.#decide());
  }
}

/** What of a node can make a difference to where pods go. */
function placementFacts(node: Node): unknown {
  const { labels, annotations } = node.metadata;
  const { taints, unschedulable } = node.spec;
  const { allocatable, capacity, images, conditions } = node.status ?? {};
  const ready = conditions?.find((c) => c.type === 'Ready')?.status;
  const foreign = annotations?.[IMAGE_PLATFORMS];
  return { labels, foreign, taints, unschedulable, allocatable, capacity, images, ready };
}

function priceless(node: Node): unknown {
  const { [PRICE_LABEL]: _price, ...labels } = node.metadata.labels ?? {};
  return placementFacts({ ...node, metadata: { ...node.metadata, labels } });
}
