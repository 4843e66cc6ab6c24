import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import { countHealthy } from '../decide/disruption.ts';
import { judgeEviction, spendDisruption } from '../decide/eviction.ts';
import type { Moment } from '../decide/moment.ts';
import { withCondition } from '../decide/node-object.ts';
import { type LoopDeps, momentOf, tolerant } from '../loop.ts';

/** What an eviction came to; `why` is for people. */
export type Eviction = { readonly ok: true } | { readonly ok: false; readonly why: string };

/**
 * Deletes a pod with its own grace where its disruption budget allows, as the eviction subresource does; `reason` and `message`
 * become its condition DisruptionTarget. The budget is checked and spent in one write. A pod that is gone already is fine.
 */
export async function evictPod(
  deps: Pick<LoopDeps, 'view' | 'client' | 'clock'>,
  pod: Pod,
  reason: string,
  message: string,
): Promise<Eviction> {
  const { view, client, clock } = deps;
  const { namespace = '', name, uid, resourceVersion } = pod.metadata;
  const verdict = judgeEviction(pod, view.list('PodDisruptionBudget', namespace));
  if (verdict.do === 'refuse') return { ok: false, why: 'more than one disruption budget selects it' };
  if (verdict.do === 'spend') {
    const spent = await spend(deps, verdict.budget, pod, momentOf(clock));
    if (!spent.ok) return spent;
  }
  const exact = verdict.do === 'delete' && verdict.exact;
  const type = 'DisruptionTarget';
  const lastTransitionTime = momentOf(clock).time;
  let isSame = false;
  const marked = await client.modify(
    'Pod',
    namespace,
    name,
    (draft) => {
      isSame = draft.metadata.uid === uid && (!exact || draft.metadata.resourceVersion === resourceVersion);
      if (!isSame) return false;
      const condition = { type, status: 'True' as const, reason, message, lastTransitionTime };
      draft.status = { ...draft.status, conditions: withCondition(draft.status?.conditions, condition) };
      return true;
    },
    'status',
  );
  if (marked === undefined) return { ok: true };
  if (!isSame) return { ok: false, why: 'it changed meanwhile' };
  await tolerant(client.delete('Pod', namespace, name, { uid }));
  return { ok: true };
}

/** Takes one disruption from the budget's newest state. */
async function spend(
  { view, client }: Pick<LoopDeps, 'view' | 'client'>,
  { metadata }: PodDisruptionBudget,
  pod: Pod,
  now: Moment,
): Promise<Eviction> {
  const { namespace = '', name } = metadata;
  let outcome: Eviction = { ok: true };
  await client.modify(
    'PodDisruptionBudget',
    namespace,
    name,
    (draft) => {
      const spending = spendDisruption(draft, pod, healthyNow({ view }, draft, now), now);
      outcome = spending.ok ? { ok: true } : { ok: false, why: spending.message };
      if (!spending.ok) return false;
      draft.status = spending.status;
      return true;
    },
    'status',
  );
  return outcome;
}

/** Counted at this instant: the budget's own figure is as old as its controller's last look. */
function healthyNow({ view }: Pick<LoopDeps, 'view'>, pdb: PodDisruptionBudget, now: Moment): number {
  const mine = view
    .list('Pod', pdb.metadata.namespace)
    .filter((pod) => selectorMatches(pdb.spec?.selector, pod.metadata.labels));
  return countHealthy(mine, pdb.status?.disruptedPods ?? {}, now.atMs);
}
