import type { ConfigSource } from '../decide/env.ts';
import type { DesiredState } from './ports.ts';

/** ConfigMaps and Secrets of one namespace as they are in this desired state. */
export function configSource(desired: DesiredState | undefined, namespace: string): ConfigSource {
  return {
    configMap: (name) => desired?.configMaps.get(`${namespace}/${name}`),
    secret: (name) => desired?.secrets.get(`${namespace}/${name}`),
  };
}
