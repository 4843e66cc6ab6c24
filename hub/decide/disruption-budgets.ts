import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { requirementsMatch, requirementsOf } from '../../protocol/selector.ts';

/**
 * For pods that would be removed in this order: whether the budgets of their namespace allow each, after those before it. Pods
 * that a budget counts as disrupted already cost it nothing more.
 */
export type MayDisrupt = (
  pods: readonly Pod[],
  budgets: readonly PodDisruptionBudget[],
) => readonly boolean[];

/** As kube-scheduler counts: by what the budgets' status allows, each matching pod taking one from every budget that selects it. */
export const mayDisrupt: MayDisrupt = (pods, budgets) => {
  const left = budgets.map((budget) => budget.status?.disruptionsAllowed ?? 0);
  return pods.map((pod) => {
    let allowed = true;
    for (const [i, budget] of budgets.entries()) {
      if (!guards(budget, pod) || budget.status?.disruptedPods?.[pod.metadata.name] !== undefined) continue;
      const rest = (left[i] ?? 0) - 1;
      left[i] = rest;
      if (rest < 0) allowed = false;
    }
    return allowed;
  });
};

/** Pods without labels are guarded by nothing, and so are those whose budget has an empty selector, as in kube-scheduler. */
function guards({ metadata, spec }: PodDisruptionBudget, pod: Pod): boolean {
  const { labels = {}, namespace } = pod.metadata;
  if (metadata.namespace !== namespace || spec?.selector === undefined) return false;
  if (Object.keys(labels).length === 0) return false;
  const requirements = requirementsOf(spec.selector);
  return requirements.length > 0 && requirementsMatch(requirements, labels);
}
