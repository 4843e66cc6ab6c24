import { idOf } from '../../protocol/kinds/kind.ts';
import { ApiError } from '../../protocol/status.ts';
import type { ApiContext, Target } from './context.ts';
import { readObject } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import { writeQuery } from './query.ts';
import { shown } from './read.ts';
import { warnOfChange, warnOfNew } from './warnings.ts';
import { writerOf } from './writer.ts';

/** Which part of an object a write replaces: everything but status, or status alone. */
export type Part = 'spec' | 'status';

/** Answers a POST to a collection. */
export async function create(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const options = writeQuery(exchange.query, 'CreateOptions');
  const { spec, namespace } = target;
  const object = await readObject(context, exchange, spec, namespace, options.fieldValidation);
  const writer = writerOf(exchange, options.fieldManager);
  const { dryRun } = options;
  const created = await context.store.createObject(idOf(spec), object, { dryRun, writer });
  warnOfNew(context, exchange, spec, created);
  return { object: shown(context, exchange, target, created), code: 201 };
}

/** Answers a PUT of an object or of its status. */
export async function update(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  part: Part,
): Promise<Answer> {
  const options = writeQuery(exchange.query, 'UpdateOptions');
  const { spec, namespace, name } = target;
  const object = await readObject(context, exchange, spec, namespace, options.fieldValidation);
  const own = object.metadata.name;
  if (own === undefined || own === '') throw new ApiError('BadRequest', 'name must be provided');
  if (own !== name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${own}) does not match the name on the URL (${name})`,
    );
  const before = context.store.getObject(idOf(spec), namespace, name);
  const writer = writerOf(exchange, options.fieldManager, part === 'status' ? part : '');
  const { dryRun } = options;
  const updated = await (part === 'status'
    ? context.store.updateStatusObject(idOf(spec), object, { dryRun, writer })
    : context.store.updateObject(idOf(spec), object, { dryRun, writer }));
  warnOfChange(context, exchange, spec, before, updated);
  return { object: shown(context, exchange, target, updated), code: before === undefined ? 201 : 200 };
}
