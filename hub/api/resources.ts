import { idOf } from '../../protocol/kinds/kind.ts';
import { notFound } from '../../protocol/status.ts';
import { apiServicesAnswer } from './api-services.ts';
import { apply, isApply } from './apply.ts';
import { componentStatusesAnswer } from './component-statuses.ts';
import { type ApiContext, demand, methodNotAllowed, type Target } from './context.ts';
import { remove, removeAll } from './delete.ts';
import { noSuchPath } from './documents.ts';
import { ephemeralContainers } from './ephemeral-containers.ts';
import { evict } from './eviction.ts';
import type { Answer, Exchange } from './exchange.ts';
import { execOrAttach } from './exec.ts';
import { GuardedStore } from './guarded-store.ts';
import { log } from './log.ts';
import { metricsAnswer } from './metrics-api.ts';
import { patch } from './patch.ts';
import type { ResourcePath } from './path.ts';
import { bind, bindingAnswer } from './pod-actions.ts';
import { portForward } from './port-forward.ts';
import { proxy } from './proxy.ts';
import { listOptions } from './query.ts';
import { get, list } from './read.ts';
import { reviewAnswer } from './reviews.ts';
import { scale } from './scale.ts';
import { parseFieldSelector } from './selection.ts';
import { isScalable } from './served.ts';
import { tokenRequest } from './token-request.ts';
import { watch } from './watch.ts';
import { create, type Part, update } from './write.ts';

/** Answers every path below `/api/V` and `/apis/G/V`. Throws ApiError. */
export async function resourceAnswer(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
): Promise<Answer> {
  const computed =
    (await reviewAnswer(context, exchange, path)) ??
    metricsAnswer(context, exchange, path) ??
    apiServicesAnswer(context, exchange, path) ??
    componentStatusesAnswer(context, exchange, path) ??
    (await bindingAnswer(context, exchange, path));
  if (computed !== undefined) return computed;
  const spec = context.kinds.find(
    (k) => k.plural === path.resource && k.group === path.group && k.version === path.version,
  );
  if (spec === undefined) throw noSuchPath();
  const { namespace = '', name = '', subresource } = path;
  if (namespace !== '' && !spec.namespaced) throw noSuchPath();
  if (namespace === '' && spec.namespaced && name !== '') throw noSuchPath();
  const target: Target = { spec, path, namespace, name };
  const own = guarded(context, exchange, target);
  if (name === '') return collection(own, exchange, target);
  return subresource === undefined ? single(own, exchange, target) : part(own, exchange, target, subresource);
}

/** Kinds with a rule about their writers are written through it. */
function guarded(context: ApiContext, exchange: Exchange, { spec, path }: Target): ApiContext {
  const rule = context.access?.writeRules.get(idOf(spec));
  if (rule === undefined) return context;
  const isApproval = path.subresource === 'approval';
  return { ...context, store: new GuardedStore(context.store, rule, exchange.user, isApproval) };
}

/** The fields that a list is narrowed to by equality, for authorizers. Throws BadRequest. */
function exactFields(selector: string): Record<string, string> {
  const terms = parseFieldSelector(selector).filter((term) => term.equal);
  return Object.fromEntries(terms.map(({ field, value }) => [field, value]));
}

function collection(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> | Answer {
  const { path, spec } = target;
  switch (exchange.method) {
    case 'GET': {
      const options = listOptions(exchange.query);
      demand(context, exchange, path, options.watch ? 'watch' : 'list', exactFields(options.fieldSelector));
      return options.watch
        ? watch(context, exchange, target, options)
        : list(context, exchange, target, options);
    }
    case 'POST':
      demand(context, exchange, path, 'create');
      if (spec.namespaced && target.namespace === '') throw methodNotAllowed();
      return create(context, exchange, target);
    case 'DELETE':
      demand(
        context,
        exchange,
        path,
        'deletecollection',
        exactFields(exchange.query.get('fieldSelector') ?? ''),
      );
      if (idOf(spec) === 'Namespace' || (spec.namespaced && target.namespace === ''))
        throw methodNotAllowed();
      return removeAll(context, exchange, target);
    default:
      throw methodNotAllowed();
  }
}

function single(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> | Answer {
  const verb = VERBS[exchange.method];
  if (verb === undefined) throw methodNotAllowed();
  demand(context, exchange, target.path, verb);
  switch (verb) {
    case 'get':
      return get(context, exchange, target);
    case 'update':
      return update(context, exchange, target, 'spec');
    case 'patch':
      return patching(context, exchange, target, 'spec');
    case 'delete':
      return remove(context, exchange, target);
  }
}

function patching(context: ApiContext, exchange: Exchange, target: Target, part: Part): Promise<Answer> {
  return isApply(exchange) ? apply(context, exchange, target, part) : patch(context, exchange, target, part);
}

const VERBS: Readonly<Record<string, 'get' | 'update' | 'patch' | 'delete'>> = {
  GET: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Subresources: `status` and `scale` of any kind that has them, and those of pods. */
function part(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  subresource: string,
): Promise<Answer> | Answer {
  const { spec, path, name } = target;
  if (subresource === 'proxy') return proxy(context, exchange, target);
  if (path.rest !== undefined) throw noSuchPath();
  const verb = exchange.method === 'POST' ? 'create' : VERBS[exchange.method];
  if (verb === undefined) throw methodNotAllowed();
  demand(context, exchange, path, verb);
  if (subresource === 'scale' && isScalable(spec)) return scale(context, exchange, target);
  if (subresource === 'status' && spec.hasStatus) return status(context, exchange, target);
  // Approval is a part of status; the kind's write rule sees to it that nothing else changes.
  if (subresource === 'approval' && idOf(spec) === 'CertificateSigningRequest')
    return status(context, exchange, target);
  if (subresource === 'token' && idOf(spec) === 'ServiceAccount')
    return tokenRequest(context, exchange, target);
  const action = idOf(spec) === 'Pod' ? POD_ACTIONS.get(subresource) : undefined;
  if (action === undefined) throw noSuchPath();
  if (context.store.getObject(idOf(spec), target.namespace, name) === undefined) throw notFound(spec, name);
  return action(context, exchange, target);
}

function status(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> | Answer {
  switch (exchange.method) {
    case 'GET':
      return get(context, exchange, target);
    case 'PUT':
      return update(context, exchange, target, 'status');
    case 'PATCH':
      return patching(context, exchange, target, 'status');
    default:
      throw methodNotAllowed();
  }
}

type PodAction = (context: ApiContext, exchange: Exchange, target: Target) => Promise<Answer> | Answer;

function posted(action: PodAction): PodAction {
  return (context, exchange, target) => {
    if (exchange.method !== 'POST') throw methodNotAllowed();
    return action(context, exchange, target);
  };
}

const POD_ACTIONS: ReadonlyMap<string, PodAction> = new Map<string, PodAction>([
  ['log', log],
  ['exec', (context, exchange, target) => execOrAttach(context, exchange, target, 'exec')],
  ['attach', (context, exchange, target) => execOrAttach(context, exchange, target, 'attach')],
  ['portforward', portForward],
  ['ephemeralcontainers', ephemeralContainers],
  ['binding', posted(bind)],
  ['eviction', posted(evict)],
]);
