import { toTime } from '../../kit/clock.ts';
import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { inParallel } from '../../kit/parallel.ts';
import { jsonEqual } from '../../protocol/json.ts';
import type { Namespace } from '../../protocol/kinds/core.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KindName } from '../../protocol/kinds/kind-map.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Change } from '../cluster.ts';
import { NAMESPACE_ORDER } from '../decide/garbage.ts';
import { namespaceConditions, type Remainder } from '../decide/namespace-conditions.ts';
import { isApiError, type Loop, type LoopDeps, loopQueue, tolerant } from '../loop.ts';

const ROOT_CA = 'kube-root-ca.crt';
const DEFAULT_ACCOUNT = 'default';
const WRITES_IN_FLIGHT = 64;
/** A namespace that goes sooner need not say what holds it, and what holds it is not told more often: each telling is a write. */
const TELL_MS = 2_000;

/**
 * Gives every namespace the ServiceAccount `default` and the hub's certificate authority as ConfigMap `kube-root-ca.crt`, and
 * empties and finishes namespaces that are being deleted. A namespace goes only when nothing is left in it; meanwhile its conditions say
 * what is.
 */
export class NamespaceController implements Loop {
  readonly #deps: LoopDeps;
  readonly #caPem: string;
  readonly #customKinds: () => readonly KindSpec[];
  readonly #queue: KeyedQueue;
  /** When a namespace that goes may tell again what holds it, monotonic ms. */
  readonly #tellAtMs = new Map<string, number>();
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, caPem: string, customKinds: () => readonly KindSpec[] = () => []) {
    this.#customKinds = customKinds;
    this.#deps = { ...deps, log: deps.log.with({ room: 'controllers', loop: 'namespace' }) };
    this.#caPem = caPem;
    this.#queue = loopQueue((name) => this.#reconcile(name), this.#deps, 8);
  }

  start(signal: AbortSignal): void {
    this.#unsubscribe = this.#deps.view.subscribe((change) => this.#onChange(change));
    for (const namespace of this.#deps.view.list('Namespace')) this.#queue.add(namespace.metadata.name);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  #onChange({ kind, type, object }: Change): void {
    if (kind === 'Namespace') this.#queue.add(object.metadata.name);
    const { namespace } = object.metadata;
    if (namespace === undefined || namespace === '') return;
    const isOurs =
      (kind === 'ConfigMap' && object.metadata.name === ROOT_CA) ||
      (kind === 'ServiceAccount' && object.metadata.name === DEFAULT_ACCOUNT);
    if (isOurs || (type === 'deleted' && this.#isTerminating(namespace))) this.#queue.add(namespace);
  }

  #isTerminating(name: string): boolean {
    return this.#deps.view.get('Namespace', '', name)?.metadata.deletionTimestamp !== undefined;
  }

  async #reconcile(name: string): Promise<void> {
    const namespace = this.#deps.view.get('Namespace', '', name);
    if (namespace?.metadata.deletionTimestamp === undefined) this.#tellAtMs.delete(name);
    if (namespace === undefined) return;
    if (namespace.metadata.deletionTimestamp === undefined) {
      await Promise.all([this.#ensureRootCa(name), this.#ensureServiceAccount(name)]);
      return;
    }
    const order = this.#order();
    await this.#empty(name, order);
    const left = this.#remainders(name, order);
    if (left.length > 0) return this.#tell(namespace, left);
    await this.#finish(namespace);
  }

  async #ensureRootCa(namespace: string): Promise<void> {
    const { view, client } = this.#deps;
    const data = { 'ca.crt': this.#caPem };
    const present = view.get('ConfigMap', namespace, ROOT_CA);
    if (present !== undefined && jsonEqual(present.data, data)) return;
    if (present === undefined) {
      const object = { metadata: { name: ROOT_CA, namespace }, data };
      return this.#ignoring('AlreadyExists', client.create('ConfigMap', object));
    }
    await client.modify('ConfigMap', namespace, ROOT_CA, (draft) => {
      draft.data = data;
      return true;
    });
  }

  async #ensureServiceAccount(namespace: string): Promise<void> {
    const { view, client } = this.#deps;
    if (view.get('ServiceAccount', namespace, DEFAULT_ACCOUNT) !== undefined) return;
    const object = { metadata: { name: DEFAULT_ACCOUNT, namespace } };
    await this.#ignoring('AlreadyExists', client.create('ServiceAccount', object));
  }

  /** The kinds that a namespace holds, makers first. */
  #order(): readonly KindSpec[] {
    // Custom ones go first: they may make others.
    const custom = this.#customKinds().filter((spec) => spec.namespaced);
    return [...custom, ...NAMESPACE_ORDER.flatMap((kind) => kinds.find((spec) => idOf(spec) === kind) ?? [])];
  }

  /** Deletes what is left, in that order. What stays for its grace period calls us when it goes. */
  async #empty(namespace: string, order: readonly KindSpec[]): Promise<void> {
    const { view, client } = this.#deps;
    for (const spec of order) {
      // The typed view reads any kind the store has; custom ones have no type in the tree.
      const kind = idOf(spec) as KindName;
      const objects: readonly KubeObject[] = view.list(kind, namespace);
      await inParallel(
        objects.filter((o) => o.metadata.deletionTimestamp === undefined),
        WRITES_IN_FLIGHT,
        ({ metadata: m }) =>
          tolerant(client.delete(kind, namespace, m.name, { uid: m.uid, propagation: 'Background' })),
      );
    }
  }

  #remainders(namespace: string, order: readonly KindSpec[]): Remainder[] {
    return order.flatMap((spec) => {
      const objects: readonly KubeObject[] = this.#deps.view.list(idOf(spec) as KindName, namespace);
      const finalizers = objects.map((o) => o.metadata.finalizers ?? []);
      return objects.length === 0 ? [] : [{ resource: `${spec.plural}.${spec.group}`, finalizers }];
    });
  }

  /** Writes what holds a namespace that does not go, not at once and not too often. */
  async #tell({ metadata: { name, uid } }: Namespace, left: readonly Remainder[]): Promise<void> {
    const { client, clock } = this.#deps;
    const now = clock.monotonicMs();
    const due = this.#tellAtMs.get(name) ?? now + TELL_MS;
    this.#tellAtMs.set(name, due > now ? due : now + TELL_MS);
    if (due > now) return this.#queue.addAfter(name, due - now);
    await client.modify(
      'Namespace',
      '',
      name,
      (draft) => {
        const before = draft.status?.conditions ?? [];
        const conditions = namespaceConditions(left, before, toTime(clock.nowMs()));
        if (draft.metadata.uid !== uid || jsonEqual(before, conditions)) return false;
        draft.status = { ...draft.status, conditions };
        return true;
      },
      'status',
    );
  }

  /** Takes the finalizer `kubernetes` off, which is what lets the store drop the object. */
  async #finish(namespace: Namespace): Promise<void> {
    const { client, log } = this.#deps;
    const { name, uid, finalizers = [] } = namespace.metadata;
    // Somebody else's finalizers keep it: what it said of its content must not stay.
    if (finalizers.length > 0 && namespace.status?.conditions !== undefined) await this.#tell(namespace, []);
    if ((namespace.spec?.finalizers ?? []).length === 0) return;
    await client.modify('Namespace', '', name, (draft) => {
      if (draft.metadata.uid !== uid) return false;
      const { finalizers: _finalizers, ...spec } = draft.spec ?? {};
      draft.spec = { ...spec, finalizers: [] };
      return true;
    });
    log.info('namespace emptied', { namespace: name });
  }

  async #ignoring(reason: 'AlreadyExists', write: Promise<unknown>): Promise<void> {
    try {
      await write;
    } catch (error) {
      if (!isApiError(error, reason)) throw error;
    }
  }
}
