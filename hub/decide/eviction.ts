import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { allowedConditions, type BudgetStatus, budgetsOf, isExpectedToGo } from './disruption.ts';
import type { Moment } from './moment.ts';
import { isReady, isTerminal } from './pod-facts.ts';

/** How an eviction goes on. */
export type EvictionVerdict =
  /** No budget is in the way. `exact`: only if the pod is still as it was looked at, because being unhealthy freed it. */
  | { readonly do: 'delete'; readonly exact: boolean }
  /** One disruption of the budget has to be spent first. */
  | { readonly do: 'spend'; readonly budget: PodDisruptionBudget }
  | { readonly do: 'refuse'; readonly reason: 'SeveralBudgets' };

/**
 * Judges an eviction by what the budgets select. Pods that are pending, ended or being deleted are no loss; unhealthy ones are none
 * while the budget is met, or always where it says AlwaysAllow. Pure; never throws.
 */
export function judgeEviction(pod: Pod, budgets: readonly PodDisruptionBudget[]): EvictionVerdict {
  const isPending = (pod.status?.phase ?? 'Pending') === 'Pending';
  if (isTerminal(pod) || pod.metadata.deletionTimestamp !== undefined) return { do: 'delete', exact: false };
  if (isPending) return { do: 'delete', exact: true };
  const [budget, ...others] = budgetsOf(pod, budgets);
  if (budget === undefined) return { do: 'delete', exact: false };
  if (others.length > 0) return { do: 'refuse', reason: 'SeveralBudgets' };
  if (!isReady(pod) && freesUnhealthy(budget)) return { do: 'delete', exact: true };
  return { do: 'spend', budget };
}

function freesUnhealthy({ spec, status }: PodDisruptionBudget): boolean {
  if (spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const desired = status?.desiredHealthy ?? 0;
  return desired > 0 && (status?.currentHealthy ?? 0) >= desired;
}

/** What spending one disruption comes to; `message` and `retryAfterSeconds` are Kubernetes' own. */
export type Spending =
  | { readonly ok: true; readonly status: BudgetStatus }
  | {
      readonly ok: false;
      readonly reason: 'NotObserved' | 'Exhausted' | 'Negative' | 'TooManyPending';
      readonly message: string;
      readonly retryAfterSeconds?: number;
    };

/** Evictions let pass that the budget's controller has not seen through yet; more are refused. */
const MOST_PENDING = 2000;

/**
 * Takes one disruption from the budget's newest state, for `pod`. `healthyNow` is how many of its pods are healthy at this instant: the
 * status may be older than what is known. Evicting a pod twice takes one. Pure; never throws.
 */
export function spendDisruption(
  pdb: PodDisruptionBudget,
  pod: Pod,
  healthyNow: number,
  now: Moment,
): Spending {
  const { name, generation = 0 } = pdb.metadata;
  const status = {
    disruptionsAllowed: 0,
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
    ...pdb.status,
  };
  const { disruptedPods = {}, disruptionsAllowed: allowed, desiredHealthy } = status;
  if ((status.observedGeneration ?? 0) < generation) {
    const message = `The disruption budget ${name} is still being processed by the server.`;
    return { ok: false, reason: 'NotObserved', message, retryAfterSeconds: 10 };
  }
  if (isSpentFor(pod, disruptedPods, now)) return { ok: true, status };
  if (allowed < 0) return { ok: false, reason: 'Negative', message: 'pdb disruptions allowed is negative' };
  if (Object.keys(disruptedPods).length > MOST_PENDING) {
    const message = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller';
    return { ok: false, reason: 'TooManyPending', message };
  }
  const left = isReady(pod) ? Math.min(allowed, healthyNow - desiredHealthy) : allowed;
  if (left <= 0) {
    const current = Math.min(status.currentHealthy, healthyNow);
    const message = `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${current} currently`;
    return { ok: false, reason: 'Exhausted', message };
  }
  const spent = { ...status, disruptionsAllowed: left - 1 };
  return {
    ok: true,
    status: {
      ...spent,
      disruptedPods: { ...disruptedPods, [pod.metadata.name]: now.time },
      conditions: allowedConditions({ ...pdb, status: spent }, left - 1, now),
    },
  };
}

/** True when a disruption was spent for this very pod and it has not gone yet. */
function isSpentFor(pod: Pod, disrupted: Readonly<Record<string, string>>, now: Moment): boolean {
  const { name, creationTimestamp } = pod.metadata;
  const since = Object.hasOwn(disrupted, name) ? disrupted[name] : undefined;
  if (since === undefined || !isExpectedToGo(since, now.atMs)) return false;
  return Date.parse(since) >= Date.parse(creationTimestamp);
}
