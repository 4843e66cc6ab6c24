/**
 * Messages of wire version 1, as they are after decoding. `docs/wire.md` tells the conversation.
 * Unknown fields are ignored by the reader, so that old agents meet new hubs.
 */
import type { ConfigMap, Secret } from '../kinds/core.ts';
import type { Condition, ObjectReference, Time } from '../kinds/meta.ts';
import type { NodeSystemInfo } from '../kinds/node.ts';
import type { Pod, PodStatus } from '../kinds/pod.ts';

/** Wire versions this build speaks, newest first. */
export const WIRE_VERSIONS: readonly number[] = [1];

/**
 * Largest MQTT packet either side sends or accepts, in bytes. A Secret or ConfigMap may hold 1 MiB (Kubernetes'
 * limit) and grows by a third in JSON at worst.
 */
export const MAX_PACKET_BYTES = 2 * 1024 * 1024;

/** Names an item of the desired state: `pod/<uid>`, `configmap/<ns>/<name>`, `secret/<ns>/<name>`, `node`. */
export type ItemKey = string;
/** Names the content of an item: a short hash, equal only for equal content. */
export type ItemRevision = string;

/** What a claim of a pod stands for on the device. */
export interface ClaimedVolume {
  /** Name of the PersistentVolume. */
  readonly volume: string;
  /** Where the data is; absent: the agent's own folder for this volume. */
  readonly path?: string;
  /** What the path must be, as in hostPath volumes. */
  readonly type?: string;
  readonly readOnly?: boolean;
}

/**
 * Pod as the device needs it: metadata (uid, name, namespace, labels, annotations, deletion), spec; no status. `claims` has what its
 * claims stand for, by the name of the pod's volume; one that is missing is not bound yet.
 */
export type DesiredPod = Pick<Pod, 'spec'> & {
  claims?: Readonly<Record<string, ClaimedVolume>>;
  metadata: Pick<
    Pod['metadata'],
    | 'name'
    | 'namespace'
    | 'uid'
    | 'labels'
    | 'annotations'
    | 'deletionTimestamp'
    | 'deletionGracePeriodSeconds'
  >;
};

/** What the hub wants of the node itself. */
export interface NodeItem {
  readonly podCIDR?: string;
  /** All pod addresses of the fleet; traffic to them is not masqueraded. */
  readonly clusterCIDR?: string;
  /** Overrides of the device profile by key, for example `heartbeatMs`. */
  readonly settings?: Record<string, number>;
  /** Volumes whose folders the device removes: the hub's only way to have data deleted. */
  readonly removeVolumes?: readonly string[];
}

/** One item of the desired state with its content. */
export type Item =
  | { readonly key: ItemKey; readonly rev: ItemRevision; readonly kind: 'pod'; readonly body: DesiredPod }
  | {
      readonly key: ItemKey;
      readonly rev: ItemRevision;
      readonly kind: 'configmap';
      readonly body: Pick<ConfigMap, 'metadata' | 'data' | 'binaryData'>;
    }
  | {
      readonly key: ItemKey;
      readonly rev: ItemRevision;
      readonly kind: 'secret';
      readonly body: Pick<Secret, 'metadata' | 'data' | 'type'>;
    }
  | { readonly key: ItemKey; readonly rev: ItemRevision; readonly kind: 'node'; readonly body: NodeItem };

/**
 * A step of the desired state. `base: null` means `set` is the full index; otherwise `set` and `del` change the index
 * of generation `base`. `items` carries the content of new or changed keys; with `more` it only stages content for the
 * message that follows, and `set`, `del` are empty. The device acts when the step is complete and durable.
 */
export interface DesiredMessage {
  readonly t: 'desired';
  readonly cluster: string;
  readonly gen: number;
  readonly base: number | null;
  readonly items: readonly Item[];
  readonly set: Readonly<Record<ItemKey, ItemRevision>>;
  readonly del: readonly ItemKey[];
  readonly more?: boolean;
}

/** First answer to a hello: who the hub is, what both speak, how often to beat, what time it is (epoch ms). */
export interface WelcomeMessage {
  readonly t: 'welcome';
  readonly cluster: string;
  readonly version: number;
  readonly hub: string;
  readonly atMs: number;
}

/** The hub has made everything up to and including `seq` of boot `boot` durable. */
export interface AckMessage {
  readonly t: 'ack';
  readonly boot: string;
  readonly seq: number;
}

/** The hub asks the device to say hello again, for example after a hub restart behind an external broker. */
export interface HelloPleaseMessage {
  readonly t: 'hello?';
}

/** Options of `kubectl logs`; times are epoch ms. */
export interface LogRequest {
  readonly follow?: boolean;
  readonly tailLines?: number;
  readonly sinceMs?: number;
  readonly timestamps?: boolean;
  readonly previous?: boolean;
  readonly limitBytes?: number;
}

/** Options of `kubectl exec` and `attach`. */
export interface ExecRequest {
  readonly command?: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Opens a stream; its frames then travel on the stream's own topics. */
export interface OpenMessage {
  readonly t: 'open';
  readonly stream: string;
  readonly kind: 'log' | 'exec' | 'attach' | 'port';
  readonly podUid: string;
  readonly container?: string;
  readonly log?: LogRequest;
  readonly exec?: ExecRequest;
  readonly port?: number;
}

/** Everything the hub says on `cox/1/N/d`. */
export type Control = DesiredMessage | WelcomeMessage | AckMessage | HelloPleaseMessage | OpenMessage;

/** Facts of a device that change rarely. Sizes in bytes, CPU in thousandths of a core. */
export interface NodeFacts {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly maxPods: number;
  /** Kept back for the system and the agent: allocatable is capacity less this. */
  readonly reservedCpuMilli: number;
  readonly reservedMemoryBytes: number;
  readonly profile: string;
  readonly heartbeatMs: number;
  /** Silence after which the hub takes the device for lost. */
  readonly leaseMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly addresses: readonly { readonly type: string; readonly address: string }[];
  readonly system: NodeSystemInfo;
  /** Conditions the device alone can judge: MemoryPressure, DiskPressure, EngineReady, MemoryCgroup ... */
  readonly conditions: readonly Condition[];
  /** Where the agent keeps its files. */
  readonly dataDir?: string;
  /** Of the volumes it was told to remove, those of which nothing is left on the disk. */
  readonly removedVolumes?: readonly string[];
  /** Device resources by name and how many of each are plugged in; 0 for those that are configured and absent. */
  readonly devices?: Readonly<Record<string, number>>;
  /** The largest images on the device; absent: as told before on this connection, or not known. */
  readonly images?: readonly ImageFact[];
}

/**
 * An image on a device: its names (digests and tags), its size in bytes and, only when the device cannot run it, the platform it is
 * for: `amd64`, `arm/v7`.
 */
export type ImageFact = readonly [names: readonly string[], sizeBytes: number, platform?: string];

/** Common to all reports: newer is (same boot and larger seq) or another boot announced by a hello. */
interface ReportHead {
  readonly boot: string;
  readonly seq: number;
}

/** First message after each connect: facts, and what desired state the device holds. */
export interface HelloReport extends ReportHead {
  readonly t: 'hello';
  readonly versions: readonly number[];
  readonly agent: string;
  /** Empty when the device has never been told. */
  readonly cluster: string;
  /** Generation of the held index; 0 when none. */
  readonly gen: number;
  readonly have: Readonly<Record<ItemKey, ItemRevision>>;
  readonly facts: NodeFacts;
}

/** Facts changed. */
export interface FactsReport extends ReportHead {
  readonly t: 'facts';
  readonly facts: NodeFacts;
}

/** The held index, asked for again because a step did not fit. */
export interface SyncReport extends ReportHead {
  readonly t: 'sync';
  readonly cluster: string;
  readonly gen: number;
  readonly have: Readonly<Record<ItemKey, ItemRevision>>;
}

/** The device will not follow: the index is of another cluster or older than its own. It keeps its pods. */
export interface RefusedReport extends ReportHead {
  readonly t: 'refused';
  readonly reason: 'OtherCluster' | 'OlderGeneration';
  readonly cluster: string;
  readonly gen: number;
  readonly offeredGen: number;
  /** Pods the device keeps running, so that people can be told. */
  readonly pods: readonly { readonly uid: string; readonly namespace: string; readonly name: string }[];
}

/** One pod's state on the device. `gone` confirms that nothing of it runs any more. */
export interface PodReport {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly gone?: boolean;
  readonly status: PodStatus;
}

/** Newest status of pods. `full` lists every pod the device holds: the inventory after a hello. */
export interface StatusReport extends ReportHead {
  readonly t: 'status';
  readonly full?: boolean;
  readonly pods: readonly PodReport[];
}

/** Something people should see in `kubectl describe`; `id` makes redelivery harmless. */
export interface EventReport {
  readonly id: string;
  readonly involved: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstTimestamp: Time;
  readonly lastTimestamp: Time;
}

/** Events since the last report, with their own times; `dropped` counts what the ring lost while cut off. */
export interface EventsReport extends ReportHead {
  readonly t: 'events';
  readonly events: readonly EventReport[];
  readonly dropped?: number;
}

/** Everything a device says on `cox/1/N/r`. */
export type Report = HelloReport | FactsReport | SyncReport | RefusedReport | StatusReport | EventsReport;

/** Use of one pod: CPU in thousandths of a core over the sample's window, working-set memory in bytes. */
export interface PodUsage {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  /** By container name, when it has several. */
  readonly containers?: Readonly<Record<string, { readonly cpuMilli: number; readonly memoryBytes: number }>>;
}

/** One telemetry sample of a device. Absent optional values mean the board cannot tell. */
export interface Telemetry {
  /** Window the rates cover, in ms. */
  readonly windowMs: number;
  /** Busy share of all cores, 0..1. */
  readonly cpuRatio: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  /** Used share of the file system that holds images and pods, 0..1. */
  readonly diskRatio: number;
  readonly temperatureCelsius?: number;
  /** Firmware says the board is slowed down (heat or under-voltage) now. */
  readonly throttled?: boolean;
  readonly rxBytesPerSecond?: number;
  readonly txBytesPerSecond?: number;
  /** Pods whose use changed, by the first 8 characters of the pod's uid. */
  readonly pods?: Readonly<Record<string, PodUsage>>;
}
