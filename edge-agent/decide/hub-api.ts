import type { PodSpec } from '../../protocol/kinds/pod.ts';

/**
 * Addresses of the hub's API, `https://host:port`, those of the host that the device reached the broker at first: where
 * one way in works, the other does. Pure; never throws.
 */
export function nearestFirst(api: readonly string[], reached: string | undefined): readonly string[] {
  const host = reached === undefined ? undefined : endpointOf(reached)?.host;
  const isNear = (address: string): boolean => host !== undefined && endpointOf(address)?.host === host;
  return [...api.filter(isNear), ...api.filter((address) => !isNear(address))];
}

/**
 * Variables by which client libraries find the API, as in Kubernetes, for a pod that is shown a token for it; empty for any other,
 * and where no address can be reached from the pod: loopback is its own. Pure; never throws.
 */
export function hubVariables(spec: PodSpec, api: readonly string[]): ReadonlyMap<string, string> {
  if (!isShownToken(spec)) return new Map();
  const ends = api.flatMap((address) => endpointOf(address) ?? []);
  const end = ends.find(({ host }) => spec.hostNetwork === true || !isLoopback(host));
  if (end === undefined) return new Map();
  const { host, port } = end;
  const url = `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return new Map([
    ['KUBERNETES_SERVICE_HOST', host],
    ['KUBERNETES_SERVICE_PORT', port],
    ['KUBERNETES_SERVICE_PORT_HTTPS', port],
    ['KUBERNETES_PORT', url],
    [`KUBERNETES_PORT_${port}_TCP`, url],
    [`KUBERNETES_PORT_${port}_TCP_PROTO`, 'tcp'],
    [`KUBERNETES_PORT_${port}_TCP_PORT`, port],
    [`KUBERNETES_PORT_${port}_TCP_ADDR`, host],
  ]);
}

/** True for a pod with a volume that brings a token for the hub's own API. */
function isShownToken({ volumes = [] }: PodSpec): boolean {
  return volumes.some(({ projected }) =>
    projected?.sources?.some(
      ({ serviceAccountToken: token }) => token !== undefined && (token.audience ?? '') === '',
    ),
  );
}

const ADDRESS = /^(?:[a-z]+:\/\/)?(?:\[([0-9a-f:.]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/i;

/** Host, without brackets, and port, 443 unless given; undefined for what is no address. */
function endpointOf(address: string): { readonly host: string; readonly port: string } | undefined {
  const found = ADDRESS.exec(address);
  const host = found?.[1] ?? found?.[2];
  return host === undefined ? undefined : { host, port: found?.[3] ?? '443' };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
