import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import type { ContainerSpec, NamespaceChoice } from '../decide/container-spec.ts';

/** Size and number of a container's log files; the engine's own default would grow without end. */
const LOG_LIMITS = { maxBytes: 10 * 1024 * 1024, maxFiles: 2 } as const;
/** The kernel's usual period, in microseconds, and the least quota it takes. */
const CPU_PERIOD = 100_000;
const MIN_QUOTA = 1_000;
/** The engine refuses a container with a lower memory limit. */
const MIN_MEMORY_BYTES = 6 * 1024 * 1024;

/** The engine's create request for a container on the pod network `network`. The engine restarts nothing: the agent does. */
export function dockerCreate(spec: ContainerSpec, network: string): ContainerCreateOptions {
  return {
    name: spec.name,
    Image: spec.image,
    Labels: { ...spec.labels },
    Env: [...spec.env],
    ...(spec.entrypoint ? { Entrypoint: [...spec.entrypoint] } : {}),
    ...(spec.args ? { Cmd: [...spec.args] } : {}),
    ...(spec.workingDir ? { WorkingDir: spec.workingDir } : {}),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.hostname === undefined ? {} : { Hostname: spec.hostname }),
    OpenStdin: spec.stdin,
    StdinOnce: spec.stdinOnce,
    Tty: spec.tty,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...exposed(spec),
    HostConfig: hostConfig(spec, network),
    ...(spec.network.kind === 'pod'
      ? {
          NetworkingConfig: {
            EndpointsConfig: { [network]: { IPAMConfig: { IPv4Address: spec.network.ip } } },
          },
        }
      : {}),
  };
}

function hostConfig(spec: ContainerSpec, network: string): HostConfig {
  const { security, dns } = spec;
  const securityOpt = [
    ...(security.noNewPrivileges ? ['no-new-privileges'] : []),
    ...(security.seccomp ? [`seccomp=${security.seccomp}`] : []),
  ];
  return {
    NetworkMode: networkMode(spec, network),
    RestartPolicy: { Name: 'no' },
    LogConfig: logConfig(spec),
    PidMode: namespaceMode(spec.pid) ?? '',
    IpcMode: spec.ipc === 'shareable' ? 'shareable' : (namespaceMode(spec.ipc) ?? 'private'),
    Mounts: spec.mounts.map((m) => ({
      Type: 'bind' as const,
      Source: m.source,
      Target: m.target,
      ReadOnly: m.readOnly,
      ...(m.propagation ? { BindOptions: { Propagation: m.propagation } } : {}),
    })),
    Devices: spec.devices.map((d) => ({
      PathOnHost: d.source,
      PathInContainer: d.target,
      CgroupPermissions: 'rwm',
    })),
    PortBindings: portBindings(spec),
    ExtraHosts: [...spec.extraHosts],
    GroupAdd: [...spec.groups],
    ...(dns ? { Dns: [...dns.servers], DnsSearch: [...dns.searches], DnsOptions: [...dns.options] } : {}),
    ...limits(spec),
    Privileged: security.privileged,
    ReadonlyRootfs: security.readOnlyRoot,
    CapAdd: [...security.capAdd],
    CapDrop: [...security.capDrop],
    SecurityOpt: securityOpt,
    Sysctls: { ...security.sysctls },
  };
}

function logConfig({ log = LOG_LIMITS }: ContainerSpec): NonNullable<HostConfig['LogConfig']> {
  const kib = Math.max(1, Math.ceil(log.maxBytes / 1024));
  return { Type: 'json-file', Config: { 'max-size': `${kib}k`, 'max-file': String(log.maxFiles) } };
}

/**
 * Memory and swap together equal the memory limit: no swap, as in Kubernetes. CPU by period and quota, because the engine refuses a
 * number of CPUs above that of the board, which a manifest written for bigger ones may ask for.
 */
function limits({ limits: l }: ContainerSpec): HostConfig {
  const memory = l.memoryBytes === undefined ? undefined : Math.max(MIN_MEMORY_BYTES, l.memoryBytes);
  return {
    ...(l.cpuShares === undefined ? {} : { CpuShares: l.cpuShares }),
    ...(l.cpuMilli === undefined
      ? {}
      : { CpuPeriod: CPU_PERIOD, CpuQuota: Math.max(MIN_QUOTA, (l.cpuMilli * CPU_PERIOD) / 1000) }),
    ...(memory === undefined ? {} : { Memory: memory, MemorySwap: memory }),
    ...(l.pids === undefined ? {} : { PidsLimit: l.pids }),
    ...(l.oomScoreAdj === undefined ? {} : { OomScoreAdj: l.oomScoreAdj }),
  };
}

function networkMode(spec: ContainerSpec, network: string): string {
  switch (spec.network.kind) {
    case 'pod':
      return network;
    case 'host':
      return 'host';
    case 'join':
      return `container:${spec.network.containerId}`;
    default:
      return spec.network satisfies never;
  }
}

function namespaceMode(choice: NamespaceChoice): string | undefined {
  if (choice === 'private') return undefined;
  return choice === 'host' ? 'host' : `container:${choice.join}`;
}

const portKey = (port: ContainerSpec['ports'][number]): string => `${port.containerPort}/${port.protocol}`;

function exposed(spec: ContainerSpec): Pick<ContainerCreateOptions, 'ExposedPorts'> {
  if (spec.ports.length === 0) return {};
  return { ExposedPorts: Object.fromEntries(spec.ports.map((port) => [portKey(port), {}])) };
}

function portBindings(spec: ContainerSpec): NonNullable<HostConfig['PortBindings']> {
  const bindings: Record<string, { HostPort: string; HostIp?: string }[]> = {};
  for (const port of spec.ports) {
    const list = bindings[portKey(port)] ?? [];
    list.push({ HostPort: String(port.hostPort), ...(port.hostIp ? { HostIp: port.hostIp } : {}) });
    bindings[portKey(port)] = list;
  }
  return bindings;
}
