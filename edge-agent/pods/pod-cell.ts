import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type { ContainerView } from '../decide/container.ts';
import type { DnsChoice, LogLimits } from '../decide/container-spec.ts';
import type { ConfigSource } from '../decide/env.ts';
import type { NodeContext } from '../decide/field-ref.ts';
import type { NodePlatform } from '../decide/image-platform.ts';
import type { PodMemory, RunMemory } from '../decide/pod-memory.ts';
import { withRun } from '../decide/pod-memory.ts';
import { freshRun, type PodView, plannedOf, runOf } from '../decide/pod-view.ts';
import type { DeviceDesk } from './device-desk.ts';
import type { EngineObserver } from './engine-observer.ts';
import type { EventRecorder } from './event-recorder.ts';
import type { Images } from './images.ts';
import type { EngineInfo, Runtime } from './ports.ts';
import type { Volumes } from './volumes.ts';

/** What the node gives its pods: addresses, and the engine's abilities. */
export interface NodeServices {
  /** Lowest free address of the node's range; undefined with the reason while there is none. */
  address(podUid: string): Promise<{ readonly ip: string } | { readonly why: string }>;
  /** Never gives this address again while the agent runs: something else uses it. */
  avoidAddress(ip: string): void;
  /** The pod network was removed behind the agent's back: it is made again with the next address. */
  networkLost(): void;
  engine(): Promise<EngineInfo>;
  /** Resolves to the reference of the sandbox image, made when missing. */
  sandboxImage(): Promise<string>;
  readonly dns: DnsChoice | undefined;
  readonly bootId: string;
  readonly lowestOomScore: number;
  readonly nodeName: string;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  hostIp(): string;
  /** Addresses of the hub's API as far as they are known, the likeliest first. */
  hubApi(): readonly string[];
  /** What the profile caps for every container. */
  containerLimits(): { readonly pidsLimit?: number; readonly log?: LogLimits };
  /** What images can run here; undefined when nobody has said. */
  platform(): NodePlatform | undefined;
}

/** Everything actions are performed with; one for all pods. */
export interface Tools {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly observer: EngineObserver;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly devices: DeviceDesk;
  /** True while the disk is nearly full. */
  readonly isLean: () => boolean;
  readonly node: NodeServices;
  /** "Look at this pod again". */
  readonly wake: (podUid: string) => void;
}

/**
 * One pod as its worker holds it: what is desired, what is remembered. Only the worker's own run and the background work
 * it started change the memory, always by replacing it in one step.
 */
export class PodCell {
  readonly uid: string;
  pod: DesiredPod;
  removed = false;
  memory: PodMemory;
  config: ConfigSource;
  volumeRevision = '';

  constructor(pod: DesiredPod, memory: PodMemory, config: ConfigSource) {
    this.uid = pod.metadata.uid;
    this.pod = pod;
    this.memory = memory;
    this.config = config;
  }

  view(tools: Tools): PodView {
    return {
      pod: this.pod,
      removed: this.removed,
      containers: tools.observer.containersOf(this.uid),
      memory: this.memory,
      volumeRevision: this.volumeRevision,
      bootId: tools.node.bootId,
      isLean: tools.isLean(),
      devices: tools.devices.present(),
      nowMs: tools.clock.monotonicMs(),
    };
  }

  /** Changes what is known of one container's run. */
  changeRun(container: ContainerView, change: Partial<RunMemory>): void {
    const fallback = freshRun(plannedOf(this.pod, container.name));
    this.memory = withRun(this.memory, container.id, change, fallback);
  }

  run(tools: Tools, container: ContainerView): RunMemory {
    return runOf(this.view(tools), container);
  }
}

/** What field references of this pod resolve to. */
export function nodeContext(tools: Tools, cell: PodCell): NodeContext {
  const { node } = tools;
  const hostIp = node.hostIp();
  return {
    nodeName: node.nodeName,
    hostIp,
    podIp: cell.pod.spec.hostNetwork === true ? hostIp : (cell.memory.ip ?? ''),
    cpuMilli: node.cpuMilli,
    memoryBytes: node.memoryBytes,
  };
}
