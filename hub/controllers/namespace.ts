import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { inParallel } from '../../kit/parallel.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KindName } from '../../protocol/kinds/kind-map.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Change } from '../cluster.ts';
import { NAMESPACE_ORDER } from '../decide/garbage.ts';
import { isApiError, type Loop, type LoopDeps, loopQueue, tolerant } from '../loop.ts';

const ROOT_CA = 'kube-root-ca.crt';
const DEFAULT_ACCOUNT = 'default';
const WRITES_IN_FLIGHT = 64;

/**
 * Gives every namespace the ServiceAccount `default` and the hub's certificate authority as ConfigMap `kube-root-ca.crt`, and
 * empties and finishes namespaces that are being deleted. A namespace goes only when nothing is left in it.
 */
export class NamespaceController implements Loop {
  readonly #deps: LoopDeps;
  readonly #caPem: string;
  readonly #customKinds: () => readonly KindSpec[];
  readonly #queue: KeyedQueue;
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
    if (namespace === undefined) return;
    if (namespace.metadata.deletionTimestamp === undefined) {
      await Promise.all([this.#ensureRootCa(name), this.#ensureServiceAccount(name)]);
      return;
    }
    if (await this.#empty(name)) await this.#finish(name, namespace.metadata.uid);
  }

  async #ensureRootCa(namespace: string): Promise<void> {
    const { view, client } = this.#deps;
    const data = { 'ca.crt': this.#caPem };
    const present = view.get('ConfigMap', namespace, ROOT_CA);
    if (present?.data?.['ca.crt'] === this.#caPem) return;
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

  /** Deletes what is left, makers first; true when nothing is. What stays for its grace period calls us when it goes. */
  async #empty(namespace: string): Promise<boolean> {
    const { view, client } = this.#deps;
    // The typed view reads any kind the store has; custom ones have no type in the tree, and go first: they may make others.
    const custom = this.#customKinds().filter((spec) => spec.namespaced);
    const order = [...custom.map((spec) => idOf(spec) as KindName), ...NAMESPACE_ORDER];
    for (const kind of order) {
      const objects: readonly KubeObject[] = view.list(kind, namespace);
      await inParallel(
        objects.filter((o) => o.metadata.deletionTimestamp === undefined),
        WRITES_IN_FLIGHT,
        ({ metadata: m }) =>
          tolerant(client.delete(kind, namespace, m.name, { uid: m.uid, propagation: 'Background' })),
      );
    }
    return order.every((kind) => view.list(kind, namespace).length === 0);
  }

  /** Takes the finalizer `kubernetes` off, which is what lets the store drop the object. */
  async #finish(name: string, uid: string): Promise<void> {
    const { client, log } = this.#deps;
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
