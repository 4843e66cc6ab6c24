import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { KindName } from '../../protocol/kinds/kind-map.ts';
import type { Change } from '../cluster.ts';
import { keyOf, type Loop, type LoopDeps, loopQueue } from '../loop.ts';

/** What makes one controller differ from the next. */
export interface ObjectLoopOptions {
  /** Name in the log. */
  readonly name: string;
  /** Every object of this kind is looked at when the loop starts and when it changes. */
  readonly kind: KindName;
  /** Objects worked on side by side; 16 unless told. */
  readonly concurrency?: number;
  /** Makes one object true. A rejection is logged and tried again with back-off. */
  readonly reconcile: (key: string) => Promise<void>;
  /**
   * Least time between two passes over one object, in ms: what costs much is done less often, however many changes ask for it.
   * 0, the default, is at once.
   */
  readonly spacingMs?: (key: string) => number;
  /** Names the keys to look at because of a change of another kind. */
  readonly onChange?: (change: Change) => void;
}

/**
 * The life of a level-triggered controller: one pass per object at a time, woken by changes, never by a timer. Needs no
 * expectations, because the view shows every write once its promise has settled.
 */
export class ObjectLoop implements Loop {
  /** For passes that time alone brings. */
  readonly queue: KeyedQueue;
  /** When objects that cost much may be looked at again, monotonic ms. */
  readonly #notBeforeMs = new Map<string, number>();
  readonly #deps: LoopDeps;
  readonly #o: ObjectLoopOptions;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, options: ObjectLoopOptions) {
    this.#deps = deps;
    this.#o = options;
    const named = controllerDeps(deps, options.name);
    this.queue = loopQueue((key) => this.#pass(key), named, options.concurrency ?? 16);
  }

  /** Says "look at this object": at once, or when its spacing allows. */
  add(key: string): void {
    const notBeforeMs = this.#notBeforeMs.get(key);
    if (notBeforeMs === undefined) this.queue.add(key);
    else this.queue.addAfter(key, notBeforeMs - this.#deps.clock.monotonicMs());
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#unsubscribe = view.subscribe((change) => {
      if (change.kind === this.#o.kind) this.add(keyOf(change.object));
      this.#o.onChange?.(change);
    });
    for (const object of view.list(this.#o.kind)) this.queue.add(keyOf(object));
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.queue.stop();
  }

  async #pass(key: string): Promise<void> {
    const spacingMs = this.#o.spacingMs?.(key) ?? 0;
    if (spacingMs > 0) this.#notBeforeMs.set(key, this.#deps.clock.monotonicMs() + spacingMs);
    else this.#notBeforeMs.delete(key);
    await this.#o.reconcile(key);
  }
}

/** Pods of one owner up to which every change is looked at. */
const FEW_PODS = 100;
/** A pass takes about 2 us a pod: this keeps one owner at some 2 % of the processor. */
const MS_PER_POD = 0.1;

/** Spacing for controllers that look at every pod of an object; 0 for up to a hundred, 1 s for ten thousand. */
export function spacingForPods(pods: number): number {
  return pods <= FEW_PODS ? 0 : pods * MS_PER_POD;
}

/** The dependencies with a log that names the controller. */
export function controllerDeps(deps: LoopDeps, name: string): LoopDeps {
  return { ...deps, log: deps.log.with({ room: 'controllers', loop: name }) };
}
