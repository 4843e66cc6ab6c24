import { isRecord } from '../../protocol/json.ts';
import { idOf, type KindSpec, type ScaleView } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { type Scale, scaleKind } from '../../protocol/kinds/scale-kind.ts';
import { scaleViewOf } from '../../protocol/kinds/scale-view.ts';
import { ApiError, invalid } from '../../protocol/status.ts';
import { applied, isApply, readConfig } from './apply.ts';
import { type ApiContext, existing, methodNotAllowed, type Target } from './context.ts';
import { readValue } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import { readPatch } from './patch.ts';
import { applyQuery, patchQuery, writeQuery } from './query.ts';
import { shown } from './read.ts';
import { writerOf } from './writer.ts';

const RESOURCE = { kind: 'Scale', group: 'autoscaling', plural: 'scales' };

/** Answers `/scale`: GET, PUT and PATCH of the number of replicas. */
export async function scale(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  if (exchange.method === 'GET') {
    const object = scaleOf(target.spec, existing(context, target));
    return { object: shown(context, exchange, { ...target, spec: scaleKind }, object) };
  }
  if (isApply(exchange))
    return { object: scaleOf(target.spec, await appliedScale(context, exchange, target)) };
  const isPatch = exchange.method === 'PATCH';
  const { dryRun, fieldManager } = isPatch
    ? patchQuery(exchange.query)
    : writeQuery(exchange.query, 'UpdateOptions');
  const change = await nextScale(context, exchange, target);
  const writer = writerOf(exchange, fieldManager, 'scale');
  const next = (current: KubeObject): KubeObject => {
    const wanted = change(scaleOf(target.spec, current));
    const metadata = isRecord(wanted['metadata']) ? wanted['metadata'] : {};
    const version = metadata['resourceVersion'];
    const resourceVersion = typeof version === 'string' ? version : '';
    const replicas = replicasOf(wanted, target.name);
    const object = viewOf(target.spec).write(current, replicas);
    return { ...object, metadata: { ...current.metadata, resourceVersion } };
  };
  const { spec, namespace, name } = target;
  const updated = await context.store.modifyObject(idOf(spec), namespace, name, next, { dryRun, writer });
  return { object: scaleOf(spec, updated) };
}

/** Applies the number of replicas, the one field of a Scale that can be owned: as a part of the workload. */
async function appliedScale(context: ApiContext, exchange: Exchange, target: Target): Promise<KubeObject> {
  const options = applyQuery(exchange.query);
  const { apiVersion, kind } = existing(context, target);
  const body = await readConfig(exchange, 'autoscaling/v1', 'Scale');
  const { name, namespace } = target;
  const sent = isRecord(body['metadata']) ? body['metadata']['resourceVersion'] : undefined;
  const metadata = { name, namespace, ...(typeof sent === 'string' ? { resourceVersion: sent } : {}) };
  const given = isRecord(body['spec']) && body['spec']['replicas'] !== undefined;
  const bare = { apiVersion, kind, metadata } as unknown as KubeObject;
  const config = given ? viewOf(target.spec).write(bare, replicasOf(body, name)) : bare;
  return applied(context, target, config, options, 'scale');
}

async function nextScale(
  context: ApiContext,
  exchange: Exchange,
  target: Target,
): Promise<(current: object) => Record<string, unknown>> {
  existing(context, target);
  if (exchange.method === 'PATCH') {
    // Scale has neither lists nor maps, so a strategic merge of it is a plain merge.
    const patch = await readPatch(exchange, undefined, context.codec);
    return (current) => {
      const patched = patch(current);
      if (!isRecord(patched)) throw new ApiError('BadRequest', 'the patched object is no Scale');
      return patched;
    };
  }
  if (exchange.method !== 'PUT') throw methodNotAllowed();
  const body = await readValue(exchange, context.codec);
  if (body === undefined) throw new ApiError('BadRequest', 'the request body is empty');
  return () => body.value;
}

function replicasOf(wanted: Record<string, unknown>, name: string): number {
  const replicas = isRecord(wanted['spec']) ? (wanted['spec']['replicas'] ?? 0) : 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas))
    throw new ApiError(
      'BadRequest',
      'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal spec.replicas into Go struct field ScaleSpec.spec.replicas of type int32',
    );
  if (replicas < 0)
    throw invalid(RESOURCE, name, [
      {
        reason: 'FieldValueInvalid',
        field: 'spec.replicas',
        message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
      },
    ]);
  return replicas;
}

function viewOf(kind: KindSpec): ScaleView {
  const view = scaleViewOf(kind);
  if (view === undefined) throw methodNotAllowed();
  return view;
}

function scaleOf(kind: KindSpec, object: KubeObject): Scale {
  const { replicas, current, selector } = viewOf(kind).read(object);
  const { name, namespace = '', uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas },
    status: { replicas: current, selector },
  };
}
