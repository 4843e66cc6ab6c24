import { storageLimits } from '../decide/local-storage.ts';
import type { Eviction } from '../decide/pod-memory.ts';
import { plannedContainers } from '../decide/pod-shape.ts';
import { asEvictable, type EvictablePod, evictPod, isBeingEvicted } from './evict-pod.ts';
import type { PodCell, Tools } from './pod-cell.ts';
import type { DesiredState } from './ports.ts';

/** What the defence reads of the pod manager. */
export interface PodDefenceSources {
  cells(): readonly PodCell[];
  desired(): DesiredState | undefined;
  isEngineReady(): boolean;
  /** Every pod is to be looked at. */
  lookAtAll(): void;
}

/** The pods as the defence of the node sees them: what may go, what must stay. */
export class PodDefence {
  readonly #tools: () => Tools;
  readonly #sources: PodDefenceSources;
  #isLean = false;
  /** The desired state that `#limited` was read from. */
  #seen: DesiredState | undefined;
  #limited: ReadonlySet<string> = new Set();

  constructor(tools: () => Tools, sources: PodDefenceSources) {
    this.#tools = tools;
    this.#sources = sources;
  }

  get engineReady(): boolean {
    return this.#sources.isEngineReady();
  }

  /** True while dead containers that only show logs must make room. */
  get isLean(): boolean {
    return this.#isLean;
  }

  setLean(isLean: boolean): void {
    if (isLean === this.#isLean) return;
    this.#isLean = isLean;
    if (isLean) this.#sources.lookAtAll();
  }

  /** Tells people about the node itself. */
  tellNode(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { events, node } = this.#tools();
    events.node(node.nodeName, type, reason, message);
  }

  /** Image references that must stay on the node: of every pod it holds, and those being pulled. */
  neededImages(): Set<string> {
    const held = this.#sources.cells().filter((cell) => !cell.memory.gone);
    const pods = [...(this.#sources.desired()?.pods.values() ?? []), ...held.map((cell) => cell.pod)];
    const named = pods.flatMap((pod) => plannedContainers(pod.spec).map((p) => p.spec.image));
    return new Set([...named, ...this.#tools().images.pulling()]);
  }

  /** Pods that run and could be evicted. */
  evictable(): EvictablePod[] {
    return this.#sources.cells().flatMap((cell) => asEvictable(this.#tools(), cell) ?? []);
  }

  /** Those of them that have limits of local storage. The pods are looked through once for each desired state. */
  limited(): EvictablePod[] {
    const desired = this.#sources.desired();
    if (desired !== this.#seen) {
      this.#seen = desired;
      const pods = [...(desired?.pods.values() ?? [])];
      const limited = pods.filter((pod) => storageLimits(pod.spec) !== undefined);
      this.#limited = new Set(limited.map((pod) => pod.metadata.uid));
    }
    if (this.#limited.size === 0) return [];
    const cells = this.#sources.cells().filter((cell) => this.#limited.has(cell.uid));
    return cells.flatMap((cell) => asEvictable(this.#tools(), cell) ?? []);
  }

  /** True while an evicted pod has not ended. */
  get isEvicting(): boolean {
    return this.#sources.cells().some(isBeingEvicted);
  }

  /** Ends a pod for good because the node is short of something. Resolves when that is durable; the pod then stops. */
  async evict(podUid: string, eviction: Eviction): Promise<void> {
    const cell = this.#sources.cells().find((c) => c.uid === podUid);
    if (cell !== undefined && asEvictable(this.#tools(), cell) !== undefined)
      await evictPod(this.#tools(), cell, eviction);
  }
}
