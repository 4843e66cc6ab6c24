import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Change } from '../cluster.ts';
import { Collection, objectKey } from './collection.ts';
import { History, type HistoryLimits } from './history.ts';

interface Listener {
  readonly kind: string | undefined;
  readonly notify: (change: Change) => void;
  active: boolean;
}

/** The visible state: objects by kind, the newest past, and who is told of changes. */
export class Memory {
  readonly #collections = new Map<string, Collection>();
  readonly #history: History;
  #revision: number;
  #listeners: readonly Listener[] = [];

  /** Starts with what was stored, at the newest revision ever handed out. */
  constructor(objects: ReadonlyMap<string, KubeObject[]>, revision: number, limits: HistoryLimits) {
    for (const [kind, list] of objects) this.of(kind).load(list);
    this.#revision = revision;
    this.#history = new History(revision, limits);
  }

  get revision(): number {
    return this.#revision;
  }

  of(kind: string): Collection {
    let collection = this.#collections.get(kind);
    if (collection === undefined) {
      collection = new Collection();
      this.#collections.set(kind, collection);
    }
    return collection;
  }

  /** The list as it was at `revision`, which is not newer than the newest. Throws ApiError Expired when that is forgotten. */
  listAt(kind: string, namespace: string, revision: number): readonly KubeObject[] {
    const items = this.of(kind).list(namespace);
    const past = new Map<string, KubeObject | undefined>();
    for (const { object, previous } of this.#history.since(kind, revision)) {
      const isListed = namespace === '' || object.metadata.namespace === namespace;
      const key = objectKey(object);
      if (isListed && !past.has(key)) past.set(key, previous);
    }
    if (past.size === 0) return items;
    const kept = items.filter((item) => !past.has(objectKey(item)));
    const before = [...past.values()].filter((object) => object !== undefined);
    return [...kept, ...before].sort((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1));
  }

  /** Makes a change visible and tells the listeners, each at its own risk: one that throws ends the process, not the others' news. */
  publish(change: Change, bytes: number): void {
    if (change.type === 'deleted') this.of(change.kind).remove(change.object);
    else this.of(change.kind).put(change.object);
    this.#revision = change.revision;
    this.#history.add(change, bytes);
    for (const listener of this.#listeners) {
      if (listener.active && (listener.kind === undefined || listener.kind === change.kind))
        tell(listener, change);
    }
  }

  /** Past changes after `revision` at once, then every new one. Throws ApiError Expired. Returns the way to stop. */
  watch(kind: string | undefined, revision: number, notify: (change: Change) => void): () => void {
    const past = this.#history.since(kind, revision);
    const stop = this.subscribe(kind, (change) => {
      if (change.revision > revision) notify(change);
    });
    for (const change of past) notify(change);
    return stop;
  }

  subscribe(kind: string | undefined, notify: (change: Change) => void): () => void {
    const listener: Listener = { kind, notify, active: true };
    this.#listeners = [...this.#listeners, listener];
    return () => {
      listener.active = false;
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }
}

function tell(listener: Listener, change: Change): void {
  try {
    listener.notify(change);
  } catch (error) {
    // A breach of the listener's contract: it must surface, but not stop the change on its way to the others.
    queueMicrotask(() => {
      throw error;
    });
  }
}
