import type { ConfigMap, Secret } from '../../protocol/kinds/core.ts';
import type { DesiredPod, EventReport, NodeItem, PodReport } from '../../protocol/wire/messages.ts';
import type { ContainerView } from '../decide/container.ts';
import type { ContainerSpec } from '../decide/container-spec.ts';

/** An image on the node. `user` and `stopSignal` are the image's own settings, empty when it has none. */
export interface ImageView {
  readonly id: string;
  readonly digest?: string;
  readonly user: string;
  readonly stopSignal: string;
  readonly sizeBytes: number;
  /** `arm64` or `arm/v7`; empty when the image does not say. */
  readonly platform: string;
}

/** What the engine can do. */
export interface EngineInfo {
  readonly version: string;
  readonly memoryLimits: boolean;
  readonly cpuLimits: boolean;
  readonly architecture: string;
}

/** The node's pod network. Addresses of `cidr` are given to pods; `gateway` is the node's own on the bridge. */
export interface NetworkSpec {
  readonly name: string;
  readonly bridge: string;
  readonly cidr: string;
  readonly gateway: string;
  /** True lets pods reach the outside behind the node's address by the engine's own rule. */
  readonly masquerade: boolean;
}

export interface ExecResult {
  readonly exitCode: number;
  /** Start of stdout and stderr together, at most `maxBytes`. */
  readonly output: string;
}

/** Name and password for a registry, from an image pull secret. */
export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  readonly serverAddress: string;
}

/** Something happened to a container. `atMs` is the engine's wall clock. */
export type EngineEvent =
  | {
      readonly type: 'start' | 'oom' | 'destroy' | 'other';
      readonly id: string;
      readonly podUid: string;
      readonly atMs: number;
    }
  | {
      readonly type: 'die';
      readonly id: string;
      readonly podUid: string;
      readonly atMs: number;
      readonly exitCode: number;
    };

/**
 * A container engine. Only containers with the agent's labels are seen. Every call rejects with RuntimeError; none has a
 * time limit of its own: pass a signal. Starting what runs, killing what is dead and removing what is absent all succeed.
 */
export interface Runtime {
  info(signal?: AbortSignal): Promise<EngineInfo>;
  /** Every container of the agent, running or not. */
  list(signal?: AbortSignal): Promise<ContainerView[]>;
  inspect(id: string, signal?: AbortSignal): Promise<ContainerView | undefined>;
  /** Resolves to the container's id. */
  create(spec: ContainerSpec, signal?: AbortSignal): Promise<string>;
  start(id: string, signal?: AbortSignal): Promise<void>;
  /** Sends a signal (`SIGTERM`) to the main process and does not wait for its end. */
  kill(id: string, signalName: string, signal?: AbortSignal): Promise<void>;
  /** Removes the container, killing it when it runs. */
  remove(id: string, signal?: AbortSignal): Promise<void>;
  /** Runs a command in the container; TimedOut after `timeoutMs`. */
  exec(
    id: string,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly maxBytes: number },
    signal?: AbortSignal,
  ): Promise<ExecResult>;
  /** Last bytes of the container's own output, at most `maxBytes`. */
  tail(id: string, maxBytes: number, signal?: AbortSignal): Promise<string>;
  image(ref: string, signal?: AbortSignal): Promise<ImageView | undefined>;
  pull(ref: string, auth: RegistryAuth | undefined, signal?: AbortSignal): Promise<void>;
  /** Makes the sandbox image when it is missing; resolves to its reference. Needs no registry. */
  ensureSandboxImage(signal?: AbortSignal): Promise<string>;
  /** Makes the pod network, or makes it anew when it differs and nothing is attached; NetworkConflict otherwise. */
  ensureNetwork(network: NetworkSpec, signal?: AbortSignal): Promise<void>;
  /** Subscribed once the promise resolves; the iteration ends or throws when the engine goes away. */
  events(signal: AbortSignal): Promise<AsyncIterable<EngineEvent>>;
}

/** Everything the hub wants of this device, as the cache holds it. Pods by uid, the rest by `namespace/name`. */
export interface DesiredState {
  readonly pods: ReadonlyMap<string, DesiredPod>;
  readonly configMaps: ReadonlyMap<string, Pick<ConfigMap, 'metadata' | 'data' | 'binaryData'>>;
  readonly secrets: ReadonlyMap<string, Pick<Secret, 'metadata' | 'data' | 'type'>>;
  readonly node: NodeItem | undefined;
}

/** Where reports go. All are called synchronously and must not throw. */
export interface PodSinks {
  /** The newest state of a pod; called only when it differs from the last one. */
  readonly onStatus: (report: PodReport) => void;
  /** Something for people; a repetition has the same `id` and a higher `count`. */
  readonly onEvent: (event: EventReport) => void;
  /** `PodManager.removedVolumes` changed. */
  readonly onVolumes?: () => void;
  /** A pull ended, a container went, or the engine is back: its images may be others. */
  readonly onImagesTouched?: () => void;
}

/** A container of a pod for logs, exec and attach. `previousId` is the one before, while the engine still has it. */
export interface PodContainer {
  readonly name: string;
  readonly id: string;
  readonly running: boolean;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly previousId?: string;
}
