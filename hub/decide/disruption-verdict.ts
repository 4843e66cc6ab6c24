import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { budgetsOf, isExpectedToGo } from './disruption.ts';
import type { Moment } from './moment.ts';
import { isReady, isTerminal } from './pod-facts.ts';

/** Whether one pod may be disrupted together with those before it; `budget` is the first that would be broken. */
export type DisruptionVerdict =
  | { readonly pod: Pod; readonly ok: true }
  | { readonly pod: Pod; readonly ok: false; readonly budget: PodDisruptionBudget };

/**
 * Judges disrupting all of `pods`, in their order: each one let pass takes a disruption from every budget that selects it, so that
 * the ones that are `ok` may all go together. Pods that are no loss (ended, being deleted, not ready, evicted already) take none.
 * A budget whose status is behind its spec allows nothing. Spends nothing by itself. Pure; never throws.
 */
export function mayDisrupt(
  budgets: readonly PodDisruptionBudget[],
  pods: readonly Pod[],
  now: Moment,
): readonly DisruptionVerdict[] {
  const left = new Map(budgets.map((pdb) => [pdb, allowedBy(pdb)]));
  return pods.map((pod) => {
    if (isTerminal(pod) || pod.metadata.deletionTimestamp !== undefined) return { pod, ok: true };
    const mine = budgetsOf(pod, budgets).filter((pdb) => isLoss(pdb, pod, now));
    const budget = mine.find((pdb) => (left.get(pdb) ?? 0) <= 0);
    if (budget !== undefined) return { pod, ok: false, budget };
    for (const pdb of mine) left.set(pdb, (left.get(pdb) ?? 0) - 1);
    return { pod, ok: true };
  });
}

function allowedBy({ metadata, status }: PodDisruptionBudget): number {
  const isObserved = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  return isObserved ? (status?.disruptionsAllowed ?? 0) : 0;
}

/** False where the budget does not count the pod as healthy anyway. */
function isLoss({ spec, status }: PodDisruptionBudget, pod: Pod, now: Moment): boolean {
  if (isExpectedToGo(status?.disruptedPods?.[pod.metadata.name], now.atMs)) return false;
  if (isReady(pod)) return true;
  if ((pod.status?.phase ?? 'Pending') === 'Pending') return false;
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return false;
  const desired = status?.desiredHealthy ?? 0;
  return !(desired > 0 && (status?.currentHealthy ?? 0) >= desired);
}
