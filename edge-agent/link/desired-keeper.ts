import type { Logger } from '../../kit/logger.ts';
import type { DesiredMessage, Item, ItemKey } from '../../protocol/wire/messages.ts';
import { applyDesired, type DesiredStep, type HeldState, indexOf } from '../decide/desired-step.ts';

/** Where accepted steps are made durable; `edge-agent/cache` implements it. */
export interface StepStore {
  /** Resolves once the step is on the disk; rejects when it cannot be, and then nothing of it is there. */
  accept(next: HeldState, put: readonly Item[], del: readonly ItemKey[]): Promise<void>;
}

/** What became of a desired message. `failed`: it could not be made durable, so it was not followed. */
export type KeptStep = Exclude<DesiredStep['do'], 'stage'> | 'staged' | 'failed';

export interface DesiredKeeperOptions {
  readonly held: HeldState;
  /** Cluster of the device's identity: a device that has never been told follows no other hub either. */
  readonly cluster: () => string;
  readonly store: StepStore;
  /** Called after the step is durable, only when an item changed. */
  readonly onDesired: (next: HeldState) => void;
  readonly log: Logger;
}

/** Content staged ahead of its index may not grow without end; what falls out is asked for again. */
const MAX_STAGED_ITEMS = 2000;

/**
 * Holds the desired state of the device and moves it forward one message at a time: decide, make durable, then act. Invariants:
 * `held` is what the disk has, up to a generation that changed nothing; messages are followed in the order they came.
 */
export class DesiredKeeper {
  readonly #options: DesiredKeeperOptions;
  #held: HeldState;
  #staged: Item[] = [];
  #tail: Promise<unknown> = Promise.resolve();

  constructor(options: DesiredKeeperOptions) {
    this.#options = options;
    this.#held = options.held;
  }

  get held(): HeldState {
    return this.#held;
  }

  /** What hello and sync say: whose state is held, its generation and its index. */
  summary(): { cluster: string; gen: number; have: Record<ItemKey, string> } {
    const { cluster, gen } = this.#held;
    return { cluster, gen, have: indexOf(this.#held) };
  }

  /** A new conversation: content staged in the old one may be of another hub. */
  restart(): void {
    this.#staged = [];
  }

  /** Follows a message after all earlier ones. Never rejects. */
  apply(message: DesiredMessage): Promise<{ kept: KeptStep; step: DesiredStep }> {
    const result = this.#tail.then(() => this.#apply(message));
    this.#tail = result;
    return result;
  }

  async #apply(message: DesiredMessage): Promise<{ kept: KeptStep; step: DesiredStep }> {
    const { log, store, onDesired } = this.#options;
    const asHeld = { ...this.#held, cluster: this.#held.cluster || this.#options.cluster() };
    const step = applyDesired(asHeld, message, this.#staged);
    log.debug('desired step', { step: step.do, gen: message.gen, base: message.base });
    if (step.do === 'stage') {
      this.#staged = [...this.#staged, ...step.items].slice(-MAX_STAGED_ITEMS);
      return { kept: 'staged', step };
    }
    this.#staged = [];
    if (step.do !== 'accept') return { kept: step.do, step };
    const isChanged = step.put.length > 0 || step.del.length > 0 || this.#held.cluster !== step.next.cluster;
    if (isChanged) {
      try {
        await store.accept(step.next, step.put, step.del);
      } catch (err) {
        // Not followed: the hub's next full set brings it again, and what runs keeps running.
        log.error('desired state not written, keeping the old one', { gen: message.gen, err });
        return { kept: 'failed', step };
      }
    }
    this.#held = step.next;
    if (isChanged) {
      log.info('desired state accepted', {
        gen: step.next.gen,
        changed: step.put.length,
        removed: step.del.length,
      });
      onDesired(step.next);
    }
    return { kept: 'accept', step };
  }
}
