import { toTime } from '../../kit/clock.ts';
import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { inParallel } from '../../kit/parallel.ts';
import { type CustomKinds, customId, customKinds } from '../../protocol/crd/custom-kind.ts';
import type { CustomResourceDefinition } from '../../protocol/crd/types.ts';
import { jsonEqual } from '../../protocol/json.ts';
import { CLEANUP_FINALIZER } from '../../protocol/kinds/custom-resource-definition-kind.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KindName } from '../../protocol/kinds/kind-map.ts';
import type { Change } from '../cluster.ts';
import {
  claimedNames,
  definitionStatus,
  isEstablished,
  type TakenNames,
} from '../decide/definition-status.ts';
import { type Loop, type LoopDeps, loopQueue, tolerant } from '../loop.ts';

/** Takes kinds in and out while the hub runs; the store. */
export interface KindRegistrar {
  register(spec: KindSpec): void;
  unregister(id: string): void;
}

const KIND = 'CustomResourceDefinition';
const WRITES_IN_FLIGHT = 64;

/**
 * Accepts or refuses the names of definitions, serves the kinds of established ones, and removes all objects of a definition
 * that is being deleted before it goes. Kinds of definitions that were established before are there once `start` returns.
 */
export class CustomResources implements Loop {
  readonly #deps: LoopDeps;
  readonly #registrar: KindRegistrar;
  readonly #builtin: readonly KindSpec[];
  readonly #queue: KeyedQueue;
  /** Name of the definition to what it makes, of the resource version it was made from. */
  readonly #made = new Map<
    string,
    { readonly from: CustomResourceDefinition; readonly kinds: CustomKinds }
  >();
  #served: readonly KindSpec[] = [];
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, registrar: KindRegistrar, builtin: readonly KindSpec[]) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'controllers', loop: 'custom-resources' }) };
    this.#registrar = registrar;
    this.#builtin = builtin;
    this.#queue = loopQueue((name) => this.#reconcile(name), this.#deps, 4);
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#unsubscribe = view.subscribe((change) => this.#onChange(change));
    for (const definition of view.list(KIND)) {
      this.#serve(definition);
      this.#queue.add(definition.metadata.name);
    }
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  /** Kinds the API serves, every version of each; the same array until one comes, changes or goes. */
  served(): readonly KindSpec[] {
    return this.#served;
  }

  /** Kinds the store keeps. */
  stored(): readonly KindSpec[] {
    return [...this.#made.values()].map(({ kinds }) => kinds.stored);
  }

  #onChange({ kind, type, object }: Change): void {
    if (kind === KIND) {
      const definition = object as CustomResourceDefinition;
      if (type === 'deleted') this.#forget(definition.metadata.name);
      else this.#serve(definition);
      this.#queue.add(definition.metadata.name);
      // Names that were refused may be free now.
      if (type === 'deleted') this.#addGroup(definition.spec.group);
      return;
    }
    if (type !== 'deleted') return;
    for (const [name, { from, kinds }] of this.#made)
      if (idOf(kinds.stored) === kind && from.metadata.deletionTimestamp !== undefined) this.#queue.add(name);
  }

  #addGroup(group: string): void {
    for (const { spec, metadata } of this.#deps.view.list(KIND))
      if (spec.group === group) this.#queue.add(metadata.name);
  }

  #serve(definition: CustomResourceDefinition): void {
    if (!isEstablished(definition)) return;
    const { name } = definition.metadata;
    const before = this.#made.get(name);
    const isSame =
      before !== undefined &&
      jsonEqual(before.from.spec, definition.spec) &&
      before.from.metadata.deletionTimestamp === definition.metadata.deletionTimestamp;
    if (isSame) return;
    const kinds = customKinds(definition);
    if (kinds === undefined) return;
    this.#made.set(name, { from: definition, kinds });
    this.#registrar.register(kinds.stored);
    this.#publish();
    if (before === undefined) this.#deps.log.info('custom resource served', { definition: name });
  }

  #forget(name: string): void {
    const made = this.#made.get(name);
    if (made === undefined) return;
    this.#made.delete(name);
    this.#registrar.unregister(idOf(made.kinds.stored));
    this.#publish();
    this.#deps.log.info('custom resource no longer served', { definition: name });
  }

  #publish(): void {
    this.#served = [...this.#made.values()].flatMap(({ kinds }) => kinds.served);
  }

  async #reconcile(name: string): Promise<void> {
    const definition = this.#deps.view.get(KIND, '', name);
    if (definition === undefined) return;
    await this.#judge(definition);
    if (definition.metadata.deletionTimestamp !== undefined) await this.#cleanUp(definition);
  }

  async #judge(definition: CustomResourceDefinition): Promise<void> {
    const { client, clock } = this.#deps;
    const now = toTime(clock.nowMs());
    const { name } = definition.metadata;
    const change = (draft: CustomResourceDefinition): boolean => {
      const status = definitionStatus(draft, this.#taken(draft), now);
      if (jsonEqual(status, draft.status)) return false;
      draft.status = status;
      return true;
    };
    const written = await client.modify(KIND, '', name, change, 'status');
    const refused = written?.status?.conditions?.find(
      (c) => c.type === 'NamesAccepted' && c.status === 'False',
    );
    if (refused !== undefined)
      this.#deps.log.warn('custom resource definition refused', { definition: name, why: refused.message });
  }

  /** Names that other kinds of the group have: the hub's own, and those of definitions accepted before. */
  #taken(definition: CustomResourceDefinition): TakenNames {
    const { group } = definition.spec;
    const own = this.#builtin.filter((spec) => spec.group === group);
    const others = this.#deps.view
      .list(KIND)
      .filter((other) => other.spec.group === group && other.metadata.uid !== definition.metadata.uid)
      .map((other) => claimedNames(other.status?.acceptedNames ?? { plural: '', kind: '' }));
    return {
      plurals: new Set([
        ...own.flatMap((spec) => [spec.plural, spec.singular, ...spec.shortNames]),
        ...others.flatMap(({ resources }) => resources),
      ]),
      kinds: new Set([
        ...own.flatMap((spec) => [spec.kind, `${spec.kind}List`]),
        ...others.flatMap(({ kinds }) => kinds),
      ]),
    };
  }

  /** Deletes what is left of the definition's objects; takes its finalizer off once nothing is. */
  async #cleanUp({ spec, metadata }: CustomResourceDefinition): Promise<void> {
    const { view, client } = this.#deps;
    // The typed view reads any kind the store has; custom ones have no type in the tree.
    const id = customId(spec.names.kind, spec.group) as KindName;
    const isOurs = this.#made.has(metadata.name);
    const objects = isOurs ? view.list(id) : [];
    await inParallel(
      objects.filter((object) => object.metadata.deletionTimestamp === undefined),
      WRITES_IN_FLIGHT,
      ({ metadata: m }) => tolerant(client.delete(id, m.namespace ?? '', m.name, { uid: m.uid })),
    );
    if (isOurs && view.list(id).length > 0) return;
    await client.modify(KIND, '', metadata.name, (draft) => {
      if (draft.metadata.uid !== metadata.uid) return false;
      draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter((f) => f !== CLEANUP_FINALIZER);
      return true;
    });
  }
}
