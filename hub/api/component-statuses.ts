import { type ComponentStatus, componentStatusKind } from '../../protocol/kinds/component-status-kind.ts';
import { leadsTo, readComputed } from './computed.ts';
import type { ApiContext } from './context.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { ResourcePath } from './path.ts';

/** What Kubernetes names; here all are the hub, and who gets an answer from it has one that runs with its store open. */
const COMPONENTS = ['scheduler', 'controller-manager', 'etcd-0'];
const DEPRECATED = 'v1 ComponentStatus is deprecated in v1.19+';

/** Answers get and list of ComponentStatuses; undefined for other paths. */
export function componentStatusesAnswer(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
): Answer | undefined {
  if (!leadsTo(path, componentStatusKind)) return undefined;
  const answer = readComputed(context, exchange, path, componentStatusKind, () => COMPONENTS.map(statusOf));
  exchange.warnings.push(DEPRECATED);
  return answer;
}

/** Made by nobody at no time: what Kubernetes, too, sends here lacks half of the metadata that stored objects have. */
function statusOf(name: string): ComponentStatus {
  return {
    apiVersion: 'v1',
    kind: 'ComponentStatus',
    metadata: { name, creationTimestamp: null } as unknown as ComponentStatus['metadata'],
    conditions: [{ type: 'Healthy', status: 'True', message: 'ok' }],
  };
}
