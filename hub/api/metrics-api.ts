import { toTime } from '../../kit/clock.ts';
import { idOf } from '../../protocol/kinds/kind.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { cpuMilli } from '../../protocol/quantity.ts';
import { notFound } from '../../protocol/status.ts';
import type { PodUsage } from '../../protocol/wire/messages.ts';
import { type ApiContext, demand, methodNotAllowed, notAcceptable } from './context.ts';
import type { Answer, Exchange } from './exchange.ts';
import { negotiate } from './media.ts';
import type { ResourcePath } from './path.ts';
import { listOptions } from './query.ts';
import { type Filter, selection } from './selection.ts';

const API_VERSION = 'metrics.k8s.io/v1beta1';

/** Answers metrics.k8s.io (get and list of nodes and pods) from live telemetry; undefined for other groups. */
export function metricsAnswer(
  context: ApiContext,
  exchange: Exchange,
  path: ResourcePath,
): Answer | undefined {
  if (path.group !== 'metrics.k8s.io' || path.version !== 'v1beta1') return undefined;
  const source = path.resource === 'nodes' ? NODES : path.resource === 'pods' ? PODS : undefined;
  if (source === undefined || path.subresource !== undefined) return undefined;
  if (exchange.method !== 'GET') throw methodNotAllowed();
  demand(context, exchange, path, path.name === undefined ? 'list' : 'get');
  if (negotiate(exchange.request.headers.accept) === undefined) throw notAcceptable();
  if (path.name !== undefined) return one(context, source, path.namespace ?? '', path.name);
  const options = listOptions(exchange.query);
  if (options.watch) throw methodNotAllowed();
  const matches = selectionOf(context, source.kind, options.labelSelector, options.fieldSelector);
  const all = context.store.listObjects(source.kind, path.namespace).items;
  const items = matches === undefined ? all : all.filter(matches);
  return {
    object: {
      kind: `${source.metricsKind}List`,
      apiVersion: API_VERSION,
      metadata: {},
      items: items
        .map((object) => source.metrics(context, object as Node & Pod))
        .filter((m) => m !== undefined),
    },
  };
}

interface Source {
  readonly kind: 'Node' | 'Pod';
  readonly metricsKind: 'NodeMetrics' | 'PodMetrics';
  readonly metrics: (context: ApiContext, object: Node & Pod) => object | undefined;
}

const NODES: Source = { kind: 'Node', metricsKind: 'NodeMetrics', metrics: nodeMetrics };
const PODS: Source = { kind: 'Pod', metricsKind: 'PodMetrics', metrics: podMetrics };

function selectionOf(context: ApiContext, kind: string, labels: string, fields: string): Filter | undefined {
  const spec = context.kinds.find((k) => idOf(k) === kind);
  return spec === undefined ? undefined : selection(spec, labels, fields);
}

function one(context: ApiContext, source: Source, namespace: string, name: string): Answer {
  const object = context.store.getObject(source.kind, namespace, name);
  const metrics = object === undefined ? undefined : source.metrics(context, object as Node & Pod);
  if (metrics === undefined) {
    const plural = source.kind === 'Node' ? 'nodes' : 'pods';
    throw notFound(
      { kind: source.metricsKind, group: 'metrics.k8s.io', plural },
      `${prefix(namespace)}${name}`,
    );
  }
  return { object: metrics };
}

const prefix = (namespace: string): string => (namespace === '' ? '' : `${namespace}/`);

/** Undefined while no telemetry of the node is known: an unknown load is not a load of nothing. */
function nodeMetrics(context: ApiContext, node: Node): object | undefined {
  const newest = context.telemetry.node(node.metadata.name);
  if (newest === undefined) return undefined;
  const { sample, atMs } = newest;
  const milli = Math.round(sample.cpuRatio * cpuMilli(node.status?.capacity?.['cpu']));
  return {
    ...head('NodeMetrics', node, atMs, sample.windowMs),
    usage: usage(milli, sample.memoryUsedBytes),
  };
}

function podMetrics(context: ApiContext, pod: Pod): object | undefined {
  if (pod.status?.phase !== 'Running') return undefined;
  const newest = context.telemetry.pod(pod.metadata.uid);
  if (newest === undefined) return undefined;
  const windowMs = context.telemetry.node(pod.spec.nodeName ?? '')?.sample.windowMs ?? 0;
  return {
    ...head('PodMetrics', pod, newest.atMs, windowMs),
    containers: containersOf(pod, newest.sample),
  };
}

function containersOf(pod: Pod, sample: PodUsage): object[] {
  const parts = sample.containers ?? { [pod.spec.containers[0]?.name ?? '']: sample };
  return Object.entries(parts).map(([name, part]) => ({
    name,
    usage: usage(part.cpuMilli, part.memoryBytes),
  }));
}

function head(kind: string, object: Node | Pod, atMs: number, windowMs: number): object {
  const { name, namespace, labels } = object.metadata;
  return {
    kind,
    apiVersion: API_VERSION,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      creationTimestamp: toTime(atMs),
    },
    timestamp: toTime(atMs),
    window: `${Math.max(1, Math.round(windowMs / 1000))}s`,
  };
}

const usage = (milli: number, bytes: number): object => ({
  cpu: `${milli}m`,
  memory: `${Math.round(bytes / 1024)}Ki`,
});
