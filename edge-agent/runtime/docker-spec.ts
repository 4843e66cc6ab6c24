import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import type { ContainerSpec, NamespaceChoice } from '../decide/container-spec.ts';

/** Size and number of a container's log files; the engine's own default would grow without end. */
const LOG_CONFIG = { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '2' } } as const;

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
    LogConfig: LOG_CONFIG,
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

/** Memory and swap together equal the memory limit: no swap, as in Kubernetes. */
function limits({ limits: l }: ContainerSpec): HostConfig {
  return {
    ...(l.cpuShares === undefined ? {} : { CpuShares: l.cpuShares }),
    ...(l.cpuMilli === undefined ? {} : { NanoCpus: l.cpuMilli * 1_000_000 }),
    ...(l.memoryBytes === undefined ? {} : { Memory: l.memoryBytes, MemorySwap: l.memoryBytes }),
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
