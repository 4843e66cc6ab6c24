import { isRecord } from '../../protocol/json.ts';
import { idOf } from '../../protocol/kinds/kind.ts';
import { ApiError } from '../../protocol/status.ts';
import { type ApiContext, existing, type Target } from './context.ts';
import { readValue } from './decode.ts';
import { deleteOptionsOf } from './delete.ts';
import type { Answer, Exchange } from './exchange.ts';
import { dryRunOf } from './query.ts';
import { successStatus } from './send.ts';

/** Answers POST `pods/x/binding`: gives the pod its node, once. */
export async function bind(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const body = (await readValue(exchange, context.codec))?.value ?? {};
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

/** Answers POST `pods/x/eviction`: deletes the pod as drain asks for it. */
export async function evict(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const body = (await readValue(exchange, context.codec))?.value ?? {};
  const name = isRecord(body['metadata']) ? body['metadata']['name'] : undefined;
  if (name !== undefined && name !== '' && name !== target.name)
    throw new ApiError('BadRequest', 'name in URL does not match name in Eviction object');
  const dryRun = exchange.query.getAll('dryRun');
  const own = isRecord(body['deleteOptions']) ? body['deleteOptions'] : {};
  const options = deleteOptionsOf({ ...own, ...(dryRun.length === 0 ? {} : { dryRun }) });
  await context.store.deleteObject(idOf(target.spec), target.namespace, target.name, options);
  return { object: { ...successStatus(), code: 201 }, code: 201 };
}
