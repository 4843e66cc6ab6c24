import { idOf } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError } from '../../protocol/status.ts';
import { type ApiContext, methodNotAllowed, type Target } from './context.ts';
import { readObject } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import { patch } from './patch.ts';
import { writeQuery } from './query.ts';
import { get, shown } from './read.ts';
import { writerOf } from './writer.ts';

/** The name of the subresource, by which the store knows that the list may grow. */
const SUBRESOURCE = 'ephemeralcontainers';

/**
 * Answers `pods/x/ephemeralcontainers`, which `kubectl debug` patches: of what is sent only the list of ephemeral containers counts, and
 * the store lets it grow alone.
 */
export async function ephemeralContainers(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
): Promise<Answer> {
  switch (exchange.method) {
    case 'GET':
      return get(context, exchange, target);
    case 'PATCH':
      return patch(context, exchange, target, 'spec', { subresource: SUBRESOURCE, narrow });
    case 'PUT':
      return replace(context, exchange, target);
    default:
      throw methodNotAllowed();
  }
}

async function replace(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  const options = writeQuery(exchange.query, 'UpdateOptions');
  const { spec, namespace, name } = target;
  const wanted = await readObject(context, exchange, spec, namespace, options.fieldValidation);
  if (wanted.metadata.name !== name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${wanted.metadata.name}) does not match the name on the URL (${name})`,
    );
  const writer = writerOf(exchange, options.fieldManager, SUBRESOURCE);
  const { dryRun } = options;
  const change = (current: KubeObject): KubeObject => narrow(wanted, current);
  const updated = await context.store.modifyObject(idOf(spec), namespace, name, change, { dryRun, writer });
  return { object: shown(context, exchange, target, updated) };
}

/** The present pod with the ephemeral containers, and the preconditions, of what was sent. */
function narrow(wanted: KubeObject, current: KubeObject): KubeObject {
  const { ephemeralContainers: list } = (wanted as Partial<Pod>).spec ?? {};
  const { spec } = current as Pod;
  const { resourceVersion = '' } = wanted.metadata;
  const next: Pod = {
    ...(current as Pod),
    metadata: { ...current.metadata, resourceVersion },
    spec: list === undefined ? withoutEphemeral(spec) : { ...spec, ephemeralContainers: list },
  };
  return next;
}

function withoutEphemeral({ ephemeralContainers: _, ...rest }: Pod['spec']): Pod['spec'] {
  return rest;
}
