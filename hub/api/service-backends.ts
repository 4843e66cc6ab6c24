import type { Endpoints, Service } from '../../protocol/kinds/network.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { requirementsMatch, requirementsOf } from '../../protocol/selector.ts';
import { ApiError, notFound } from '../../protocol/status.ts';
import { isActive, isReady } from '../decide/pod-facts.ts';
import type { ProxyName } from './proxy-target.ts';

/** A pod that answers for a service, and on which of its ports. */
export interface Backend {
  readonly pod: Pod;
  readonly port: number;
}

/**
 * Who answers for a service, as the proxy of services asks: `wanted.port` is the name or number of a port of the service, empty for
 * the one without a name. `pods` are those of its namespace; `endpoints` counts for services without a selector. Throws
 * ServiceUnavailable or NotFound in Kubernetes' words. Pure.
 */
export function serviceBackends(
  wanted: ProxyName,
  service: Service,
  pods: readonly Pod[],
  endpoints: Endpoints | undefined,
): Backend[] {
  const port = portNameOf(wanted, service);
  const { selector = {} } = service.spec;
  const found =
    Object.keys(selector).length > 0
      ? selected(service, selector, port, pods)
      : written(wanted, port, pods, endpoints);
  if (found.length > 0) return found;
  const asked = wanted.port === '' ? wanted.name : `${wanted.name}:${wanted.port}`;
  throw unavailable(`no endpoints available for service "${asked}"`);
}

function unavailable(message: string): ApiError {
  return new ApiError('ServiceUnavailable', message);
}

/** Ports of endpoints have the names of those of the service, so a number is looked up there. */
function portNameOf({ name, port }: ProxyName, { spec }: Service): string {
  if (!/^\d+$/.test(port)) return port;
  const found = (spec.ports ?? []).find((p) => p.port === Number(port));
  if (found === undefined) throw unavailable(`no service port ${Number(port)} found for service "${name}"`);
  return found.name ?? '';
}

function selected(
  { spec }: Service,
  matchLabels: Record<string, string>,
  portName: string,
  pods: readonly Pod[],
): Backend[] {
  const port = (spec.ports ?? []).find((p) => (p.name ?? '') === portName);
  if (port === undefined) return [];
  const requirements = requirementsOf({ matchLabels });
  const target = port.targetPort ?? port.port;
  return pods
    .filter((pod) => requirementsMatch(requirements, pod.metadata.labels))
    .filter((pod) => isAddressed(pod) && (spec.publishNotReadyAddresses === true || isReady(pod)))
    .flatMap((pod) => {
      const number = typeof target === 'number' ? target : namedPort(pod, target, port.protocol ?? 'TCP');
      return number === undefined ? [] : [{ pod, port: number }];
    });
}

/** What people wrote counts where it names a pod: the hub reaches nothing else. */
function written(
  { name }: ProxyName,
  portName: string,
  pods: readonly Pod[],
  endpoints: Endpoints | undefined,
): Backend[] {
  if (endpoints === undefined) throw notFound({ kind: 'Endpoints', group: '', plural: 'endpoints' }, name);
  return (endpoints.subsets ?? []).flatMap(({ addresses = [], ports = [] }) => {
    const port = ports.find((p) => (p.name ?? '') === portName)?.port;
    if (port === undefined) return [];
    return addresses.flatMap(({ ip, targetRef }) => {
      const pod = pods.find((p) => targetRef?.kind === 'Pod' && p.metadata.name === targetRef.name);
      return pod !== undefined && isAddressed(pod) && pod.status?.podIP === ip ? [{ pod, port }] : [];
    });
  });
}

const isAddressed = (pod: Pod): boolean => isActive(pod) && (pod.status?.podIP ?? '') !== '';

function namedPort({ spec }: Pod, name: string, protocol: string): number | undefined {
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always');
  return [...spec.containers, ...sidecars]
    .flatMap((container) => container.ports ?? [])
    .find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}
