import type { PodSpec } from '../../protocol/kinds/pod.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import { accountOf, type TokenSource, tokenKey } from '../../protocol/wire/pod-tokens.ts';
import { decodeBase64 } from './base64.ts';
import type { ConfigSource, Resolved } from './env.ts';

const OWNER_ONLY = 0o600;

/** A token's file without its path. */
export interface TokenFile {
  readonly content: Uint8Array;
  readonly mode: number;
  readonly uid?: number;
}

/**
 * The file of a token that a projected volume asks for. As with kubelets, one user that all containers run as owns the file, and then,
 * or when the pod has an fsGroup, nobody else reads it. Not ok while the hub has sent no token. Pure; never throws.
 */
export function tokenFile(
  pod: DesiredPod,
  source: TokenSource,
  mode: number,
  config: ConfigSource,
): Resolved<TokenFile> {
  const token = config.token(tokenKey(source));
  if (token === undefined) {
    const account = `${pod.metadata.namespace ?? 'default'}/${accountOf(pod.spec)}`;
    return {
      ok: false,
      message: `failed to fetch token: the hub has sent none of service account "${account}" yet`,
    };
  }
  const uid = onlyUser(pod.spec);
  const isPrivate = uid !== undefined || pod.spec.securityContext?.fsGroup !== undefined;
  const file = {
    content: decodeBase64(token),
    mode: isPrivate ? OWNER_ONLY : mode,
    ...(uid === undefined ? {} : { uid }),
  };
  return { ok: true, value: file };
}

/** The user that all containers are told to run as; undefined when one is not told, or there are several. */
function onlyUser(spec: PodSpec): number | undefined {
  const own = [...(spec.initContainers ?? []), ...spec.containers].map(
    ({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
  );
  const [first] = own;
  return own.every((user) => user === first) ? first : undefined;
}
