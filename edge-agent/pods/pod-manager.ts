import { setMaxListeners } from 'node:events';
import type { Clock, Timer } from '../../kit/clock.ts';
import { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Logger } from '../../kit/logger.ts';
import type { PodReport } from '../../protocol/wire/messages.ts';
import type { ContainerView } from '../decide/container.ts';
import { forgetFailures, forgetMissing, forgetShortages } from '../decide/pod-memory.ts';
import { bootId, lowestOomScore } from './boot-facts.ts';
import { configSource } from './config-source.ts';
import { DeviceDesk, type DeviceStock } from './device-desk.ts';
import { EngineObserver } from './engine-observer.ts';
import { EventRecorder } from './event-recorder.ts';
import { Images } from './images.ts';
import { lastWordsOf } from './last-words.ts';
import { Node, type NodeOptions } from './node-services.ts';
import { PodBook } from './pod-book.ts';
import type { Tools } from './pod-cell.ts';
import { PodDefence } from './pod-defence.ts';
import type { PodWorker } from './pod-worker.ts';
import type { DesiredState, PodContainer, PodSinks, Runtime } from './ports.ts';
import { VolumeSweep } from './volume-sweep.ts';
import { Volumes } from './volumes.ts';

/** Every pod is looked at this often even when nothing was heard of it. */
const RESYNC_MS = 5 * 60_000;
const RETRY = { baseMs: 200, maxMs: 10_000 };

export interface PodManagerOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sinks: PodSinks;
  readonly node: NodeOptions;
  /** Pods' files on the disk. */
  readonly dataDir: string;
  /** Pods' files in memory, `/run/coxswain`. */
  readonly runDir: string;
  /** How many pods may be worked on at once: creating and starting is bound by the processor. */
  readonly concurrency: number;
  /** Device resources of the node; absent: it has none. */
  readonly devices?: () => DeviceStock;
  /** Whether the kernel tells that it killed a process of this container for want of memory; absent: the engine alone tells. */
  readonly oomKilled?: (containerId: string) => boolean;
}

/**
 * Keeps the pods of this node as they are desired: one serial worker per pod; desired state, engine events, probes, timers
 * and a slow resync only say "look at this pod". Needs no network but the engine's socket. Invariants: a pod is removed
 * only when an accepted desired state does not name it; starting and stopping the manager touches no container.
 */
export class PodManager {
  /** The pods as the defence of the node sees them. */
  readonly defence: PodDefence;
  readonly #options: PodManagerOptions;
  readonly #tools: Tools;
  readonly #node: Node;
  readonly #observer: EngineObserver;
  readonly #queue: KeyedQueue;
  readonly #book: PodBook;
  readonly #sweep: VolumeSweep;
  readonly #abort = new AbortController();
  #desired: DesiredState | undefined;
  #resync: Timer | undefined;

  constructor(options: PodManagerOptions) {
    this.#options = options;
    // Every request in flight listens for the end of the agent: many at once are no leak.
    setMaxListeners(0, this.#abort.signal);
    const { runtime, clock, log, sinks } = options;
    const room = log.with({ room: 'pods' });
    this.defence = new PodDefence(() => this.#tools, {
      cells: () => this.#book.cells(),
      desired: () => this.#desired,
      isEngineReady: () => this.engineReady,
      lookAtAll: () => this.#lookAtAll(),
    });
    this.#node = new Node(options.node, runtime, room, () => this.#usedAddresses());
    this.#observer = new EngineObserver({
      runtime,
      clock,
      log: room,
      lastWords: (view) =>
        lastWordsOf(this.#tools, view, this.#book.cellOf(view.podUid)?.pod, this.#abort.signal),
      onChange: (uid) => this.#queue.add(uid),
      onOom: (view) => this.#tellOom(view),
      oomKilled: (id) => options.oomKilled?.(id) === true,
      onRemoved: () => sinks.onImagesTouched?.(),
      onUp: () => this.#engineUp(),
    });
    this.#tools = {
      runtime,
      clock,
      log: room,
      events: new EventRecorder(clock, sinks.onEvent),
      observer: this.#observer,
      images: new Images(runtime, clock, () => sinks.onImagesTouched?.()),
      volumes: new Volumes(options.dataDir, options.runDir),
      devices: new DeviceDesk(options.devices ?? (() => ({ names: [], units: [] }))),
      isLean: () => this.defence.isLean,
      node: this.#node,
      wake: (uid) => this.#queue.add(uid),
    };
    this.#book = new PodBook({
      tools: this.#tools,
      desired: () => this.#desired,
      onStatus: sinks.onStatus,
      keepAddress: (uid, ip) => this.#node.keepAddress(uid, ip),
    });
    this.#sweep = new VolumeSweep({
      folders: this.#tools.volumes.claims,
      desired: () => this.#desired,
      hasUnknownPods: () => this.#hasUnknownPods(),
      onChange: () => sinks.onVolumes?.(),
      log: room,
    });
    this.#queue = new KeyedQueue((uid) => this.#run(uid), {
      clock,
      concurrency: options.concurrency,
      backoff: RETRY,
      onError: (key, error, failures, retryMs) => {
        const level = failures > 3 ? 'warn' : 'debug';
        room[level]('pod could not be worked on', { key, err: error, failures, retryMs });
      },
    });
  }

  /** True once the engine's containers are known; until then no pod is acted on. */
  get engineReady(): boolean {
    return this.#observer.ready;
  }

  /** Of the volumes that the hub asked to remove, those of which nothing is left on the disk. */
  get removedVolumes(): readonly string[] {
    return this.#sweep.removed;
  }

  /** Begins to observe the engine; pods are worked on as soon as it answers. Ends when `signal` aborts, as by `stop`. */
  async start(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    signal.addEventListener('abort', () => void this.stop(), { once: true });
    this.#node.bootId = await bootId(this.#options.runDir);
    this.#node.lowestOomScore = await lowestOomScore();
    this.#observer.start(this.#abort.signal);
    this.#armResync();
  }

  /** Ends all work; resolves when nothing runs any more. Touches no container. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#resync?.cancel();
    this.#book.stop();
    await this.#queue.stop();
    await this.#observer.stopped();
  }

  /** Takes the whole desired state: at the start from the cache, then with every accepted step. */
  setDesired(desired: DesiredState): void {
    this.#desired = desired;
    this.#node.setItem(desired.node);
    for (const cell of this.#book.cells()) cell.memory = forgetMissing(cell.memory);
    this.#lookAtAll();
  }

  /** The pod's containers for logs, exec and attach; empty when the pod is unknown. */
  containersOf(podUid: string): PodContainer[] {
    return this.#book.containersOf(podUid);
  }

  /** Where the pod answers on the network; undefined when it has no address. */
  addressOf(podUid: string): string | undefined {
    const cell = this.#book.cellOf(podUid);
    return cell?.pod.spec.hostNetwork === true ? this.#node.hostIp() : cell?.memory.ip;
  }

  /** Devices came or went: who has one, or waits for one, is looked at again. */
  devicesChanged(): void {
    for (const uid of this.#tools.devices.holders()) this.#queue.add(uid);
    for (const cell of this.#book.cells()) {
      const next = forgetShortages(cell.memory);
      if (next === cell.memory) continue;
      cell.memory = next;
      this.#queue.add(cell.uid);
    }
  }

  /** Every pod this node holds with its newest status, gone ones included until the desired state drops them. */
  inventory(): PodReport[] {
    return this.#book.inventory();
  }

  async #run(uid: string): Promise<void> {
    if (!this.#observer.ready) return;
    const worker = await this.#book.worker(uid, this.#desired?.pods.get(uid));
    if (worker === undefined) return;
    const { cell } = worker;
    // Read after the pause: a desired state that came meanwhile did not know of this worker, and nobody looks again.
    const pod = this.#desired?.pods.get(uid);
    if (pod !== undefined) {
      cell.pod = pod;
      cell.config = configSource(this.#desired, pod);
    }
    // Without any desired state (cache unreadable, hub never heard) the labels are the cache: leave running and report.
    if (this.#desired === undefined) return worker.watch();
    cell.removed = pod === undefined;
    const round = await worker.look(this.#abort.signal);
    if (cell.memory.ended !== undefined) this.#giveBack(uid);
    if (round.gone === true) {
      this.#forget(uid, worker);
      this.#sweep.look();
    }
    if (round.gone !== true && round.again !== undefined) this.#queue.addAfter(uid, round.again);
  }

  /** Nothing of the pod is left. Its record stays until the desired state drops it, so that `gone` can be told again. */
  #forget(uid: string, worker: PodWorker): void {
    this.#giveBack(uid);
    const desired = this.#desired?.pods.has(uid) === true;
    if (desired && !worker.isRemoved) return;
    this.#book.close(uid);
    if (desired) this.#queue.add(uid);
  }

  #giveBack(uid: string): void {
    this.#node.freeAddress(uid);
    if (this.#tools.devices.free(uid)) this.devicesChanged();
  }

  #tellOom({ podUid, name }: ContainerView): void {
    const pod = this.#book.cellOf(podUid)?.pod;
    if (pod === undefined) return;
    const text = `Memory cgroup out of memory: a process of container ${name} was killed`;
    this.#tools.events.warning(pod, 'OOMKilling', text, name);
  }

  #lookAtAll(): void {
    const uids = new Set([
      ...(this.#desired?.pods.keys() ?? []),
      ...this.#book.uids(),
      ...this.#observer.all().map((view) => view.podUid),
    ]);
    for (const uid of uids) this.#queue.add(uid);
    this.#sweep.look();
  }

  /** Until the engine has told what it holds, and while it holds a pod that nobody describes, any volume may be in use. */
  #hasUnknownPods(): boolean {
    if (!this.#observer.ready) return true;
    const pods = this.#desired?.pods;
    const undescribed = this.#observer.all().some((view) => pods?.has(view.podUid) !== true);
    return undescribed || this.#book.uids().some((uid) => pods?.has(uid) !== true);
  }

  #engineUp(): void {
    this.#node.engineReturned();
    this.#tools.devices.recover(this.#observer.all());
    this.#options.sinks.onImagesTouched?.();
    for (const cell of this.#book.cells()) cell.memory = forgetFailures(cell.memory);
    this.#lookAtAll();
  }

  #armResync(): void {
    const { clock, log } = this.#tools;
    this.#resync = clock.after(RESYNC_MS, () => {
      this.#armResync();
      this.#observer.relist(this.#abort.signal).then(
        () => this.#lookAtAll(),
        (error: unknown) => {
          // The event stream notices a lost engine by itself and lists again when it is back.
          log.debug('resync could not list containers', { err: error });
        },
      );
    });
  }

  #usedAddresses(): ReadonlySet<string> {
    const live = this.#observer.all().filter((view) => view.state !== 'exited');
    return new Set(live.flatMap((view) => view.podIp ?? []));
  }
}
