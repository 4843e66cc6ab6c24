import type { DesiredPod } from '../../protocol/wire/messages.ts';
import { registryOf } from './images.ts';
import type { RegistryAuth } from './ports.ts';

interface DockerConfig {
  readonly auths?: Readonly<
    Record<string, { readonly username?: string; readonly password?: string; readonly auth?: string }>
  >;
}

const HUB_NAMES = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** Credentials for the image's registry from the pod's image pull secrets, in their order. Unreadable ones are skipped. */
export function registryAuths(
  pod: DesiredPod,
  image: string,
  secret: (name: string) => { readonly data?: Record<string, string> } | undefined,
): RegistryAuth[] {
  const registry = registryOf(image);
  return (pod.spec.imagePullSecrets ?? []).flatMap(({ name }) => {
    const text = secret(name)?.data?.['.dockerconfigjson'];
    const config = text === undefined ? undefined : parse(text);
    return Object.entries(config?.auths ?? {}).flatMap(([server, entry]) => {
      if (!sameRegistry(hostOf(server), registry)) return [];
      const decoded =
        entry.auth === undefined ? [] : Buffer.from(entry.auth, 'base64').toString().split(/:(.*)/s);
      const username = entry.username ?? decoded[0] ?? '';
      const password = entry.password ?? decoded[1] ?? '';
      return username === '' ? [] : [{ username, password, serverAddress: server }];
    });
  });
}

function parse(base64: string): DockerConfig | undefined {
  try {
    return JSON.parse(Buffer.from(base64, 'base64').toString()) as DockerConfig;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const hostOf = (server: string): string => server.replace(/^https?:\/\//, '').split('/')[0] ?? server;
const sameRegistry = (a: string, b: string): boolean => a === b || (HUB_NAMES.has(a) && HUB_NAMES.has(b));
