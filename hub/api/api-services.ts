import { type APIService, apiServiceKind } from '../../protocol/kinds/api-service-kind.ts';
import { leadsTo, readComputed } from './computed.ts';
import type { ApiContext } from './context.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';

/** Everything the hub serves has been there since long ago, as far as the list is concerned. */
const SINCE = '1970-01-01T00:00:00Z';

/** Answers get and list of APIServices, which show the groups that are served; undefined for other paths. */
export function apiServicesAnswer(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
): Answer | undefined {
  if (!leadsTo(path, apiServiceKind)) return undefined;
  return readComputed(context, exchange, path, apiServiceKind, () => services(context));
}

/** One for each group version, in the order of discovery. */
function services(context: ApiContext): APIService[] {
  const seen = new Map(
    context.resources.map(({ group, version }) => [`${version}.${group}`, { group, version }]),
  );
  return [...seen.values()].map(({ group, version }) => ({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: {
      name: `${version}.${group}`,
      uid: `${version}.${group}`,
      resourceVersion: '1',
      creationTimestamp: SINCE,
      labels: { 'kube-aggregator.kubernetes.io/automanaged': 'onstart' },
    },
    spec: { group, version, groupPriorityMinimum: 17_000, versionPriority: 15 },
    status: {
      conditions: [
        {
          type: 'Available',
          status: 'True',
          reason: 'Local',
          message: 'Local APIServices are always available',
          lastTransitionTime: SINCE,
        },
      ],
    },
  }));
}
