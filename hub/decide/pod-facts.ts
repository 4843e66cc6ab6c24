import type { Container, Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import { bytesOf, cpuMilli } from '../../protocol/quantity.ts';

/** Amounts by resource name: `cpu` in thousandths of a core, all others in base units (bytes, counts). */
export type Amounts = Readonly<Record<string, number>>;

/** True when every container of the pod has ended for good. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** True when the pod counts for its owner: neither ended nor being deleted. */
export function isActive(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && !isTerminal(pod);
}

/** True when the condition Ready holds. */
export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

/** Epoch ms since when the pod is ready; undefined when it is not. A time that cannot be read counts as long ago. */
export function readySinceMs(pod: Pod): number | undefined {
  const ready = pod.status?.conditions?.find((c) => c.type === 'Ready' && c.status === 'True');
  if (ready === undefined) return undefined;
  const since = Date.parse(ready.lastTransitionTime ?? '');
  return Number.isNaN(since) ? 0 : since;
}

/**
 * Epoch ms at which the pod is or becomes available: ready for `minReadySeconds`. Undefined when it is not ready.
 * Device times are compared to the hub's clock here, as Kubernetes does; a device ahead of it only waits longer.
 */
export function availableAtMs(pod: Pod, minReadySeconds: number): number | undefined {
  // Nearly always: reading a date for each of thousands of pods would be most of what a controller does.
  if (minReadySeconds <= 0) return isReady(pod) ? 0 : undefined;
  const since = readySinceMs(pod);
  return since === undefined ? undefined : since + minReadySeconds * 1000;
}

/** True when the pod is ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number, nowMs: number): boolean {
  const at = availableAtMs(pod, minReadySeconds);
  return at !== undefined && at <= nowMs;
}

/**
 * What the pod asks of a node: containers and sidecars added up, or the largest init step when that is more
 * (https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers).
 * A limit without a request counts as request.
 */
export function podRequests(spec: PodSpec): Amounts {
  const total: Record<string, number> = {};
  const sidecars: Record<string, number> = {};
  const peak: Record<string, number> = {};
  for (const init of spec.initContainers ?? []) {
    const own = containerRequests(init);
    if (init.restartPolicy === 'Always') add(sidecars, own);
    else for (const [name, n] of Object.entries(own)) raise(peak, name, n + (sidecars[name] ?? 0));
  }
  for (const container of spec.containers) add(total, containerRequests(container));
  add(total, sidecars);
  for (const [name, n] of Object.entries(peak)) raise(total, name, n);
  return total;
}

function containerRequests(container: Container): Amounts {
  const stated = { ...container.resources?.limits, ...container.resources?.requests };
  return Object.fromEntries(
    Object.entries(stated).map(([name, q]) => [name, name === 'cpu' ? cpuMilli(q) : bytesOf(q)]),
  );
}

function add(to: Record<string, number>, amounts: Amounts): void {
  for (const [name, n] of Object.entries(amounts)) to[name] = (to[name] ?? 0) + n;
}

function raise(to: Record<string, number>, name: string, n: number): void {
  to[name] = Math.max(to[name] ?? 0, n);
}

/** Host ports the pod takes, as `TCP/8080` or `TCP/8080/127.0.0.1`; all container ports when on the host's network. */
export function podHostPorts(spec: PodSpec): string[] {
  const ports: string[] = [];
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    for (const port of container.ports ?? []) {
      const hostPort = port.hostPort ?? (spec.hostNetwork === true ? port.containerPort : 0);
      if (hostPort <= 0) continue;
      const everyAddress = port.hostIP === undefined || port.hostIP === '' || port.hostIP === '0.0.0.0';
      ports.push(`${port.protocol ?? 'TCP'}/${hostPort}${everyAddress ? '' : `/${port.hostIP}`}`);
    }
  }
  return ports;
}

/** The controller's uid, when the pod has one. */
export function controllerUid(object: Pick<Pod, 'metadata'>): string | undefined {
  return object.metadata.ownerReferences?.find((o) => o.controller === true)?.uid;
}
