import type { Namespace, ServiceAccount } from '../../protocol/kinds/core.ts';
import type { Toleration } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { TAINT_NOT_READY, TAINT_UNREACHABLE, tolerates } from '../../protocol/taints.ts';

/** How long pods stay on a node in trouble when they do not say so themselves, in seconds. */
export interface AdmitDefaults {
  /** The device is not heard. 0: the lease alone decides, and pods run elsewhere within the lease and a start. */
  readonly unreachableSeconds: number;
  /** The device is heard but its engine does not answer; it is about to heal itself, so this is longer. */
  readonly notReadySeconds: number;
}

/** What the hub uses when its configuration says nothing. */
export const ADMIT_DEFAULTS: AdmitDefaults = { unreachableSeconds: 0, notReadySeconds: 30 };

const DEFAULT_ACCOUNT = 'default';

/** Annotation of a namespace that replaces both defaults for its pods: seconds, or `forever`. */
export const TOLERATION_SECONDS = 'coxswain.dev/toleration-seconds';

/**
 * Adds the tolerations not-ready and unreachable to a pod that has none of its own for them, as Kubernetes does on creation.
 * Changes `pod`, which must be the mutable draft about to be stored. Never throws; an unreadable annotation is ignored.
 */
export function admitPod(
  pod: Pick<Pod, 'spec'>,
  namespace: Namespace | undefined,
  defaults: AdmitDefaults = ADMIT_DEFAULTS,
): void {
  const override = readSeconds(namespace?.metadata.annotations?.[TOLERATION_SECONDS]);
  const added: Toleration[] = [];
  for (const [key, seconds] of [
    [TAINT_NOT_READY, defaults.notReadySeconds],
    [TAINT_UNREACHABLE, defaults.unreachableSeconds],
  ] as const) {
    const own = pod.spec.tolerations ?? [];
    if (own.some((t) => tolerates(t, { key, effect: 'NoExecute' }))) continue;
    const limit = override ?? seconds;
    added.push({
      key,
      operator: 'Exists',
      effect: 'NoExecute',
      ...(limit === 'forever' ? {} : { tolerationSeconds: limit }),
    });
  }
  if (added.length > 0) pod.spec.tolerations = [...(pod.spec.tolerations ?? []), ...added];
}

/**
 * Gives a pod the service account it runs as, `default` where it names none, and the image pull secrets of that account where it has
 * none of its own. Returns why the pod is refused: its account is not there. `default` counts as there in any case, because every
 * namespace is given one, if need be anew. Changes `pod`, the mutable draft; never throws.
 */
export function admitAccount(
  { spec, metadata }: Pick<Pod, 'spec' | 'metadata'>,
  find: (name: string) => ServiceAccount | undefined,
): string | undefined {
  const name = spec.serviceAccountName || spec.serviceAccount || DEFAULT_ACCOUNT;
  spec.serviceAccountName = name;
  const account = find(name);
  if (account === undefined && name !== DEFAULT_ACCOUNT)
    return `error looking up service account ${metadata.namespace}/${name}: serviceaccount "${name}" not found`;
  if ((spec.imagePullSecrets ?? []).length > 0) return undefined;
  const secrets = account?.imagePullSecrets ?? [];
  if (secrets.length > 0) spec.imagePullSecrets = secrets.map(({ name }) => ({ name }));
  return undefined;
}

/** Why a pod is refused that wants another runtime than the engine's own: there are no RuntimeClasses. Never throws. */
export function refuseRuntimeClass({ spec }: Pick<Pod, 'spec'>): string | undefined {
  const { runtimeClassName: name } = spec;
  return name === undefined ? undefined : `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`;
}

function readSeconds(text: string | undefined): number | 'forever' | undefined {
  if (text === 'forever') return text;
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
