import { idOf } from '../../protocol/kinds/kind.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError, notFound } from '../../protocol/status.ts';
import { type ApiContext, methodNotAllowed, type Target } from './context.ts';
import type { Answer, Exchange } from './exchange.ts';
import { log } from './log.ts';
import { nodeSummary } from './node-summary.ts';
import { parseProxyName } from './proxy-target.ts';

/** Where people look for a kubelet; nothing listens there, the hub answers in its place. */
const PORTS = ['', '10250', '10255'];

type NodeAnswer = (context: ApiContext, node: Node) => Answer;

/** What of a kubelet's paths the hub can answer truthfully. */
const ANSWERS: ReadonlyMap<string, NodeAnswer> = new Map<string, NodeAnswer>([
  ['healthz', (_context, node) => healthz(node)],
  ['pods', (context, node) => podList(context, node)],
  ['stats/summary', (context, node) => ({ object: nodeSummary(context, node, podsOf(context, node)) })],
]);

/**
 * Answers `nodes/NAME[:PORT]/proxy/…`. A device listens on nothing, so the hub itself answers what it knows: `/healthz`, `/pods`,
 * `/stats/summary` from the newest telemetry, `/containerLogs/…`. Everything else is a 404. Throws ApiError.
 */
export function nodeProxy(context: ApiContext, exchange: Exchange, target: Target): Answer | Promise<Answer> {
  const { name, port } = parseProxyName('node', target.name);
  const node = context.store.getObject('Node', '', name) as Node | undefined;
  if (node === undefined) throw notFound(target.spec, name);
  const path = target.path.rest ?? '';
  const [head, ...names] = path.split('/');
  const answer = PORTS.includes(port) ? ANSWERS.get(path) : undefined;
  const isLog = PORTS.includes(port) && head === 'containerLogs' && names.length === 3;
  if (answer === undefined && !isLog)
    throw new ApiError('NotFound', `nothing on node "${name}" answers ${JSON.stringify(`/${path}`)}`);
  if (exchange.method !== 'GET') throw methodNotAllowed();
  return answer?.(context, node) ?? containerLog(context, exchange, node, names);
}

/** A device that reports is well enough to be asked; of one that does not, nobody can tell. */
function healthz({ metadata, status }: Node): Answer {
  const ready = status?.conditions?.find((c) => c.type === 'Ready')?.status ?? 'Unknown';
  if (ready === 'Unknown')
    throw new ApiError('ServiceUnavailable', `node "${metadata.name}" is not connected`);
  return { text: 'ok', type: 'text/plain; charset=utf-8' };
}

function podsOf({ store }: ApiContext, node: Node): Pod[] {
  const pods = store.listObjects('Pod').items as readonly Pod[];
  return pods.filter((pod) => pod.spec.nodeName === node.metadata.name);
}

function podList(context: ApiContext, node: Node): Answer {
  return { object: { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: podsOf(context, node) } };
}

/** `containerLogs/NAMESPACE/POD/CONTAINER`, with the query of `pods/log`. */
function containerLog(
  context: ApiContext,
  exchange: Exchange,
  node: Node,
  names: readonly string[],
): Promise<Answer> {
  const [namespace = '', name = '', container = ''] = names;
  const spec = context.kinds.find((kind) => idOf(kind) === 'Pod');
  const pod = context.store.getObject('Pod', namespace, name) as Pod | undefined;
  if (spec === undefined || pod?.spec.nodeName !== node.metadata.name)
    throw new ApiError('NotFound', `pod "${namespace}/${name}" is not on node "${node.metadata.name}"`);
  exchange.query.set('container', container);
  const path = { group: '', version: 'v1', resource: 'pods', namespace, name, subresource: 'log' };
  return log(context, exchange, { spec, path, namespace, name });
}
