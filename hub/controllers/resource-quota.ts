import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KindName } from '../../protocol/kinds/kind-map.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Change } from '../cluster.ts';
import { sameJson } from '../decide/content-hash.ts';
import { isTerminal } from '../decide/pod-facts.ts';
import { concerns, quotaStatus } from '../decide/quota.ts';
import { QuotaLedgers } from '../decide/quota-ledger.ts';
import { keyOf, type Loop, type LoopDeps, splitKey } from '../loop.ts';
import { controllerDeps, ObjectLoop } from './object-loop.ts';

/**
 * Keeps `status.used` of every ResourceQuota true, for people to see. Admission adds up for itself and does not read it, so that
 * no race between the two can let too much in.
 */
export class ResourceQuotaController implements Loop {
  readonly #deps: LoopDeps;
  readonly #kinds: () => readonly KindSpec[];
  /** Of the visible state, where admission's are of the newest. */
  readonly #ledgers = new QuotaLedgers();
  readonly #loop: ObjectLoop;

  /** `kinds` are all that can be counted, custom ones included. */
  constructor(deps: LoopDeps, kinds: () => readonly KindSpec[]) {
    this.#deps = controllerDeps(deps, 'resource-quota');
    this.#kinds = kinds;
    this.#loop = new ObjectLoop(deps, {
      name: 'resource-quota',
      kind: 'ResourceQuota',
      reconcile: (key) => this.#reconcile(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#loop.start(signal);
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  #onChange(change: Change): void {
    const { kind, object } = change;
    const { namespace } = object.metadata;
    if (namespace === undefined || namespace === '') return;
    const quotas = this.#deps.view.list('ResourceQuota', namespace);
    if (quotas.length === 0 && kind !== 'ResourceQuota') return;
    const spec = this.#kinds().find((k) => idOf(k) === kind);
    if (spec === undefined) return;
    this.#ledgers.take(spec, change);
    if (!mayMatter(change)) return;
    for (const quota of quotas) if (concerns(quota, spec)) this.#loop.add(keyOf(quota));
  }

  async #reconcile(key: string): Promise<void> {
    const { view, client, clock } = this.#deps;
    const { namespace, name } = splitKey(key);
    const quota = view.get('ResourceQuota', namespace, name);
    if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return;
    const nowMs = clock.nowMs();
    const counted = this.#kinds().filter((spec) => spec.namespaced && spec.view === undefined);
    const used = counted
      .filter((spec) => concerns(quota, spec))
      .map((spec) =>
        this.#ledgers.used(quota, spec, nowMs, () => view.list(idOf(spec) as KindName, namespace)),
      );
    // Pods on lost nodes stop counting by time alone.
    const fadeMs = this.#ledgers.nextFadeMs(quota);
    if (fadeMs < Number.POSITIVE_INFINITY) this.#loop.queue.addAfter(key, fadeMs - nowMs + 1);
    const status = quotaStatus(quota, Object.assign({}, ...used));
    if (sameJson(status, quota.status ?? {})) return;
    await client.updateStatus('ResourceQuota', { ...quota, status });
  }
}

/** Of the many changes of pods only those that change what they take: they come, end, are being deleted, go. */
function mayMatter({ kind, type, object, previous }: Change): boolean {
  if (type !== 'modified' || previous === undefined) return true;
  if (kind === 'Event' || kind === 'Lease') return false;
  if (kind !== 'Pod') return true;
  const [after, before] = [object as Pod, previous as Pod];
  return (
    isTerminal(after) !== isTerminal(before) ||
    after.metadata.deletionTimestamp !== before.metadata.deletionTimestamp
  );
}
