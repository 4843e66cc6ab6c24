import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { jsonEqual } from '../../protocol/json.ts';
import type { Change } from '../cluster.ts';
import { aggregatedRules } from '../decide/reconcile-role.ts';
import { type Loop, type LoopDeps, loopQueue } from '../loop.ts';

/**
 * Keeps the rules of every ClusterRole with an aggregationRule equal to those of the ClusterRoles it selects. Writes only what
 * differs; a chain of aggregating roles settles link by link.
 */
export class RoleAggregationController implements Loop {
  readonly #deps: LoopDeps;
  readonly #queue: KeyedQueue;
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'controllers', loop: 'role-aggregation' }) };
    this.#queue = loopQueue((name) => this.#reconcile(name), this.#deps, 1);
  }

  start(signal: AbortSignal): void {
    this.#unsubscribe = this.#deps.view.subscribe((change) => this.#onChange(change));
    this.#addAll();
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  #onChange({ kind }: Change): void {
    if (kind === 'ClusterRole') this.#addAll();
  }

  #addAll(): void {
    for (const { aggregationRule, metadata } of this.#deps.view.list('ClusterRole'))
      if (aggregationRule !== undefined) this.#queue.add(metadata.name);
  }

  async #reconcile(name: string): Promise<void> {
    const { view, client } = this.#deps;
    const role = view.get('ClusterRole', '', name);
    if (role?.aggregationRule === undefined || role.metadata.deletionTimestamp !== undefined) return;
    const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
    const rules = aggregatedRules({ name, selectors }, view.list('ClusterRole'));
    if (jsonEqual(role.rules ?? [], rules)) return;
    await client.modify('ClusterRole', '', name, (draft) => {
      if (draft.aggregationRule === undefined) return false;
      draft.rules = structuredClone(rules);
      return true;
    });
  }
}
