import type { Clock } from '../../kit/clock.ts';
import { DurableError } from '../../kit/durable-error.ts';
import type { MapChange } from '../../kit/durable-map.ts';
import type { Logger } from '../../kit/logger.ts';
import { Turn } from '../../kit/turn.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError } from '../../protocol/status.ts';
import type { Change } from '../cluster.ts';
import { deepFreeze } from './json.ts';
import type { Step } from './plan.ts';

/** What a write came to, once durable and visible. */
export interface Outcome {
  readonly type: Step['type'];
  readonly object: KubeObject;
}

/** Where writes go: the disk, and then everybody's sight. */
export interface WriteSink {
  commit(changes: readonly MapChange[]): Promise<void>;
  /** Makes a durable change visible. `bytes` is the memory that its object does not share. */
  publish(change: Change, bytes: number): void;
  /** A change is part of the newest state from now on, before it is durable. */
  planned(spec: KindSpec, change: Change): void;
  /** All that was planned and not published is gone from the newest state. */
  refused(): void;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log?: Logger | undefined;
}

interface Pending {
  readonly plan: () => Step;
  /** True when a refused commit has made it plan anew once. */
  readonly again: boolean;
  readonly step: Step;
  /** Absent when the step changes nothing: it only waits for what it is based on. */
  readonly change: Change | undefined;
  readonly bytes: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Key of the stored promise never to hand out a revision up to its value again. No kind's name starts with `!`. */
export const REVISIONS_KEY = '!revisions';
/** How many revisions are promised at once; a stop skips the unused rest. */
const RESERVED_REVISIONS = 100_000;
const BATCH_WRITES = 1000;
/** Writes on their way, beyond which those that can wait do so: a write that somebody waits for has at most these before it. */
const MAX_AHEAD = 128;
/** Of those that wait, this many are planned with every commit however many others there are: the cluster must go on. */
const LEAST_SHARE = 16;

interface Waiting {
  readonly plan: () => Step;
  readonly resolve: Pending['resolve'];
  readonly reject: Pending['reject'];
}

/** Key of an object in the durable map and in the queue: `Kind/namespace/name`. Pure. */
export const storageKey = (kind: string, namespace: string, name: string): string =>
  `${kind}/${namespace}/${name}`;

const keyOf = (kind: string, object: KubeObject): string =>
  storageKey(kind, object.metadata.namespace ?? '', object.metadata.name);

/**
 * Orders all writes. A write is planned at once against the newest state, writes still on their way included; gets its revision;
 * is committed together with those waiting; and is then published and resolved, in order. One that can wait is planned in its turn
 * when not too many are on their way. Publishing much lets the event loop go on in between. A refused commit takes with it every
 * write planned so far, because they may build on one another; those kept in memory only are planned anew.
 */
export class WriteQueue {
  readonly #sink: WriteSink;
  readonly #onTheWay = new Map<string, { revision: number; object: KubeObject | undefined }>();
  /** Keys of what is on its way, by kind. */
  readonly #keysOnTheWay = new Map<string, Set<string>>();
  readonly #turn: Turn;
  /** Not planned yet, oldest first. */
  readonly #waiting: Waiting[] = [];
  #pending: Pending[] = [];
  /** Of the batch that is being committed or published. */
  #leaving = 0;
  #revision: number;
  #reservedThrough: number;
  #busy = false;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  /** `revision` is the newest that may ever have been handed out. */
  constructor(sink: WriteSink, revision: number) {
    this.#sink = sink;
    this.#turn = new Turn(sink.clock);
    this.#revision = revision;
    this.#reservedThrough = revision;
  }

  /** The state of an object that is on its way: `{}` when it is on its way out, undefined when nothing is on its way. */
  onTheWay(key: string): { readonly object?: KubeObject } | undefined {
    const entry = this.#onTheWay.get(key);
    if (entry === undefined) return undefined;
    return entry.object === undefined ? {} : { object: entry.object };
  }

  /** All states on their way of a kind in a namespace, by key; undefined for what is on its way out. */
  allOnTheWay(kind: string, namespace: string): ReadonlyMap<string, KubeObject | undefined> {
    const found = new Map<string, KubeObject | undefined>();
    const keys = this.#keysOnTheWay.get(kind);
    if (keys === undefined) return found;
    const prefix = storageKey(kind, namespace, '');
    for (const key of keys) if (key.startsWith(prefix)) found.set(key, this.#onTheWay.get(key)?.object);
    return found;
  }

  /** Plans now, or in its turn when it `canWait`; rejects with what the plan throws; resolves when the result is durable and visible. */
  async submit(plan: () => Step, canWait: boolean): Promise<Outcome> {
    if (this.#closed) throw new ApiError('ServiceUnavailable', 'the store is closed');
    return new Promise<Outcome>((resolve, reject) => {
      if (canWait && (this.#waiting.length > 0 || this.#ahead >= MAX_AHEAD))
        this.#waiting.push({ plan, resolve, reject });
      else this.#stage(plan, false, resolve, reject);
    });
  }

  get #ahead(): number {
    return this.#pending.length + this.#leaving;
  }

  /** Takes no more writes and resolves when those handed in are settled. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  #stage(plan: () => Step, again: boolean, resolve: Pending['resolve'], reject: Pending['reject']): void {
    const step = plan();
    if (step.type === 'none') {
      const { spec, object } = step;
      if (!this.#onTheWay.has(keyOf(idOf(spec), object))) resolve({ type: 'none', object });
      else this.#push({ plan, again, step, change: undefined, bytes: 0, resolve, reject });
      return;
    }
    this.#revision += 1;
    const { type, spec, object, previous } = step;
    object.metadata.resourceVersion = String(this.#revision);
    const bytes = deepFreeze(object);
    const base = { type, kind: idOf(spec), revision: this.#revision, object };
    const change: Change = previous === undefined ? base : { ...base, previous };
    const now = type === 'deleted' ? undefined : object;
    const key = keyOf(change.kind, object);
    this.#keysOf(change.kind).add(key);
    this.#onTheWay.set(key, { revision: this.#revision, object: now });
    this.#sink.planned(spec, change);
    this.#push({ plan, again, step, change, bytes, resolve, reject });
  }

  #keysOf(kind: string): Set<string> {
    const keys = this.#keysOnTheWay.get(kind) ?? new Set<string>();
    this.#keysOnTheWay.set(kind, keys);
    return keys;
  }

  #push(pending: Pending): void {
    this.#pending.push(pending);
    if (this.#busy) return;
    this.#busy = true;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    // Leave the caller's stack, so that writes of the same instant share a commit and nobody is resolved synchronously.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, BATCH_WRITES);
      this.#leaving = batch.length;
      const refused = await this.#commit(batch).then(
        () => undefined,
        (cause: unknown) => ({ cause }),
      );
      if (refused === undefined) await this.#publishAll(batch);
      else this.#refuse([...batch, ...this.#pending.splice(0)], refused.cause);
      this.#leaving = 0;
      await this.#admit();
    }
    this.#busy = false;
  }

  async #publishAll(batch: readonly Pending[]): Promise<void> {
    for (const pending of batch) {
      if (this.#turn.isOver) await this.#turn.next();
      this.#publish(pending);
      this.#leaving -= 1;
    }
  }

  /** Plans those that wait, as far as there is room for them. */
  async #admit(): Promise<void> {
    for (let taken = 0; this.#ahead < MAX_AHEAD || taken < LEAST_SHARE; taken++) {
      if (this.#turn.isOver) await this.#turn.next();
      const next = this.#waiting.shift();
      if (next === undefined) return;
      try {
        this.#stage(next.plan, false, next.resolve, next.reject);
      } catch (error) {
        next.reject(error);
      }
    }
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const changes = new Map<string, unknown>();
    let newest = 0;
    for (const { step, change } of batch) {
      if (change === undefined) continue;
      newest = change.revision;
      if (!mustLast(step)) continue;
      changes.set(keyOf(change.kind, change.object), change.type === 'deleted' ? undefined : change.object);
    }
    // With a durable write in good time, so that memory-only kinds go on for long while the disk is full.
    const due = changes.size > 0 ? this.#reservedThrough - RESERVED_REVISIONS / 2 : this.#reservedThrough;
    const reserve = newest > due ? newest + RESERVED_REVISIONS : undefined;
    if (reserve !== undefined) changes.set(REVISIONS_KEY, { reservedThrough: reserve });
    if (changes.size > 0) await this.#sink.commit([...changes].map(([key, value]) => ({ key, value })));
    if (reserve !== undefined) this.#reservedThrough = reserve;
  }

  #publish({ step, change, bytes, resolve }: Pending): void {
    if (change !== undefined) {
      const key = keyOf(change.kind, change.object);
      if (this.#onTheWay.get(key)?.revision === change.revision) {
        this.#onTheWay.delete(key);
        this.#keysOf(change.kind).delete(key);
      }
      this.#sink.publish(change, bytes);
    }
    resolve({ type: step.type, object: step.object });
  }

  #refuse(refused: readonly Pending[], cause: unknown): void {
    const error = refusal(cause);
    this.#onTheWay.clear();
    this.#keysOnTheWay.clear();
    this.#sink.refused();
    this.#sink.log?.error('writes refused, the disk did not take them', {
      err: cause,
      writes: refused.length,
    });
    for (const { plan, again, step, resolve, reject } of refused) {
      if (mustLast(step) || again) {
        reject(error);
        continue;
      }
      try {
        this.#stage(plan, true, resolve, reject);
      } catch (replanned) {
        reject(replanned);
      }
    }
  }
}

/** True for what must be on the disk before anybody sees it. */
function mustLast({ type, spec, object, previous }: Step): boolean {
  return spec.durable && spec.isFleeting?.(object, type === 'modified' ? previous : undefined) !== true;
}

function refusal(cause: unknown): ApiError {
  if (cause instanceof DurableError && cause.reason === 'NoSpace')
    return new ApiError('InsufficientStorage', 'nothing was stored: the disk of the hub is full', undefined, {
      cause,
    });
  return new ApiError('InternalError', 'nothing was stored: the disk of the hub failed', undefined, {
    cause,
  });
}
