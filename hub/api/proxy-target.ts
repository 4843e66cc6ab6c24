import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError } from '../../protocol/status.ts';

/** What a proxy path names: `[SCHEME:]NAME[:PORT]`. `port` is as written, empty when left out. */
export interface ProxyName {
  readonly scheme: 'http' | 'https';
  readonly name: string;
  readonly port: string;
}

/** Takes the name in a proxy path apart. Throws BadRequest in Kubernetes' words. Pure. */
export function parseProxyName(kind: string, text: string): ProxyName {
  const parts = text.split(':');
  const [scheme = '', name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
  const isKnown = scheme === '' || scheme === 'http' || scheme === 'https';
  if (parts.length > 3 || name === '' || !isKnown)
    throw new ApiError('BadRequest', `invalid ${kind} request ${JSON.stringify(text)}`);
  return { scheme: scheme === 'https' ? 'https' : 'http', name, port };
}

/**
 * The port of a pod that a proxy path means: a number, the name of a container's port, or the first port of any container; else the
 * scheme's own. Throws BadRequest when there is no such port. Pure.
 */
export function proxyPort(pod: Pod, { scheme, port }: ProxyName): number {
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  if (port === '') return ports[0]?.containerPort ?? (scheme === 'https' ? 443 : 80);
  const number = /^\d{1,5}$/.test(port) ? Number(port) : ports.find((p) => p.name === port)?.containerPort;
  if (number === undefined || number < 1 || number > 65_535)
    throw new ApiError('BadRequest', `pod ${pod.metadata.name} has no port ${JSON.stringify(port)}`);
  return number;
}
