import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { SYSTEM_CLASSES } from '../decide/priority.ts';
import { isApiError, type Loop, type LoopDeps, loopQueue } from '../loop.ts';
import { controllerDeps } from './object-loop.ts';

/** Makes the two system PriorityClasses at the first start; the store lets nobody delete them. */
export class PriorityClassController implements Loop {
  readonly #deps: LoopDeps;
  readonly #queue: KeyedQueue;

  constructor(deps: LoopDeps) {
    this.#deps = controllerDeps(deps, 'priority-classes');
    this.#queue = loopQueue((name) => this.#ensure(name), this.#deps, 2);
  }

  start(signal: AbortSignal): void {
    for (const { name } of SYSTEM_CLASSES) this.#queue.add(name);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #ensure(name: string): Promise<void> {
    const wanted = SYSTEM_CLASSES.find((c) => c.name === name);
    if (wanted === undefined || this.#deps.view.get('PriorityClass', '', name) !== undefined) return;
    const { value, description } = wanted;
    try {
      await this.#deps.client.create('PriorityClass', { metadata: { name }, value, description });
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  }
}
