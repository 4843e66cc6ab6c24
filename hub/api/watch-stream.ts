import type { Timer } from '../../kit/clock.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { ApiContext } from './context.ts';
import type { ProjectOptions } from './projection.ts';
import type { Filter } from './selection.ts';
import { bookmark, type WatchEvent } from './watch-events.ts';
import type { WatchSink } from './watch-sink.ts';

/** Events a slow reader may have waiting before it is cut off; the objects are shared with the store. */
const MAX_WAITING = 10_000;
/** A reader that takes nothing for this long while events wait is cut off. */
const STALL_MS = 60_000;
const BOOKMARK_MS = 60_000;
/** Events go out together until they are this large; one that is larger goes alone. */
const BATCH_CHARS = 16 * 1024;

export interface WatchStreamOptions {
  readonly spec: KindSpec;
  /** Empty: all namespaces. */
  readonly namespace: string;
  readonly filter: Filter | undefined;
  readonly sink: WatchSink;
  readonly bookmarks: boolean;
  /** Sends the bookmark that says the initial state is complete. */
  readonly markInitialEnd: boolean;
  readonly projection: Omit<ProjectOptions, 'nowMs'>;
  readonly context: Pick<ApiContext, 'store' | 'encoder' | 'clock' | 'log'>;
}

/**
 * One watch: writes events as fast as the reader takes them and never holds more than MAX_WAITING of them.
 * One batch is with the sink at a time, so that a thousand slow readers hold a thousand small batches, not a thousand full buffers.
 * Invariants: events go out in revision order, after the initial state; after `end` nothing is written.
 */
export class WatchStream {
  readonly #options: WatchStreamOptions;
  #initial: readonly KubeObject[] = [];
  #initialAt = 0;
  #initialRevision: number | undefined;
  #waiting: WatchEvent[] = [];
  #waitingAt = 0;
  #isSending = false;
  #isWoken = false;
  #headed = true;
  #ended = false;
  #unsubscribe: () => void = () => undefined;
  #bookmarkTimer: Timer | undefined;
  #stallTimer: Timer | undefined;

  constructor(options: WatchStreamOptions) {
    this.#options = options;
  }

  /** Starts with `items` as the state at `revision`, then tells what comes after. Throws ApiError `Expired`. */
  begin(revision: number, items: readonly KubeObject[]): void {
    const { context, spec, namespace, filter, markInitialEnd } = this.#options;
    this.#unsubscribe = context.store.watch(idOf(spec), revision, (change) => {
      const event = context.encoder.eventOf(change, namespace, filter);
      if (event !== undefined) this.#take(event);
    });
    // The past alone may have been too much for the reader.
    if (this.#ended) {
      this.#unsubscribe();
      return;
    }
    this.#initial = filter === undefined ? items : items.filter(filter);
    if (markInitialEnd) this.#initialRevision = revision;
    if (this.#options.bookmarks) this.#bookmarkLater();
    this.#pump();
  }

  /** Ends the sink cleanly; idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unsubscribe();
    this.#bookmarkTimer?.cancel();
    this.#stallTimer?.cancel();
    this.#waiting = [];
    this.#initial = [];
    this.#options.sink.end();
  }

  #take(event: WatchEvent): void {
    if (this.#ended) return;
    this.#waiting.push(event);
    if (this.#waiting.length - this.#waitingAt > MAX_WAITING) this.#cut('too many events waiting');
    else if (this.#isSending) this.#expectRoom();
    else this.#wake();
  }

  /** Sends once all changes of this instant have been told: those that were committed together go out together. */
  #wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    queueMicrotask(() => {
      this.#isWoken = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isSending || this.#ended) return;
    const lines: string[] = [];
    for (let chars = 0; chars < BATCH_CHARS; ) {
      const line = this.#next();
      if (line === undefined) break;
      lines.push(line);
      chars += line.length;
    }
    if (lines.length > 0) this.#send(lines);
  }

  #send(lines: readonly string[]): void {
    this.#isSending = true;
    this.#options.sink.write(lines, () => this.#taken());
    if (this.#waiting.length > 0 || this.#initial.length > 0) this.#expectRoom();
  }

  /** More is waiting: the reader must take what it was sent, in time. */
  #expectRoom(): void {
    this.#stallTimer ??= this.#options.context.clock.after(STALL_MS, () => this.#cut('reader stalled'));
  }

  #taken(): void {
    this.#isSending = false;
    this.#stallTimer?.cancel();
    this.#stallTimer = undefined;
    this.#pump();
  }

  #next(): string | undefined {
    const object = this.#initial[this.#initialAt];
    if (object !== undefined) {
      this.#initialAt++;
      return this.#encode({ type: 'ADDED', object });
    }
    this.#initial = [];
    if (this.#initialRevision !== undefined) {
      const revision = this.#initialRevision;
      this.#initialRevision = undefined;
      return this.#bookmarkLine(revision, true);
    }
    const event = this.#waiting[this.#waitingAt];
    if (event === undefined) {
      this.#waiting = [];
      this.#waitingAt = 0;
      return undefined;
    }
    this.#waitingAt++;
    if (this.#waitingAt >= 1000) {
      this.#waiting.splice(0, this.#waitingAt);
      this.#waitingAt = 0;
    }
    return this.#encode(event);
  }

  #encode(event: WatchEvent): string {
    const { context, projection, spec } = this.#options;
    const headed = this.#headed;
    this.#headed = false;
    const options = { ...projection, nowMs: context.clock.nowMs() };
    return context.encoder.projected(spec, event, options, headed);
  }

  #cut(why: string): void {
    if (this.#ended) return;
    const { context, sink, spec } = this.#options;
    context.log.warn('watch cut off', { kind: spec.kind, why, waiting: this.#waiting.length });
    this.end();
    sink.destroy();
  }

  #bookmarkLine(revision: number, initialEnd: boolean): string {
    const { spec, projection } = this.#options;
    return `${JSON.stringify(bookmark(spec, revision, projection.as, initialEnd))}\n`;
  }

  #bookmarkLater(): void {
    this.#bookmarkTimer = this.#options.context.clock.after(BOOKMARK_MS, () => {
      // With nothing waiting, the reader has been sent everything up to the store's newest revision.
      if (!this.#ended && !this.#isSending && !this.#isWoken)
        this.#send([this.#bookmarkLine(this.#options.context.store.revision, false)]);
      this.#bookmarkLater();
    });
  }
}
