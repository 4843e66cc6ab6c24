import type { Container, PodSpec } from '../../protocol/kinds/pod.ts';
import { bytesOf, cpuMilli, parseQuantity } from '../../protocol/quantity.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';

/** What the node knows and a field reference may ask for. */
export interface NodeContext {
  readonly nodeName: string;
  readonly hostIp: string;
  readonly podIp: string;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

const KEYED = /^metadata\.(labels|annotations)\['([^']+)'\]$/;

/**
 * Value of a downward API field (`metadata.name`, `status.podIP`, `metadata.labels['app']`, `metadata.labels` ...);
 * undefined when Kubernetes does not offer the field. Absent labels are empty.
 */
export function fieldValue(pod: DesiredPod, node: NodeContext, path: string): string | undefined {
  const { metadata, spec } = pod;
  const keyed = KEYED.exec(path);
  if (keyed !== null) return metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? '';
  const plain: Readonly<Record<string, string>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace ?? 'default',
    'metadata.uid': metadata.uid,
    'metadata.labels': formatMap(metadata.labels),
    'metadata.annotations': formatMap(metadata.annotations),
    'spec.nodeName': spec.nodeName ?? node.nodeName,
    'spec.serviceAccountName': spec.serviceAccountName ?? 'default',
    'status.hostIP': node.hostIp,
    'status.hostIPs': node.hostIp,
    'status.podIP': node.podIp,
    'status.podIPs': node.podIp,
  };
  return plain[path];
}

/** `key="value"` lines sorted by key, as the downward API writes maps. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/** A reference to requests or limits of a container. */
export interface ResourceRef {
  readonly resource: string;
  readonly containerName?: string;
  readonly divisor?: string;
}

/**
 * Value of `limits.cpu` and the like in units of the divisor, rounded up; a missing limit is the node's capacity.
 * Undefined when container or resource is unknown.
 */
export function resourceValue(
  spec: PodSpec,
  node: NodeContext,
  ref: ResourceRef,
  own: string | undefined,
): string | undefined {
  const wanted = ref.containerName ?? own;
  const all: readonly Container[] = [...spec.containers, ...(spec.initContainers ?? [])];
  const container = all.find((c) => c.name === wanted);
  const [list, name = ''] = ref.resource.split(/\.(.*)/);
  if (container === undefined || (list !== 'limits' && list !== 'requests')) return undefined;
  const quantity = container.resources?.[list]?.[name];
  const divisor = (ref.divisor === undefined ? 0 : parseQuantity(ref.divisor)) || 1;
  if (name === 'cpu') {
    const milli = quantity === undefined ? (list === 'limits' ? node.cpuMilli : 0) : cpuMilli(quantity);
    return String(Math.ceil(Number((milli / (divisor * 1000)).toFixed(6))));
  }
  if (quantity === undefined && name !== 'memory') return '0';
  const bytes = quantity === undefined ? (list === 'limits' ? node.memoryBytes : 0) : bytesOf(quantity);
  return String(Math.ceil(bytes / divisor));
}
