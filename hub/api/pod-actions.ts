import { isRecord } from '../../protocol/json.ts';
import { idOf } from '../../protocol/kinds/kind.ts';
import { BINDING } from '../../protocol/schema/computed-kinds.ts';
import { ApiError } from '../../protocol/status.ts';
import { type ApiContext, demand, existing, methodNotAllowed, type Target } from './context.ts';
import { readValue } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';
import { dryRunOf } from './query.ts';
import { successStatus } from './send.ts';

/** Answers POST `pods/x/binding`: gives the pod its node, once. */
export async function bind(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  return bindTo(context, exchange, target, (await readValue(exchange, context.codec))?.value ?? {});
}

/** Answers POST `bindings`, the same for the pod that the body names; undefined for other paths. Throws ApiError. */
export async function bindingAnswer(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
): Promise<Answer | undefined> {
  const { group, version, plural } = BINDING;
  if (path.group !== group || path.version !== version || path.resource !== plural) return undefined;
  const { namespace = '' } = path;
  if (exchange.method !== 'POST' || path.name !== undefined || namespace === '') throw methodNotAllowed();
  demand(context, exchange, path, 'create');
  const body = (await readValue(exchange, context.codec))?.value ?? {};
  const name = isRecord(body['metadata']) ? body['metadata']['name'] : undefined;
  if (typeof name !== 'string' || name === '') throw new ApiError('BadRequest', 'name must be provided');
  const spec = context.kinds.find((kind) => idOf(kind) === 'Pod');
  if (spec === undefined) throw new Error('the kinds of the hub have no Pod');
  return bindTo(context, exchange, { spec, path, namespace, name }, body);
}

async function bindTo(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  body: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const to = isRecord(body['target']) ? body['target'] : {};
  const node = to['name'];
  if ((to['kind'] ?? 'Node') !== 'Node' || typeof node !== 'string' || node === '')
    throw new ApiError('BadRequest', 'target.name: Required value: a binding names a node');
  const { metadata } = existing(context, target);
  const wanted = isRecord(body['metadata']) ? body['metadata']['uid'] : undefined;
  const uid = typeof wanted === 'string' && wanted !== '' ? wanted : metadata.uid;
  if (!dryRunOf(exchange.query.getAll('dryRun'), 'CreateOptions'))
    await context.store.bind(target.namespace, target.name, uid, node);
  return { object: { ...successStatus(), code: 201 }, code: 201 };
}
