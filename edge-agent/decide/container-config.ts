import type { Container, PodSpec } from '../../protocol/kinds/pod.ts';
import { bytesOf, cpuMilli } from '../../protocol/quantity.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type {
  ContainerSpec,
  DeviceMount,
  DnsChoice,
  LogLimits,
  Mount,
  NamespaceChoice,
  NetworkChoice,
  PublishedPort,
  ResourceLimits,
  Security,
} from './container-spec.ts';
import { expand, type Resolved } from './env.ts';
import { isCritical } from './evict.ts';
import { qosClass } from './pod-shape.ts';

/** What the container builder cannot read from the pod itself. */
export interface ContainerContext {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly env: ReadonlyMap<string, string>;
  /** The image's own user, for `runAsNonRoot`. */
  readonly imageUser: string;
  readonly mounts: readonly Mount[];
  readonly devices: readonly DeviceMount[];
  /** Groups that own the devices it was given. */
  readonly deviceGroups?: readonly number[];
  readonly podIp: string | undefined;
  /** The sandbox whose namespaces are shared; absent when the container owns them. */
  readonly sandboxId?: string;
  /** Of an ephemeral container: whose network, and whose processes, it shares. */
  readonly joins?: { readonly networkId: string; readonly processesId?: string };
  /** Resolver of the node for `ClusterFirst`, and the cluster's search domains; absent: the engine's own. */
  readonly dns?: DnsChoice;
  /** False when the kernel has no memory controller: limits are then left out. */
  readonly memoryLimits: boolean;
  readonly cpuLimits: boolean;
  readonly nodeMemoryBytes: number;
  /** Below 0 the kernel wants a right that engines inside containers may lack; 0 then. */
  readonly lowestOomScore: number;
  /** Processes a container may have; 0 for any number. */
  readonly pidsLimit?: number;
  readonly log?: LogLimits;
}

/** The container to create, or why it cannot be made (the text of CreateContainerConfigError). */
export function containerConfig(
  pod: DesiredPod,
  container: Container,
  context: ContainerContext,
): Resolved<ContainerSpec> {
  const refusal = refuseRoot(pod.spec, container, context.imageUser);
  if (refusal !== undefined) return { ok: false, message: refusal };
  const words = (list: readonly string[]): string[] => list.map((word) => expand(word, context.env));
  const own = context.sandboxId === undefined && context.joins === undefined;
  const shared = sharedNamespaces(pod, context);
  const user = userOf(pod.spec, container, context.imageUser);
  return {
    ok: true,
    value: {
      name: context.name,
      image: container.image,
      labels: context.labels,
      ...(container.command?.length ? { entrypoint: words(container.command) } : {}),
      ...(container.args?.length ? { args: words(container.args) } : {}),
      env: [...context.env].map(([key, value]) => `${key}=${value}`),
      ...(container.workingDir ? { workingDir: container.workingDir } : {}),
      ...(user === undefined ? {} : { user }),
      groups: groupsOf(pod.spec, context.deviceGroups),
      ...(own ? ownedNames(pod) : { extraHosts: [] }),
      ...(own ? dnsOf(pod.spec, context.dns) : {}),
      ...shared,
      ports: own ? publishedPorts([container], pod.spec) : [],
      mounts: context.mounts,
      devices: context.devices,
      limits: limitsOf(pod.spec, container, context),
      ...(context.log === undefined ? {} : { log: context.log }),
      security: own ? securityOf(pod.spec, container) : { ...securityOf(pod.spec, container), sysctls: {} },
      stdin: container.stdin === true,
      stdinOnce: container.stdinOnce === true,
      tty: container.tty === true,
    },
  };
}

/** The container that owns the namespaces of a pod with several containers. */
export function sandboxConfig(
  pod: DesiredPod,
  image: string,
  context: Pick<ContainerContext, 'name' | 'labels' | 'podIp' | 'dns' | 'lowestOomScore'>,
): ContainerSpec {
  const { spec } = pod;
  const containers = [
    ...spec.containers,
    ...(spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always'),
  ];
  return {
    name: context.name,
    image,
    labels: context.labels,
    env: [],
    groups: [],
    ...ownedNames(pod),
    ...dnsOf(spec, context.dns),
    network: networkOf(spec, context.podIp),
    pid: spec.hostPID ? 'host' : 'private',
    ipc: spec.hostIPC ? 'host' : 'shareable',
    ports: publishedPorts(containers, spec),
    mounts: [],
    devices: [],
    limits: { cpuShares: 2, oomScoreAdj: Math.max(-998, context.lowestOomScore) },
    security: { ...securityOf(spec, { securityContext: {} }), noNewPrivileges: true },
    stdin: false,
    stdinOnce: false,
    tty: false,
  };
}

type SharedNames = Pick<ContainerSpec, 'hostname' | 'extraHosts'>;

function ownedNames(pod: DesiredPod): SharedNames {
  const { spec, metadata } = pod;
  const extraHosts = (spec.hostAliases ?? []).flatMap((alias) =>
    (alias.hostnames ?? []).map((host) => `${host}:${alias.ip}`),
  );
  if (spec.hostNetwork === true) return { extraHosts };
  return { hostname: (spec.hostname ?? metadata.name).slice(0, 63).replace(/[-.]+$/, ''), extraHosts };
}

function networkOf(spec: PodSpec, podIp: string | undefined): NetworkChoice {
  return spec.hostNetwork === true ? { kind: 'host' } : { kind: 'pod', ip: podIp ?? '' };
}

function sharedNamespaces(
  pod: DesiredPod,
  context: ContainerContext,
): Pick<ContainerSpec, 'network' | 'pid' | 'ipc'> {
  const { spec } = pod;
  const { sandboxId, joins } = context;
  const pid: NamespaceChoice = spec.hostPID
    ? 'host'
    : joins?.processesId !== undefined
      ? { join: joins.processesId }
      : spec.shareProcessNamespace && sandboxId !== undefined
        ? { join: sandboxId }
        : 'private';
  // The one container of a pod keeps its shared memory to itself.
  if (joins !== undefined && sandboxId === undefined)
    return {
      network: spec.hostNetwork ? { kind: 'host' } : { kind: 'join', containerId: joins.networkId },
      pid,
      ipc: spec.hostIPC ? 'host' : 'private',
    };
  if (sandboxId === undefined)
    return { network: networkOf(spec, context.podIp), pid, ipc: spec.hostIPC ? 'host' : 'private' };
  return {
    network: spec.hostNetwork ? { kind: 'host' } : { kind: 'join', containerId: sandboxId },
    pid,
    ipc: spec.hostIPC ? 'host' : { join: sandboxId },
  };
}

/** Published host ports; on the host's own network every port is the host's already. */
function publishedPorts(containers: readonly Container[], spec: PodSpec): PublishedPort[] {
  if (spec.hostNetwork === true) return [];
  return containers
    .flatMap((c) => c.ports ?? [])
    .flatMap((port) => {
      if (!port.hostPort) return [];
      const protocol = (port.protocol ?? 'TCP').toLowerCase() as PublishedPort['protocol'];
      return [
        {
          containerPort: port.containerPort,
          protocol,
          hostPort: port.hostPort,
          ...(port.hostIP ? { hostIp: port.hostIP } : {}),
        },
      ];
    });
}

/** `None` takes the pod's own settings only; `Default` the node's; otherwise the cluster's with the pod's added. */
function dnsOf(spec: PodSpec, cluster: DnsChoice | undefined): { dns?: DnsChoice } {
  if (spec.hostNetwork === true && spec.dnsPolicy !== 'ClusterFirstWithHostNet' && spec.dnsPolicy !== 'None')
    return {};
  const base = spec.dnsPolicy === 'None' || spec.dnsPolicy === 'Default' ? undefined : cluster;
  const own = spec.dnsConfig;
  if (base === undefined && own === undefined) return {};
  return {
    dns: {
      servers: [...(base?.servers ?? []), ...(own?.nameservers ?? [])],
      searches: [...(base?.searches ?? []), ...(own?.searches ?? [])],
      options: [
        ...(base?.options ?? []),
        ...(own?.options ?? []).map((o) => (o.value === undefined ? o.name : `${o.name}:${o.value}`)),
      ],
    },
  };
}

function userOf(spec: PodSpec, container: Container, imageUser: string): string | undefined {
  const user = container.securityContext?.runAsUser ?? spec.securityContext?.runAsUser;
  const group = container.securityContext?.runAsGroup ?? spec.securityContext?.runAsGroup;
  if (user === undefined)
    return group === undefined ? undefined : `${imageUser.split(':')[0] || '0'}:${group}`;
  return group === undefined ? String(user) : `${user}:${group}`;
}

function groupsOf(spec: PodSpec, devices: readonly number[] = []): string[] {
  const { supplementalGroups = [], fsGroup } = spec.securityContext ?? {};
  const groups = [...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup]), ...devices];
  return [...new Set(groups)].map(String);
}

/** Kubernetes' refusal when `runAsNonRoot` is asked for and root (or an unknown user name) would run. */
function refuseRoot(spec: PodSpec, container: Container, imageUser: string): string | undefined {
  const nonRoot = container.securityContext?.runAsNonRoot ?? spec.securityContext?.runAsNonRoot;
  if (nonRoot !== true) return undefined;
  const user = container.securityContext?.runAsUser ?? spec.securityContext?.runAsUser;
  if (user !== undefined) return user === 0 ? "container's runAsUser breaks non-root policy" : undefined;
  const name = imageUser.split(':')[0] ?? '';
  if (name === '' || name === '0' || name === 'root')
    return 'container has runAsNonRoot and image will run as root';
  if (!/^\d+$/.test(name))
    return `container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root`;
  return undefined;
}

function securityOf(spec: PodSpec, container: Pick<Container, 'securityContext'>): Security {
  const own = container.securityContext;
  const profile = own?.seccompProfile ?? spec.securityContext?.seccompProfile;
  const sysctls = (spec.securityContext?.sysctls ?? []).map((s) => [s.name, s.value] as const);
  return {
    privileged: own?.privileged === true,
    readOnlyRoot: own?.readOnlyRootFilesystem === true,
    noNewPrivileges: own?.allowPrivilegeEscalation === false,
    capAdd: own?.capabilities?.add ?? [],
    capDrop: own?.capabilities?.drop ?? [],
    ...(profile?.type === 'Unconfined' ? { seccomp: 'unconfined' as const } : {}),
    sysctls: Object.fromEntries(sysctls),
  };
}

/** The kernel's bounds of CPU shares. */
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;

/** Shares from requests, quotas from limits, as the kubelet sets them. */
function limitsOf(spec: PodSpec, container: Container, context: ContainerContext): ResourceLimits {
  const { requests, limits } = container.resources ?? {};
  const requestMilli = cpuMilli(requests?.['cpu'] ?? limits?.['cpu']);
  const limitMilli = cpuMilli(limits?.['cpu']);
  const memoryBytes = bytesOf(limits?.['memory']);
  const requestBytes = bytesOf(requests?.['memory'] ?? limits?.['memory']);
  const shares = Math.floor((requestMilli * 1024) / 1000);
  return {
    cpuShares: Math.min(MAX_SHARES, Math.max(MIN_SHARES, shares)),
    ...(limitMilli > 0 && context.cpuLimits ? { cpuMilli: limitMilli } : {}),
    ...(memoryBytes > 0 && context.memoryLimits ? { memoryBytes } : {}),
    ...(context.pidsLimit ? { pids: context.pidsLimit } : {}),
    oomScoreAdj: Math.max(context.lowestOomScore, oomScore(spec, requestBytes, context.nodeMemoryBytes)),
  };
}

const PROTECTED_SCORE = -997;

/** The kubelet's order of who is killed first when the node runs out of memory. */
function oomScore(spec: PodSpec, requestBytes: number, nodeMemoryBytes: number): number {
  if (isCritical({ priority: spec.priority ?? 0, priorityClass: spec.priorityClassName ?? '' }))
    return PROTECTED_SCORE;
  const qos = qosClass(spec);
  if (qos === 'Guaranteed') return PROTECTED_SCORE;
  if (qos === 'BestEffort') return 1000;
  const share = Math.floor((1000 * requestBytes) / Math.max(1, nodeMemoryBytes));
  return Math.min(999, Math.max(1000 + PROTECTED_SCORE, 1000 - share));
}
