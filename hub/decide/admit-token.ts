import type { ServiceAccount } from '../../protocol/kinds/core.ts';
import type { Pod, PodSpec, Volume } from '../../protocol/kinds/pod.ts';
import type { ClusterRoleBinding, RoleBinding } from '../../protocol/kinds/rbac.ts';

/** Where client libraries look for the credentials of a pod. */
export const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Of the volume that brings them there; five random characters follow. */
export const TOKEN_VOLUME_PREFIX = 'kube-api-access-';

const DEFAULT_ACCOUNT = 'default';
/** What Kubernetes asks for; the seven seconds tell its own wish from a person's. */
const TOKEN_SECONDS = 3607;
const FILE_MODE = 0o644;

/**
 * Shows a pod its account's token, the hub's authority and its namespace in every container that mounts nothing else there, as
 * Kubernetes' ServiceAccount admission does. Other than there, the account `default` gives a token unasked only where a binding has
 * given it rights (`hasRights`): every token is renewed over a device's link. Changes `pod`, the mutable draft; never throws.
 */
export function admitToken(
  { spec }: Pick<Pod, 'spec'>,
  account: ServiceAccount | undefined,
  suffix: () => string,
  hasRights: () => boolean,
): void {
  if (!isWanted(spec, account, hasRights)) return;
  const containers = [...(spec.initContainers ?? []), ...spec.containers].filter(
    ({ volumeMounts = [] }) => !volumeMounts.some(({ mountPath }) => mountPath === TOKEN_FOLDER),
  );
  if (containers.length === 0) return;
  const present = (spec.volumes ?? []).find((volume) => volume.name.startsWith(TOKEN_VOLUME_PREFIX));
  const name = present?.name ?? TOKEN_VOLUME_PREFIX + suffix();
  for (const container of containers)
    container.volumeMounts = [
      ...(container.volumeMounts ?? []),
      { name, readOnly: true, mountPath: TOKEN_FOLDER },
    ];
  if (present === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

function isWanted(spec: PodSpec, account: ServiceAccount | undefined, hasRights: () => boolean): boolean {
  const said = spec.automountServiceAccountToken ?? account?.automountServiceAccountToken;
  return said ?? ((spec.serviceAccountName ?? DEFAULT_ACCOUNT) !== DEFAULT_ACCOUNT || hasRights());
}

/** True when one of the bindings, of this namespace or of the cluster, names the account `default` of `namespace` itself. */
export function bindsDefault(
  bindings: Iterable<RoleBinding | ClusterRoleBinding>,
  namespace: string,
): boolean {
  for (const { subjects, metadata } of bindings) {
    const isNamed = (subjects ?? []).some(
      (subject) =>
        subject.kind === 'ServiceAccount' &&
        subject.name === DEFAULT_ACCOUNT &&
        (subject.namespace || metadata.namespace) === namespace,
    );
    if (isNamed) return true;
  }
  return false;
}

function tokenVolume(name: string): Volume {
  const fieldRef = { apiVersion: 'v1', fieldPath: 'metadata.namespace' };
  const sources = [
    { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    { downwardAPI: { items: [{ path: 'namespace', fieldRef }] } },
  ];
  return { name, projected: { sources, defaultMode: FILE_MODE } };
}
