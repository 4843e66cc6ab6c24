import { backoffMs } from '../../kit/backoff.ts';
import { type Clock, sleep } from '../../kit/clock.ts';
import { withDeadline } from '../../kit/deadline.ts';
import type { Logger } from '../../kit/logger.ts';
import type { ContainerView } from '../decide/container.ts';
import { isOomOpen } from '../decide/oom.ts';
import type { EngineEvent, Runtime } from './ports.ts';

const RECONNECT = { baseMs: 50, maxMs: 2_000 };
/** Longest wait for one answer of the engine; a stuck engine must not hold the agent for ever. */
const ANSWER_MS = 60_000;

export interface ObserverOptions {
  readonly runtime: Pick<Runtime, 'list' | 'inspect' | 'events'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Last words of a container that ended; undefined when it left none. */
  readonly lastWords: (view: ContainerView) => Promise<string | undefined>;
  /** Something about this pod's containers changed. */
  readonly onChange: (podUid: string) => void;
  /** The kernel killed a process of this container that took more memory than its limit; the container may run on. */
  readonly onOom?: (view: ContainerView) => void;
  /** The kernel itself tells that it killed a process of this container for want of memory. Must not throw. */
  readonly oomKilled?: (id: string) => boolean;
  /** A container was removed: its image may be free. */
  readonly onRemoved?: () => void;
  /** The engine answered with the whole list, at first or after it was away. */
  readonly onUp: () => void;
}

/**
 * The agent's picture of the containers: listed at the start and after every loss of the event stream, kept by events
 * and by what the agent does itself. Invariant: a container that ended is never shown as running again.
 */
export class EngineObserver {
  readonly #options: ObserverOptions;
  readonly #views = new Map<string, ContainerView>();
  readonly #notedMs = new Map<string, number>();
  readonly #asking = new Map<string, Promise<void>>();
  #ready = false;
  #done: Promise<void> = Promise.resolve();

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** True while the event stream is connected and the list has been read. */
  get ready(): boolean {
    return this.#ready;
  }

  start(signal: AbortSignal): void {
    this.#done = this.#follow(signal);
  }

  /** Resolves when the observer has stopped after its signal was aborted. */
  stopped(): Promise<void> {
    return this.#done;
  }

  containersOf(podUid: string): ContainerView[] {
    return [...this.#views.values()].filter((view) => view.podUid === podUid);
  }

  get(id: string): ContainerView | undefined {
    return this.#views.get(id);
  }

  /** Every container of the agent. */
  all(): ContainerView[] {
    return [...this.#views.values()];
  }

  /** Takes what the agent itself just learnt of a container. */
  note(view: ContainerView): void {
    const before = this.#views.get(view.id);
    if (before?.state === 'exited' && view.state !== 'exited') return;
    const { clock, onOom } = this.#options;
    const message = view.message ?? before?.message;
    const oomKilled = this.#isOomKilled(view, before);
    this.#notedMs.set(view.id, clock.monotonicMs());
    this.#views.set(view.id, {
      ...view,
      ...(view.state === 'exited'
        ? { exitedMs: before?.exitedMs ?? view.exitedMs ?? this.#exitedMs(view) }
        : {}),
      ...(message === undefined ? {} : { message }),
      ...(oomKilled ? { oomKilled } : {}),
    });
    if (oomKilled && before !== undefined && before.oomKilled !== true) onOom?.(view);
  }

  /**
   * Some engines forget a process killed for its memory when it was not the first one; with cgroup v2 they may not even notice,
   * when the container's cgroup is gone before they look.
   */
  #isOomKilled(view: ContainerView, before: ContainerView | undefined): boolean {
    if (view.oomKilled === true || before?.oomKilled === true) return true;
    return isOomOpen(view) && this.#options.oomKilled?.(view.id) === true;
  }

  forget(id: string): void {
    this.#views.delete(id);
    this.#notedMs.delete(id);
  }

  /** Asks the engine about one container. */
  async refresh(id: string, signal?: AbortSignal): Promise<void> {
    const view = await withDeadline(ANSWER_MS, signal, (s) => this.#options.runtime.inspect(id, s));
    if (view === undefined) return this.forget(id);
    this.note(view);
    if (view.state === 'exited') await this.#noteLastWords(view);
  }

  /** Asks the engine for everything. What was learnt during the question stays. */
  async relist(signal?: AbortSignal): Promise<void> {
    const { runtime, clock } = this.#options;
    const sinceMs = clock.monotonicMs();
    const views = await withDeadline(ANSWER_MS, signal, (s) => runtime.list(s));
    const present = new Set(views.map((view) => view.id));
    for (const id of [...this.#views.keys()])
      if (!present.has(id) && (this.#notedMs.get(id) ?? 0) < sinceMs) this.forget(id);
    for (const view of views) {
      if ((this.#notedMs.get(view.id) ?? -1) < sinceMs) this.note(view);
      if (view.state === 'exited') await this.#noteLastWords(view);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        await this.#connected(signal, () => {
          failures = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0) log.warn('container engine lost', { err: error });
      }
      this.#ready = false;
      if (signal.aborted) return;
      await sleep(clock, backoffMs(RECONNECT, failures + 1), signal).catch(() => undefined);
    }
  }

  /** One life of the event stream. Subscribes before it lists, so that nothing falls between. */
  async #connected(signal: AbortSignal, onUp: () => void): Promise<void> {
    const { runtime, onUp: tell } = this.#options;
    const events = await runtime.events(signal);
    await this.relist(signal);
    onUp();
    this.#ready = true;
    tell();
    for await (const event of events) this.#apply(event);
  }

  #apply(event: EngineEvent): void {
    const { onChange, onRemoved, onOom } = this.#options;
    const view = this.#views.get(event.id);
    if (event.type === 'destroy') this.forget(event.id);
    if (event.type === 'start' && view === undefined) this.#ask(event);
    if (event.type === 'oom' && view !== undefined) {
      // The first is told when it is noted; one that comes late is that first.
      if (view.oomKilled === true && view.state !== 'exited') onOom?.(view);
      this.note({ ...view, oomKilled: true });
    }
    if (event.type === 'die' && view !== undefined) {
      if (event.atMs < (view.startedAtMs ?? 0)) return;
      this.note({ ...view, state: 'exited', exitCode: event.exitCode, finishedAtMs: event.atMs });
      this.#ask(event);
    }
    if (event.type !== 'start' && event.type !== 'other') onChange(event.podUid);
    if (event.type === 'destroy') onRemoved?.();
  }

  /**
   * Resolves when the engine has finished with every container of the pod that just ended. It tells of an end before it
   * has given back the address; only then does it answer questions about the container.
   */
  async settled(podUid: string): Promise<void> {
    await Promise.all(this.containersOf(podUid).map((view) => this.#asking.get(view.id)));
  }

  /** Details that the event does not carry, beside whatever the pod does meanwhile. */
  #ask(event: EngineEvent): void {
    const { onChange, log } = this.#options;
    const asking = this.refresh(event.id).then(
      () => onChange(event.podUid),
      (error: unknown) => {
        // The list after a reconnect, or the slow resync, brings what this question would have.
        log.debug('container could not be inspected', { containerId: event.id, err: error });
      },
    );
    const tracked = asking.finally(() => {
      if (this.#asking.get(event.id) === tracked) this.#asking.delete(event.id);
    });
    this.#asking.set(event.id, tracked);
  }

  async #noteLastWords(view: ContainerView): Promise<void> {
    const message = await this.#options.lastWords(view);
    const current = this.#views.get(view.id);
    if (message && current !== undefined) this.#views.set(view.id, { ...current, message });
  }

  /** When a container ended that was found dead: by the engine's clock, which may be wrong, but never in the future. */
  #exitedMs(view: ContainerView): number {
    const { clock } = this.#options;
    const agoMs = view.finishedAtMs === undefined ? 0 : clock.nowMs() - view.finishedAtMs;
    return clock.monotonicMs() - Math.max(0, agoMs);
  }
}
