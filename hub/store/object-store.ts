import type { Logger } from '../../kit/logger.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError } from '../../protocol/status.ts';
import type { Change } from '../cluster.ts';
import { SharedFields } from './field-tracking.ts';
import type { HistoryLimits } from './history.ts';
import { systemIds } from './ids.ts';
import { deepFreeze } from './json.ts';
import { type ListPage, ListPages, type ObjectList, type PageRequest } from './list-pages.ts';
import { readEntries } from './load.ts';
import { Memory } from './memory.ts';
import { type PlanContext, require, type Step } from './plan.ts';
import { type ObjectInput, planCreate } from './plan-create.ts';
import { planDelete } from './plan-delete.ts';
import { planBind, planStatusUpdate, planUpdate } from './plan-update.ts';
import type {
  ModifyOptions,
  NewestObject,
  Removal,
  RemoveOptions,
  StoreOptions,
  UpdateOptions,
  WriteOptions,
} from './store-options.ts';
import { type Outcome, storageKey, WriteQueue, type WriteSink } from './write-queue.ts';

const HISTORY: HistoryLimits = { changes: 10_000, bytes: 8 * 1024 * 1024 };

/**
 * The store by names of kinds, as the API uses it: also kinds that no type of the tree describes. Reads are synchronous, objects
 * deep-frozen and shared. A write is durable before it is visible, and visible before it resolves; all writes have one order,
 * which revisions count. All writes reject with ApiError; a kind that is not in the table is NotFound.
 */
export class ObjectStore {
  readonly #kinds: Map<string, KindSpec>;
  readonly #memory: Memory;
  readonly #writes: WriteQueue;
  readonly #pages: ListPages;
  readonly #fields = new SharedFields();
  readonly #context: PlanContext;
  readonly #map: StoreOptions['map'];
  readonly #log: Logger | undefined;

  protected constructor(options: StoreOptions) {
    this.#map = options.map;
    this.#log = options.log;
    const stored = options.kinds.filter((spec) => spec.view === undefined);
    this.#kinds = new Map(stored.map((spec) => [idOf(spec), spec]));
    const { objects, revision } = readEntries(options.entries, this.#fields);
    this.#memory = new Memory(objects, revision, options.history ?? HISTORY);
    this.#pages = new ListPages(options.clock, (kind, namespace, at) => ({
      items: this.#memory.listAt(kind, namespace, at),
      revision: at,
    }));
    const publish = (change: Change, bytes: number): void => this.#memory.publish(change, bytes);
    // Only what is used is kept: holding on to the options would keep every object as it was at the start.
    const { map, log, clock, ids = systemIds, admission } = options;
    const planned = (spec: KindSpec, change: Change): void => admission?.planned?.(spec, change);
    const refused = (): void => admission?.refused?.();
    const commit: WriteSink['commit'] = (changes) => map.commit(changes);
    this.#writes = new WriteQueue({ commit, publish, planned, refused, clock, log }, revision);
    const newest: NewestObject = (kind, namespace, name) => this.newest(kind, namespace, name);
    const nowMs = (): number => clock.nowMs();
    const look = { get: newest, list: (kind: string, ns: string) => this.#newestOf(kind, ns) };
    this.#context = {
      ids,
      fields: this.#fields,
      nowMs,
      newest,
      admit: (spec, object) => admission?.admit(spec, object, look),
      assign: (spec, object) => admission?.assign(spec, object, look) ?? [],
      approve: (spec, object, previous) => admission?.approve(spec, object, look, previous),
    };
  }

  /** Settles the writes handed in, then closes the map. Later writes are ApiError ServiceUnavailable. */
  async close(): Promise<void> {
    await this.#writes.close();
    this.#pages.close();
    await this.#map.close();
  }

  get revision(): number {
    return this.#memory.revision;
  }

  /** The kinds served, in the order given. */
  get kinds(): readonly KindSpec[] {
    return [...this.#kinds.values()];
  }

  /** Takes a kind in, or another version of one; what is stored under its id is there at once. */
  register(spec: KindSpec): void {
    this.#kinds.set(idOf(spec), spec);
  }

  /** Takes no more writes of a kind. Its objects should be gone by then; what is left stays, unseen. */
  unregister(id: string): void {
    this.#kinds.delete(id);
  }

  /** The visible object; the namespace of a cluster-wide kind does not matter. */
  getObject(kind: string, namespace: string, name: string): KubeObject | undefined {
    const where = this.#kinds.get(kind)?.namespaced === false ? '' : namespace;
    return this.#memory.of(kind).get(`${where}/${name}`);
  }

  objectByUid(kind: string, uid: string): KubeObject | undefined {
    return this.#memory.of(kind).byUid(uid);
  }

  /** Objects whose controller owner reference has this uid, by namespace and name. */
  objectsOwnedBy(kind: string, ownerUid: string): readonly KubeObject[] {
    return this.#memory.of(kind).ownedBy(ownerUid);
  }

  /** Pods bound to a node, or volumes that only this node has, by namespace and name. */
  objectsOnNode(nodeName: string, kind: 'Pod' | 'PersistentVolume' = 'Pod'): readonly KubeObject[] {
    return this.#memory.of(kind).onNode(nodeName);
  }

  /** Pods that use a claim, or volumes that name it; with an empty name volumes that name none. */
  objectsOfClaim(kind: 'Pod' | 'PersistentVolume', namespace: string, claim: string): readonly KubeObject[] {
    return this.#memory.of(kind).ofClaim(claim === '' ? '' : `${namespace}/${claim}`);
  }

  /** All objects of a kind, of one namespace when given and not empty, with the revision they were read at. */
  listObjects(kind: string, namespace?: string): ObjectList {
    return { items: this.#memory.of(kind).list(namespace), revision: this.revision };
  }

  /** Part of a list; the pages of one list are one state. Throws ApiError BadRequest or Expired for its token or revision. */
  listPage(kind: string, request: PageRequest): ListPage {
    return this.#pages.page(kind, this.listObjects(kind, request.namespace), request);
  }

  /**
   * Calls `listener` with every change after `fromRevision`, of one kind or of all: past ones before this returns, later ones
   * as they become visible. Throws ApiError Expired when past ones are forgotten. Returns the way to stop. `listener` must not throw.
   */
  watch(kind: string | undefined, fromRevision: number, listener: (change: Change) => void): () => void {
    return this.#memory.watch(kind, fromRevision, listener);
  }

  /** Calls `listener` for each new change of any kind, as `watch` does. Returns the way to stop. */
  subscribe(listener: (change: Change) => void): () => void {
    return this.#memory.subscribe(undefined, listener);
  }

  async createObject(kind: string, object: ObjectInput, options: WriteOptions = {}): Promise<KubeObject> {
    const spec = this.#spec(kind);
    return (await this.#write(() => planCreate(this.#context, spec, object, options.writer), options)).object;
  }

  /** Replaces everything but status. No resourceVersion or uid in the object means any. */
  async updateObject(kind: string, object: ObjectInput, options: UpdateOptions = {}): Promise<KubeObject> {
    return (await this.#write(() => this.#planPart(kind, object, options), options)).object;
  }

  /** Replaces status only. */
  async updateStatusObject(
    kind: string,
    object: ObjectInput,
    options: WriteOptions = {},
  ): Promise<KubeObject> {
    return (await this.#write(() => this.#planPart(kind, object, { ...options, part: 'status' }), options))
      .object;
  }

  /**
   * Hands the newest state, writes on their way included, to `change` and writes what it returns; undefined leaves the object
   * alone. Nothing comes between, so there is no conflict unless the returned object asks for another resourceVersion or uid.
   * `change` runs once, or again after a refused commit; what it throws is rejected with. Rejects with NotFound when absent.
   */
  async modifyObject(
    kind: string,
    namespace: string,
    name: string,
    change: (current: KubeObject) => ObjectInput | undefined,
    options: ModifyOptions = {},
  ): Promise<KubeObject> {
    const spec = this.#spec(kind);
    const plan = (): Step => {
      const current = require(this.#context, spec, namespace, name);
      const next = change(current);
      return next === undefined
        ? { type: 'none', spec, object: current }
        : this.#planPart(kind, next, options);
    };
    return (await this.#write(plan, options)).object;
  }

  async deleteObject(
    kind: string,
    namespace: string,
    name: string,
    options: RemoveOptions = {},
  ): Promise<Removal> {
    const spec = this.#spec(kind);
    const plan = (): Step => planDelete(this.#context, spec, namespace, name, options);
    const { type, object } = await this.#write(plan, options);
    return { object, removed: type === 'deleted' };
  }

  /** Deletes all objects, of one namespace when given, that match; one that is gone meanwhile is fine. Rejects with the first refusal. */
  async deleteCollection(
    kind: string,
    namespace: string | undefined,
    options: RemoveOptions = {},
    matches: (object: KubeObject) => boolean = () => true,
  ): Promise<Removal[]> {
    const found = this.listObjects(kind, namespace).items.filter(matches);
    const deletions = found.map(({ metadata }) =>
      this.deleteObject(kind, metadata.namespace ?? '', metadata.name, {
        ...options,
        uid: metadata.uid,
        canWait: true,
      }),
    );
    const removals: Removal[] = [];
    for (const result of await Promise.allSettled(deletions)) {
      if (result.status === 'fulfilled') removals.push(result.value);
      else if (!isGone(result.reason)) throw result.reason;
    }
    return removals;
  }

  /** Sets spec.nodeName of this incarnation of a pod, once; Conflict when it is bound, being deleted or another. */
  async bind(namespace: string, podName: string, podUid: string, nodeName: string): Promise<void> {
    const pod = { namespace, name: podName, uid: podUid };
    const spec = this.#spec('Pod');
    await this.#write(() => planBind(this.#context, spec, pod, nodeName), { canWait: true });
  }

  /** The newest state, also when it is still on its way to the disk. */
  protected newest(kind: string, namespace: string, name: string): KubeObject | undefined {
    const where = this.#kinds.get(kind)?.namespaced === false ? '' : namespace;
    const onTheWay = this.#writes.onTheWay(storageKey(kind, where, name));
    return onTheWay === undefined ? this.#memory.of(kind).get(`${where}/${name}`) : onTheWay.object;
  }

  /** As `newest`, of all objects of a kind in a namespace. */
  #newestOf(kind: string, namespace: string): KubeObject[] {
    const onTheWay = this.#writes.allOnTheWay(kind, namespace);
    const present = this.#memory.of(kind).list(namespace);
    if (onTheWay.size === 0) return [...present];
    const isVisible = ({ metadata }: KubeObject): boolean =>
      !onTheWay.has(storageKey(kind, metadata.namespace ?? '', metadata.name));
    return [...present.filter(isVisible), ...[...onTheWay.values()].filter((o) => o !== undefined)];
  }

  #spec(kind: string): KindSpec {
    const spec = this.#kinds.get(kind);
    if (spec === undefined)
      throw new ApiError('NotFound', 'the server could not find the requested resource');
    return spec;
  }

  #planPart(kind: string, object: ObjectInput, options: ModifyOptions): Step {
    const spec = this.#spec(kind);
    if (options.part === 'status') return planStatusUpdate(this.#context, spec, object, options.writer);
    return planUpdate(this.#context, spec, object, options.subresource === 'finalize', options.writer);
  }

  async #write(plan: () => Step, options: WriteOptions): Promise<Outcome> {
    if (options.dryRun === true) return dryRun(plan());
    const outcome = await this.#writes.submit(plan, options.canWait === true);
    this.#log?.debug('object written', {
      kind: outcome.object.kind,
      key: `${outcome.object.metadata.namespace ?? ''}/${outcome.object.metadata.name}`,
      change: outcome.type,
      revision: outcome.object.metadata.resourceVersion,
      user: options.user,
    });
    return outcome;
  }
}

function dryRun({ type, object, previous }: Step): Outcome {
  if (type === 'none') return { type, object };
  object.metadata.resourceVersion = previous?.metadata.resourceVersion ?? '';
  deepFreeze(object);
  return { type, object };
}

const isGone = (error: unknown): boolean =>
  error instanceof ApiError && (error.reason === 'NotFound' || error.reason === 'Conflict');
