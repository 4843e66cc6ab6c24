/** What the agent knows of a container, whatever the engine; and the labels that let a restarted agent know it again. */
import type { GivenDevices } from './devices.ts';

/**
 * `init` runs to its end before the others (a sidecar is an init that stays); `ephemeral` was added to a running pod to look into it;
 * `sandbox` owns a pod's network namespace.
 */
export type ContainerRole = 'app' | 'init' | 'ephemeral' | 'sandbox';

export type ContainerState = 'created' | 'running' | 'exited';

/** One container of a pod as last observed. Wall times are the engine's, epoch ms; `exitedMs` is this agent's monotonic clock. */
export interface ContainerView {
  readonly id: string;
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  /** Name in the pod's spec; empty for the sandbox. */
  readonly name: string;
  readonly role: ContainerRole;
  /** Restart count: 0 for the first container made for this name. */
  readonly attempt: number;
  readonly specHash: string;
  /** Changes when the pod's namespaces are made anew: the sandbox's id, or the boot for pods without one. */
  readonly generation: string;
  readonly podIp?: string;
  /** Wall time the agent first saw the pod, epoch ms. */
  readonly podStartMs?: number;
  /** The device units it was given. */
  readonly devices?: GivenDevices;
  /** The pod's `terminationGracePeriodSeconds`; absent: Kubernetes' default of 30. */
  readonly graceSeconds?: number;
  readonly state: ContainerState;
  readonly image: string;
  readonly imageId: string;
  /** Signal that asks the main process to end, `SIGTERM` unless the image says otherwise. */
  readonly stopSignal: string;
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  readonly exitedMs?: number;
  readonly exitCode?: number;
  readonly oomKilled?: boolean;
  /** Last words of the container, from its termination message file or its log. */
  readonly message?: string;
}

const PREFIX = 'coxswain.dev/';

/** Labels of every container the agent makes; `docs/architecture.md` lists their meaning. */
export const LABELS = {
  podUid: `${PREFIX}pod-uid`,
  podName: `${PREFIX}pod-name`,
  podNamespace: `${PREFIX}pod-namespace`,
  container: `${PREFIX}container`,
  role: `${PREFIX}role`,
  attempt: `${PREFIX}attempt`,
  specHash: `${PREFIX}spec-hash`,
  podIp: `${PREFIX}pod-ip`,
  podStart: `${PREFIX}pod-start`,
  generation: `${PREFIX}generation`,
  devices: `${PREFIX}devices`,
  grace: `${PREFIX}grace-seconds`,
} as const;

type Identity = Pick<
  ContainerView,
  | 'podUid'
  | 'podName'
  | 'podNamespace'
  | 'name'
  | 'role'
  | 'attempt'
  | 'specHash'
  | 'generation'
  | 'podIp'
  | 'podStartMs'
  | 'devices'
  | 'graceSeconds'
>;

/** Labels that `readLabels` turns back into the same identity. */
export function writeLabels(identity: Identity): Record<string, string> {
  return {
    [LABELS.podUid]: identity.podUid,
    [LABELS.podName]: identity.podName,
    [LABELS.podNamespace]: identity.podNamespace,
    [LABELS.container]: identity.name,
    [LABELS.role]: identity.role,
    [LABELS.attempt]: String(identity.attempt),
    [LABELS.specHash]: identity.specHash,
    [LABELS.generation]: identity.generation,
    ...(identity.podIp === undefined ? {} : { [LABELS.podIp]: identity.podIp }),
    ...(identity.podStartMs === undefined ? {} : { [LABELS.podStart]: String(identity.podStartMs) }),
    ...(Object.keys(identity.devices ?? {}).length > 0
      ? { [LABELS.devices]: JSON.stringify(identity.devices) }
      : {}),
    ...(identity.graceSeconds === undefined ? {} : { [LABELS.grace]: String(identity.graceSeconds) }),
  };
}

const ROLES: readonly string[] = ['app', 'init', 'ephemeral', 'sandbox'] satisfies ContainerRole[];
const isRole = (text: string | undefined): text is ContainerRole => ROLES.includes(text ?? '');

/** Identity from labels; undefined when they are not ours or damaged, so that such a container is left alone. */
export function readLabels(labels: Readonly<Record<string, string>>): Identity | undefined {
  const podUid = labels[LABELS.podUid];
  const role = labels[LABELS.role];
  const attempt = Number(labels[LABELS.attempt]);
  if (!podUid || !isRole(role) || !Number.isInteger(attempt) || attempt < 0) return undefined;
  const podIp = labels[LABELS.podIp];
  const podStartMs = Number(labels[LABELS.podStart]);
  const devices = readDevices(labels[LABELS.devices]);
  const graceSeconds = Number(labels[LABELS.grace]);
  return {
    podUid,
    podName: labels[LABELS.podName] ?? '',
    podNamespace: labels[LABELS.podNamespace] ?? '',
    name: labels[LABELS.container] ?? '',
    role,
    attempt,
    specHash: labels[LABELS.specHash] ?? '',
    generation: labels[LABELS.generation] ?? '',
    ...(podIp ? { podIp } : {}),
    ...(podStartMs > 0 ? { podStartMs } : {}),
    ...(devices === undefined ? {} : { devices }),
    ...(labels[LABELS.grace] && graceSeconds >= 0 ? { graceSeconds } : {}),
  };
}

/** A damaged label frees the devices: they are asked for again when the container is next made. */
function readDevices(text: string | undefined): GivenDevices | undefined {
  if (text === undefined) return undefined;
  try {
    const given: unknown = JSON.parse(text);
    if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
    return Object.fromEntries(Object.entries(given).map(([key, number]) => [key, String(number)]));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Newest container of this name: the highest attempt. */
export function newest(views: readonly ContainerView[], name: string): ContainerView | undefined {
  let best: ContainerView | undefined;
  for (const view of views) {
    if (view.role === 'sandbox' || view.name !== name) continue;
    if (best === undefined || view.attempt > best.attempt) best = view;
  }
  return best;
}

/** The container of this name that ended before the newest one, if it is still there. */
export function predecessor(views: readonly ContainerView[], name: string): ContainerView | undefined {
  const current = newest(views, name);
  return newest(
    views.filter((v) => v !== current && v.state === 'exited'),
    name,
  );
}
