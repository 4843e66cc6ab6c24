import type { Change, ClusterView } from '../cluster.ts';
import { keyOf } from '../loop.ts';

type Listener = (change: Change) => void;

/**
 * Tells those who wait for certain claims of their changes. One subscription for all, which lasts as long as anybody waits: one
 * each would have every change of the cluster go through a thousand of them.
 */
export class ClaimListeners {
  readonly #view: Pick<ClusterView, 'subscribe'>;
  readonly #listeners = new Map<string, Set<Listener>>();
  #unsubscribe: (() => void) | undefined;

  constructor(view: Pick<ClusterView, 'subscribe'>) {
    this.#view = view;
  }

  /** Calls `listener` with every change of these claims, by `namespace/name`. Returns the way to stop. */
  listen(claims: readonly string[], listener: Listener): () => void {
    for (const claim of claims) {
      const known = this.#listeners.get(claim) ?? new Set<Listener>();
      this.#listeners.set(claim, known.add(listener));
    }
    this.#unsubscribe ??= this.#view.subscribe((change) => this.#onChange(change));
    return () => this.#leave(claims, listener);
  }

  #onChange(change: Change): void {
    if (change.kind !== 'PersistentVolumeClaim') return;
    // A copy: whoever has heard enough leaves while others are still to be told.
    for (const listener of [...(this.#listeners.get(keyOf(change.object)) ?? [])]) listener(change);
  }

  #leave(claims: readonly string[], listener: Listener): void {
    for (const claim of claims) {
      const known = this.#listeners.get(claim);
      known?.delete(listener);
      if (known?.size === 0) this.#listeners.delete(claim);
    }
    if (this.#listeners.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }
}
