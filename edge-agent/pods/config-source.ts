import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type { ConfigSource } from '../decide/env.ts';
import type { DesiredState } from './ports.ts';

/** What a pod may refer to in this desired state: ConfigMaps and Secrets of its namespace, and its own tokens. */
export function configSource(desired: DesiredState | undefined, pod: DesiredPod): ConfigSource {
  const { namespace = 'default', uid } = pod.metadata;
  return {
    configMap: (name) => desired?.configMaps.get(`${namespace}/${name}`),
    secret: (name) => desired?.secrets.get(`${namespace}/${name}`),
    token: (key) => desired?.tokens.get(uid)?.[key],
  };
}
