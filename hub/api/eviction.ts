import { sleep, toTime } from '../../kit/clock.ts';
import { isRecord } from '../../protocol/json.ts';
import { idOf } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import { ApiError, conflict } from '../../protocol/status.ts';
import type { DeleteOptions } from '../cluster.ts';
import { countHealthy } from '../decide/disruption.ts';
import { judgeEviction, type Spending, spendDisruption } from '../decide/eviction.ts';
import type { Moment } from '../decide/moment.ts';
import { withCondition } from '../decide/node-object.ts';
import { type ApiContext, existing, type Target } from './context.ts';
import { readValue } from './decode.ts';
import { deleteOptionsOf } from './delete.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { WriteOptions } from './ports.ts';
import { successStatus } from './send.ts';

type Options = DeleteOptions & WriteOptions;

const VERSIONS: readonly unknown[] = ['policy/v1', 'policy/v1beta1', undefined, ''];
const EXCEEDED = "Cannot evict pod as it would violate the pod's disruption budget.";
const SEVERAL =
  'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
/** A pod that keeps changing under an eviction is looked at again this often. */
const ATTEMPTS = 20;
const RETRY_MS = 25;

/**
 * Answers POST `pods/x/eviction`: deletes the pod gracefully where its disruption budget allows. The budget is checked and spent in
 * one turn of the store, so that evictions that race never exceed it together.
 */
export async function evict(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const options = await readEviction(context, exchange, target);
  const mayRetry = options.resourceVersion === undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await evictOnce(context, target, options);
    } catch (error) {
      const isRace = error instanceof ChangedMeanwhile && mayRetry && attempt < ATTEMPTS;
      if (!isRace) throw error;
      // What changed it may still be on its way to the disk, and reads show it only then.
      await sleep(context.clock, RETRY_MS);
    }
  }
}

/** The pod is no longer what the verdict was about. */
class ChangedMeanwhile extends ApiError {}

async function readEviction(context: ApiContext, exchange: Exchange, target: Target): Promise<Options> {
  const body = (await readValue(exchange, context.codec))?.value ?? {};
  const { apiVersion, kind = '' } = body;
  if (!VERSIONS.includes(apiVersion) || (kind !== '' && kind !== 'Eviction'))
    throw new ApiError(
      'BadRequest',
      `no kind "${String(kind)}" is registered for version "${String(apiVersion ?? '')}" that pods/eviction takes`,
    );
  const name = isRecord(body['metadata']) ? body['metadata']['name'] : undefined;
  if (name !== undefined && name !== '' && name !== target.name)
    throw new ApiError('BadRequest', 'name in URL does not match name in Eviction object');
  const asked = exchange.query.getAll('dryRun');
  const own = isRecord(body['deleteOptions']) ? body['deleteOptions'] : {};
  const given = Array.isArray(own['dryRun']) ? own['dryRun'].map(String) : [];
  if (asked.length > 0 && given.length > 0 && asked.join() !== given.join())
    throw new ApiError(
      'InternalError',
      `Non-matching dry-run options in request and content: [${asked.join(' ')}] and [${given.join(' ')}]`,
    );
  return deleteOptionsOf({ ...own, dryRun: given.length > 0 ? given : asked });
}

async function evictOnce(context: ApiContext, target: Target, options: Options): Promise<Answer> {
  const pod = existing(context, target) as Pod;
  const budgets = context.store.listObjects('PodDisruptionBudget', target.namespace)
    .items as readonly PodDisruptionBudget[];
  const verdict = judgeEviction(pod, budgets);
  if (verdict.do === 'refuse') {
    const { status: _success, ...form } = successStatus() as Record<string, unknown>;
    return { object: { ...form, status: 'Failure', message: SEVERAL, code: 500 }, code: 500 };
  }
  if (verdict.do === 'spend') {
    // Refused for its preconditions, it shall cost nothing.
    await context.store.deleteObject('Pod', target.namespace, target.name, { ...options, dryRun: true });
    await spend(context, verdict.budget, pod, options.dryRun === true);
  }
  await removePod(context, target, pod, options, verdict.do === 'delete' && verdict.exact);
  return { object: { ...successStatus(), code: 201 }, code: 201 };
}

/** Takes one disruption; rejects with what Kubernetes answers when there is none. */
async function spend(
  context: ApiContext,
  { metadata }: PodDisruptionBudget,
  pod: Pod,
  dryRun: boolean,
): Promise<void> {
  const { namespace = '', name } = metadata;
  const change = (current: KubeObject): KubeObject => {
    const pdb = current as PodDisruptionBudget;
    const now = momentOf(context);
    const spending = spendDisruption(pdb, pod, healthyOf(context, pdb, now), now);
    if (!spending.ok) throw refusal(spending, name);
    return { ...pdb, status: spending.status } as KubeObject;
  };
  await context.store.modifyObject('PodDisruptionBudget', namespace, name, change, {
    part: 'status',
    dryRun,
  });
}

/** Counted at this instant: the budget's own figure is as old as its controller's last look. */
function healthyOf(context: ApiContext, pdb: PodDisruptionBudget, now: Moment): number {
  const pods = context.store.listObjects('Pod', pdb.metadata.namespace).items as readonly Pod[];
  const mine = pods.filter((pod) => selectorMatches(pdb.spec?.selector, pod.metadata.labels));
  return countHealthy(mine, pdb.status?.disruptedPods ?? {}, now.atMs);
}

function refusal(spending: Spending & { ok: false }, budget: string): ApiError {
  if (spending.reason === 'Negative' || spending.reason === 'TooManyPending') {
    const message = `poddisruptionbudgets.policy "${budget}" is forbidden: ${spending.message}`;
    return new ApiError('Forbidden', message, {
      name: budget,
      group: 'policy',
      kind: 'poddisruptionbudgets',
    });
  }
  const { retryAfterSeconds, message } = spending;
  return new ApiError('TooManyRequests', EXCEEDED, {
    causes: [{ reason: 'DisruptionBudget', message }],
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** Says why in the pod's conditions, then deletes it. `exact`: only as it was looked at. */
async function removePod(
  context: ApiContext,
  target: Target,
  pod: Pod,
  options: Options,
  exact: boolean,
): Promise<void> {
  const { spec, namespace, name } = target;
  const { store } = context;
  if (options.dryRun === true || pod.metadata.deletionTimestamp !== undefined) {
    await store.deleteObject(idOf(spec), namespace, name, options);
    return;
  }
  const marked = await markDisrupted(context, target, pod, options, exact);
  const { resourceVersion: _checked, ...rest } = options;
  const { uid, resourceVersion } = marked.metadata;
  const still = { ...rest, uid, ...(exact ? { resourceVersion } : {}) };
  try {
    await store.deleteObject(idOf(spec), namespace, name, still);
  } catch (error) {
    throw error instanceof ApiError && error.reason === 'Conflict' ? changed(spec, name) : error;
  }
}

/** Writes the condition DisruptionTarget where the pod is still the one looked at and the preconditions hold. */
function markDisrupted(
  context: ApiContext,
  { spec, namespace, name }: Target,
  pod: Pod,
  options: Options,
  exact: boolean,
): Promise<KubeObject> {
  const { uid, resourceVersion } = pod.metadata;
  const condition = {
    type: 'DisruptionTarget',
    status: 'True' as const,
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: momentOf(context).time,
  };
  const mark = (current: KubeObject): KubeObject => {
    const { metadata, status } = current as Pod;
    if (options.uid !== undefined && options.uid !== metadata.uid)
      throw conflict(spec, name, `the UID in the precondition (${options.uid}) does not match`);
    if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion)
      throw conflict(
        spec,
        name,
        `the ResourceVersion in the precondition (${options.resourceVersion}) does not match`,
      );
    if (metadata.uid !== uid || (exact && metadata.resourceVersion !== resourceVersion))
      throw changed(spec, name);
    return {
      ...current,
      status: { ...status, conditions: withCondition(status?.conditions, condition) },
    } as Pod;
  };
  return context.store.modifyObject(idOf(spec), namespace, name, mark, { part: 'status' });
}

function changed(spec: Target['spec'], name: string): ChangedMeanwhile {
  const { message, details } = conflict(spec, name);
  return new ChangedMeanwhile('Conflict', message, details);
}

function momentOf({ clock }: ApiContext): Moment {
  const atMs = clock.nowMs();
  return { atMs, time: toTime(atMs) };
}
