import { randomUUID } from 'node:crypto';
import { type Clock, toMicroTime } from '../../kit/clock.ts';
import { userInfoOf } from './access-reviews.ts';
import type { Exchange } from './exchange.ts';
import type { Identity } from './identify.ts';
import { parseResourcePath } from './path.ts';

/** Takes what is to be remembered; must not throw or block. */
export type AuditSink = (event: object) => void;

/** Notes one request: who, what, and once it is answered, how it ended. */
export type Auditor = (exchange: Exchange, identity: Identity) => void;

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
};

/**
 * Makes audit.k8s.io/v1 Events of level Metadata: no bodies, no secrets. A request that stays open (exec, attach, watch) is noted when
 * it comes and when it ends, others when they are answered.
 */
export function auditor(sink: AuditSink, clock: Clock): Auditor {
  return (exchange, identity) => {
    const base = { ...eventOf(exchange, identity), requestReceivedTimestamp: toMicroTime(clock.nowMs()) };
    const tell = (stage: string, code?: number): void =>
      sink({
        ...base,
        stage,
        stageTimestamp: toMicroTime(clock.nowMs()),
        ...(code === undefined ? {} : { responseStatus: { code } }),
      });
    const { upgrade, response } = exchange;
    if (upgrade !== undefined || base.verb === 'watch') tell('RequestReceived');
    (upgrade?.socket ?? response).once('close', () => {
      const switched = upgrade !== undefined && !response.headersSent;
      tell('ResponseComplete', switched ? 101 : response.statusCode);
    });
  };
}

function eventOf(exchange: Exchange, { user, sender }: Identity): { verb: string } & Record<string, unknown> {
  const { request, path } = exchange;
  const resource = parseResourcePath(path);
  const { 'user-agent': agent } = request.headers;
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: randomUUID(),
    requestURI: request.url ?? path,
    verb: resource === undefined ? exchange.method.toLowerCase() : verbOf(exchange, resource.name),
    user: userInfoOf(sender ?? user),
    ...(sender === undefined ? {} : { impersonatedUser: userInfoOf(user) }),
    sourceIPs: [request.socket.remoteAddress ?? ''],
    ...(agent === undefined ? {} : { userAgent: agent }),
    ...(resource === undefined
      ? {}
      : {
          objectRef: {
            resource: resource.resource,
            ...(resource.namespace === undefined ? {} : { namespace: resource.namespace }),
            ...(resource.name === undefined ? {} : { name: resource.name }),
            ...(resource.group === '' ? {} : { apiGroup: resource.group }),
            apiVersion: resource.version,
            ...(resource.subresource === undefined ? {} : { subresource: resource.subresource }),
          },
        }),
  };
}

function verbOf({ method, query }: Exchange, name: string | undefined): string {
  if (method === 'DELETE') return name === undefined ? 'deletecollection' : 'delete';
  if (method !== 'GET') return VERBS[method] ?? method.toLowerCase();
  const watching = query.get('watch');
  if (name === undefined && watching !== null && watching !== 'false' && watching !== '0') return 'watch';
  return name === undefined ? 'list' : 'get';
}
