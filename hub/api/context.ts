import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import { ApiError, notFound } from '../../protocol/status.ts';
import { forbidden } from './authorize.ts';
import type { Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';
import type {
  AccessPort,
  AccountTokensPort,
  Attributes,
  Authorize,
  CodecPort,
  StorePort,
  StreamsPort,
  TelemetryPort,
} from './ports.ts';
import type { ServedResource } from './served.ts';
import type { EventEncoder } from './watch-events.ts';

/** What every handler of resources works with; made once per server. */
export interface ApiContext {
  readonly kinds: readonly KindSpec[];
  readonly resources: readonly ServedResource[];
  readonly store: StorePort;
  readonly codec: CodecPort;
  readonly streams: StreamsPort;
  readonly telemetry: TelemetryPort;
  readonly authorize: Authorize;
  readonly access: AccessPort | undefined;
  readonly accounts: AccountTokensPort | undefined;
  readonly encoder: EventEncoder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A path that leads to a stored kind. */
export interface Target {
  readonly spec: KindSpec;
  readonly path: ResourcePath;
  /** Empty for cluster-wide kinds and for lists over all namespaces. */
  readonly namespace: string;
  /** Empty for collections. */
  readonly name: string;
}

/** Throws Forbidden unless the user may do `verb` on what `path` names; `fields` are those a list is narrowed to. */
export function demand(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
  verb: string,
  fields?: Readonly<Record<string, string>>,
): void {
  const attributes = attributesOf(path, verb, fields);
  if (!context.authorize(exchange.user, attributes)) throw forbidden(exchange.user, attributes);
}

/** What a request for `path` means to authorizers: a list of one name is about that name, a namespace is inside itself. */
export function attributesOf(
  path: ResourcePath,
  verb: string,
  fields: Readonly<Record<string, string>> = {},
): Attributes {
  const name = path.name ?? fields['metadata.name'];
  const isNamespace = path.group === '' && path.resource === 'namespaces';
  const namespace = isNamespace ? path.name : path.namespace;
  return {
    verb,
    group: path.group,
    version: path.version,
    resource: path.resource,
    ...(path.subresource === undefined ? {} : { subresource: path.subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(Object.keys(fields).length === 0 ? {} : { fields }),
  };
}

/** The object a target names; throws NotFound. */
export function existing(context: ApiContext, target: Target): ReturnType<StorePort['getObject']> & object {
  const object = context.store.getObject(idOf(target.spec), target.namespace, target.name);
  if (object === undefined) throw notFound(target.spec, target.name);
  return object;
}

/** 405 as Kubernetes words it. */
export function methodNotAllowed(): ApiError {
  return new ApiError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  );
}

/** 406 with what the server can make. */
export function notAcceptable(): ApiError {
  const message =
    'only the following media types are accepted: application/json, application/yaml, application/json;as=Table;v=v1;g=meta.k8s.io';
  return new ApiError('NotAcceptable', message);
}
