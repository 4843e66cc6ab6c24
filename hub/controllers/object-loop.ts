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
  /** Names the keys to look at because of a change of another kind. */
  readonly onChange?: (change: Change) => void;
}

/**
 * The life of a level-triggered controller: one pass per object at a time, woken by changes, never by a timer. Needs no
 * expectations, because the view shows every write once its promise has settled.
 */
export class ObjectLoop implements Loop {
  /** Where `onChange` and time-driven passes put their keys. */
  readonly queue: KeyedQueue;
  readonly #deps: LoopDeps;
  readonly #o: ObjectLoopOptions;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, options: ObjectLoopOptions) {
    this.#deps = deps;
    this.#o = options;
    this.queue = loopQueue(options.reconcile, controllerDeps(deps, options.name), options.concurrency ?? 16);
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#unsubscribe = view.subscribe((change) => {
      if (change.kind === this.#o.kind) this.queue.add(keyOf(change.object));
      this.#o.onChange?.(change);
    });
    for (const object of view.list(this.#o.kind)) this.queue.add(keyOf(object));
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.queue.stop();
  }
}

/** The dependencies with a log that names the controller. */
export function controllerDeps(deps: LoopDeps, name: string): LoopDeps {
  return { ...deps, log: deps.log.with({ room: 'controllers', loop: name }) };
}
