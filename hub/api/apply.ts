import { toTime } from '../../kit/clock.ts';
import { applyConfig } from '../../protocol/apply/apply.ts';
import { applyConflict } from '../../protocol/apply/conflicts.ts';
import { configFaults } from '../../protocol/apply/faults.ts';
import { shapeOfKind } from '../../protocol/apply/shape.ts';
import { isRecord } from '../../protocol/json.ts';
import { apiVersionOf, idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError, notFound } from '../../protocol/status.ts';
import { mediaTypeOf, parseText, readBody } from './body.ts';
import { type ApiContext, demand, type Target } from './context.ts';
import { checkFields } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import { type ApplyQuery, applyQuery } from './query.ts';
import { shown } from './read.ts';
import { warnOfChange } from './warnings.ts';
import type { Part } from './write.ts';

/** Media type of server-side apply; its body may as well be JSON. */
export const APPLY_TYPE = 'application/apply-patch+yaml';

/** True when a PATCH is a server-side apply. */
export const isApply = (exchange: Exchange): boolean =>
  exchange.method === 'PATCH' && mediaTypeOf(exchange.request) === APPLY_TYPE;

/** Answers a server-side apply of an object or of its status: 201 when it creates the object. Throws Conflict. */
export async function apply(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  part: Part,
): Promise<Answer> {
  const options = applyQuery(exchange.query);
  const { spec } = target;
  const body = await readConfig(exchange, apiVersionOf(spec), spec.kind);
  const config = configOf(exchange, target, body);
  const { namespace, name } = target;
  // Twice, for an object that comes or goes while this one is under way.
  for (let again = true; ; again = false) {
    const before = context.store.getObject(idOf(spec), namespace, name);
    const creates = before === undefined;
    try {
      const object = creates
        ? await createdBy(context, exchange, target, partOf(spec, config, part), options, part)
        : await applied(context, target, partOf(spec, config, part), options, part === 'spec' ? '' : part);
      warnOfChange(context, exchange, spec, before, object);
      return { object: shown(context, exchange, target, object), code: creates ? 201 : 200 };
    } catch (error) {
      const isRace = error instanceof ApiError && error.reason === (creates ? 'AlreadyExists' : 'NotFound');
      if (!isRace || !again || part === 'status') throw error;
    }
  }
}

function createdBy(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
  config: KubeObject,
  options: ApplyQuery,
  part: Part,
): Promise<KubeObject> {
  if (part === 'status') throw notFound(target.spec, target.name);
  demand(context, exchange, target.path, 'create');
  const object = nextState(context, target.spec, undefined, config, options, '');
  return context.store.createObject(idOf(target.spec), object, { dryRun: options.dryRun, writer: 'given' });
}

/** Writes what a configuration makes of the newest state of an object. Rejects with Conflict, NotFound or Invalid. */
export function applied(
  context: ApiContext,
  target: Target,
  config: KubeObject,
  options: ApplyQuery,
  subresource: string,
): Promise<KubeObject> {
  const { spec, namespace, name } = target;
  const next = (current: KubeObject): KubeObject =>
    nextState(context, spec, current, config, options, subresource);
  const part = subresource === 'status' ? 'status' : 'spec';
  const { dryRun } = options;
  return context.store.modifyObject(idOf(spec), namespace, name, next, { part, dryRun, writer: 'given' });
}

function nextState(
  context: ApiContext,
  spec: KindSpec,
  live: KubeObject | undefined,
  config: KubeObject,
  options: ApplyQuery,
  subresource: string,
): KubeObject {
  const result = applyConfig({
    shape: shapeOfKind(spec),
    live,
    config,
    manager: options.fieldManager,
    apiVersion: apiVersionOf(spec),
    force: options.force,
    now: toTime(context.clock.nowMs()),
    subresource,
    hasStatus: spec.hasStatus,
  });
  if (!result.ok) throw applyConflict(result.conflicts);
  return result.object;
}

/** Reads the body of an apply: an object of this very kind. Throws BadRequest. */
export async function readConfig(
  exchange: Exchange,
  apiVersion: string,
  kind: string,
): Promise<Record<string, unknown>> {
  const value = parseText((await readBody(exchange.request)).toString('utf8'), 'yaml');
  if (!isRecord(value)) throw new ApiError('BadRequest', 'the configuration to apply is not an object');
  if (typeof value['kind'] !== 'string' || value['kind'] === '')
    throw new ApiError('BadRequest', "Object 'Kind' is missing in the configuration to apply");
  if (typeof value['apiVersion'] !== 'string' || value['apiVersion'] === '')
    throw new ApiError('BadRequest', "Object 'apiVersion' is missing in the configuration to apply");
  if (value['apiVersion'] !== apiVersion)
    throw new ApiError(
      'BadRequest',
      `Incorrect version specified in apply patch. Specified patch version: ${value['apiVersion']}, expected: ${apiVersion}`,
    );
  if (value['kind'] !== kind)
    throw new ApiError(
      'BadRequest',
      `Incorrect kind specified in apply patch. Specified kind: ${value['kind']}, expected: ${kind}`,
    );
  const { metadata } = value;
  if (isRecord(metadata) && (metadata['managedFields'] ?? undefined) !== undefined)
    throw new ApiError('BadRequest', 'metadata.managedFields must be nil');
  return value;
}

function configOf(exchange: Exchange, target: Target, value: Record<string, unknown>): KubeObject {
  const { spec, namespace, name } = target;
  const where = `${spec.namespaced ? namespace : ''}/${name}; ${spec.group}/${spec.version}, Kind=${spec.kind}`;
  const refuse = (why: string): never => {
    throw new ApiError('BadRequest', `failed to create typed patch object (${where}): ${why}`);
  };
  const faults = configFaults(shapeOfKind(spec), value);
  if (faults.length > 0)
    refuse(faults.length === 1 ? (faults[0] ?? '') : ['errors:', ...faults].join('\n  '));
  const fields = checkFields(exchange, spec, { value, duplicates: [] }, 'Ignore');
  if (!fields.ok) return refuse(fields.why);
  const metadata = isRecord(fields.value['metadata']) ? fields.value['metadata'] : {};
  const own = metadata['name'] ?? name;
  if (own !== name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${String(own)}) does not match the name on the URL (${name})`,
    );
  if (spec.namespaced && (metadata['namespace'] ?? namespace) !== namespace)
    throw new ApiError(
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    );
  const named = { ...metadata, name, ...(spec.namespaced ? { namespace } : {}) };
  return { ...fields.value, metadata: named } as unknown as KubeObject;
}

/** What of a configuration this part of the object can hold. */
function partOf(spec: KindSpec, config: KubeObject, part: Part): KubeObject {
  const { status, ...rest } = config as KubeObject & { status?: unknown };
  if (part === 'spec') return spec.hasStatus ? (rest as KubeObject) : config;
  const { name, namespace, resourceVersion, uid } = config.metadata;
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(uid === undefined ? {} : { uid }),
  };
  const { apiVersion, kind } = config;
  return { apiVersion, kind, metadata, ...(status === undefined ? {} : { status }) } as KubeObject;
}
