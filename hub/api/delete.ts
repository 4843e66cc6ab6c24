import { isRecord } from '../../protocol/json.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError } from '../../protocol/status.ts';
import type { DeleteOptions } from '../cluster.ts';
import type { ApiContext, Target } from './context.ts';
import { readValue } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import { negotiate } from './media.ts';
import type { WriteOptions } from './ports.ts';
import { projectList } from './projection.ts';
import { count, dryRunOf, listOptions } from './query.ts';
import { selection } from './selection.ts';
import { successStatus } from './send.ts';

type Options = DeleteOptions & WriteOptions;

const POLICIES = new Set(['Background', 'Foreground', 'Orphan']);

/** Answers a DELETE of one object: a Status when it is gone, the object while it stays for its grace or finalizers. */
export async function remove(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const { spec, namespace, name } = target;
  const present = context.store.getObject(idOf(spec), namespace, name);
  const options = withDefault(exchange, spec, await deleteOptions(context, exchange), present);
  const { object, removed } = await context.store.deleteObject(idOf(spec), namespace, name, options);
  // Kubernetes answers pods with the object in any case, and clients read the grace period from it.
  if (!removed || idOf(spec) === 'Pod') return { object };
  const details = {
    name: object.metadata.name,
    ...(spec.group === '' ? {} : { group: spec.group }),
    kind: spec.plural,
    uid: object.metadata.uid,
  };
  return { object: successStatus(details) };
}

/** Answers a DELETE of a collection with the list of what it deleted. */
export async function removeAll(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const { spec } = target;
  const query = listOptions(exchange.query);
  const matches = selection(spec, query.labelSelector, query.fieldSelector);
  const options = withDefault(exchange, spec, await deleteOptions(context, exchange));
  const namespace = target.namespace === '' ? undefined : target.namespace;
  const removals = await context.store.deleteCollection(idOf(spec), namespace, options, matches);
  const as = negotiate(exchange.request.headers.accept)?.as ?? 'object';
  const metadata = { resourceVersion: String(context.store.revision) };
  const nowMs = context.clock.nowMs();
  const objects = removals.map((removal) => removal.object);
  return { list: projectList(spec, objects, metadata, { as, include: 'Metadata', nowMs }) };
}

/** Kinds whose dependents stay, for the sake of clients from before garbage collection, unless a deletion says what is to become of them. */
const ORPHANING = new Set(['Job', 'ReplicationController']);
const ORPHANED_PODS =
  'child pods are preserved by default when jobs are deleted; ' +
  'set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

function withDefault(exchange: Exchange, spec: KindSpec, options: Options, present?: KubeObject): Options {
  if (options.propagation !== undefined || !ORPHANING.has(idOf(spec))) return options;
  if (idOf(spec) === 'Job') exchange.warnings.push(ORPHANED_PODS);
  const isForeground = present?.metadata.finalizers?.includes('foregroundDeletion') === true;
  return isForeground ? options : { ...options, propagation: 'Orphan' };
}

/** Options from the body (DeleteOptions) or, field by field, from the query. */
async function deleteOptions(context: ApiContext, exchange: Exchange): Promise<Options> {
  const body = (await readValue(exchange, context.codec))?.value ?? {};
  const { query } = exchange;
  return deleteOptionsOf({
    gracePeriodSeconds: count(query, 'gracePeriodSeconds'),
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    dryRun: query.getAll('dryRun'),
    ...body,
  });
}

/** Checks a DeleteOptions object; throws BadRequest or Invalid. */
export function deleteOptionsOf(body: Readonly<Record<string, unknown>>): Options {
  const { gracePeriodSeconds: grace, orphanDependents } = body;
  const policy = body['propagationPolicy'] ?? undefined;
  const preconditions = isRecord(body['preconditions']) ? body['preconditions'] : {};
  const { uid, resourceVersion } = preconditions;
  if (grace !== undefined && grace !== null && !Number.isSafeInteger(grace)) refuse('gracePeriodSeconds');
  if (policy !== undefined && !(typeof policy === 'string' && POLICIES.has(policy)))
    refuse('propagationPolicy');
  if (uid !== undefined && typeof uid !== 'string') refuse('preconditions.uid');
  if (resourceVersion !== undefined && typeof resourceVersion !== 'string')
    refuse('preconditions.resourceVersion');
  const dryRun = Array.isArray(body['dryRun']) ? body['dryRun'].map(String) : [];
  const propagation = orphanOr(orphanDependents) ?? policy;
  return {
    dryRun: dryRunOf(dryRun, 'DeleteOptions'),
    // Kubernetes reads a negative grace as the shortest one.
    ...(typeof grace === 'number' ? { gracePeriodSeconds: grace < 0 ? 1 : grace } : {}),
    ...(isPropagation(propagation) ? { propagation } : {}),
    ...(typeof uid === 'string' ? { uid } : {}),
    ...(typeof resourceVersion === 'string' ? { resourceVersion } : {}),
  };
}

/** What the old spelling of the policy says. */
function orphanOr(orphanDependents: unknown): string | undefined {
  if (typeof orphanDependents !== 'boolean') return undefined;
  return orphanDependents ? 'Orphan' : 'Background';
}

function isPropagation(value: unknown): value is 'Background' | 'Foreground' | 'Orphan' {
  return typeof value === 'string' && POLICIES.has(value);
}

function refuse(field: string): never {
  throw new ApiError('BadRequest', `DeleteOptions: ${field} has an unusable value`);
}
