import { isRecord } from '../../protocol/json.ts';
import { ApiError } from '../../protocol/status.ts';
import { type ApiContext, existing, type Target } from './context.ts';
import { readValue } from './decode.ts';
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
