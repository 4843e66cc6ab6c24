/** What to create, in engine-neutral words; `runtime/docker-spec.ts` translates it. */

export type NetworkChoice =
  /** Own namespace on the node's pod network, with this address. */
  | { readonly kind: 'pod'; readonly ip: string }
  | { readonly kind: 'host' }
  /** The namespace of another container. */
  | { readonly kind: 'join'; readonly containerId: string };

/** `private`, the host's, or that of another container. */
export type NamespaceChoice = 'private' | 'host' | { readonly join: string };

/** A file or directory of the node shown in the container. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly propagation?: 'rprivate' | 'rslave' | 'rshared';
}

/** A device node of the host; `source` is resolved, `target` is what the container sees. */
export interface DeviceMount {
  readonly source: string;
  readonly target: string;
}

export interface PublishedPort {
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostPort: number;
  readonly hostIp?: string;
}

export interface DnsChoice {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** Absent limits are not set. CPU in thousandths of a core. */
export interface ResourceLimits {
  readonly cpuMilli?: number;
  readonly cpuShares?: number;
  readonly memoryBytes?: number;
  readonly oomScoreAdj?: number;
  /** Processes and threads. */
  readonly pids?: number;
}

/** When a container's log is cut, so that logs never fill the disk. */
export interface LogLimits {
  /** Of one file. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

export interface Security {
  readonly privileged: boolean;
  readonly readOnlyRoot: boolean;
  readonly noNewPrivileges: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  /** `unconfined`, or absent for the engine's default profile. */
  readonly seccomp?: 'unconfined';
  readonly sysctls: Readonly<Record<string, string>>;
}

export interface ContainerSpec {
  /** Unique on the engine. */
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: the image's own. */
  readonly entrypoint?: readonly string[];
  readonly args?: readonly string[];
  /** `KEY=value`. */
  readonly env: readonly string[];
  readonly workingDir?: string;
  /** `uid`, `uid:gid`; absent: the image's own. */
  readonly user?: string;
  readonly groups: readonly string[];
  readonly hostname?: string;
  /** `name:ip`. */
  readonly extraHosts: readonly string[];
  readonly dns?: DnsChoice;
  readonly network: NetworkChoice;
  readonly pid: NamespaceChoice;
  readonly ipc: NamespaceChoice | 'shareable';
  readonly ports: readonly PublishedPort[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly DeviceMount[];
  readonly limits: ResourceLimits;
  /** Absent: two files of 10 MiB. */
  readonly log?: LogLimits;
  readonly security: Security;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
}
