import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type { EvictionLimits } from '../decide/evict.ts';
import type { NodePlatform } from '../decide/image-platform.ts';
import type { Eviction } from '../decide/pod-memory.ts';
import type { PressureInput, PressureState } from '../decide/pressure.ts';

/** An image as the engine lists it. */
export interface StoredImageView {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
}

/** Where a container writes, as far as the engine tells: its own layer, a process of it, the newest file of its log. */
export interface LayerPlace {
  readonly upperDir?: string;
  readonly pid?: number;
  readonly logPath?: string;
}

/** What the engine knows of the files that containers write. Every call rejects with RuntimeError. */
export interface LayerStore {
  /** Cheap; undefined when the container is gone. */
  layerOf(id: string): Promise<LayerPlace | undefined>;
  /** Bytes a container has written into its own layer; 0 when it is gone. The engine may walk all its files. */
  layerBytes(id: string, signal?: AbortSignal): Promise<number>;
}

/** What the defence asks of the engine. Every call rejects with RuntimeError. */
export interface ImageStore extends LayerStore {
  images(): Promise<StoredImageView[]>;
  /** Images of all containers of the engine, whoever made them. */
  imagesInUse(): Promise<ReadonlySet<string>>;
  image(ref: string): Promise<{ readonly platform: string } | undefined>;
  /** False when something uses the image after all. */
  removeImage(image: StoredImageView): Promise<boolean>;
  /** Bytes written into containers' own layers, by id. */
  writtenBytes(signal?: AbortSignal): Promise<ReadonlyMap<string, number>>;
}

/** A container of such a pod, running or not; the highest attempt of a name is the newest. */
export interface RunningContainer {
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly isRunning: boolean;
}

/** A pod that is here and could be evicted. */
export interface RunningPod {
  readonly pod: DesiredPod;
  readonly containers: readonly RunningContainer[];
  /** Folder of its volumes on the disk. */
  readonly volumes: string;
}

/** What the defence asks of the pods. */
export interface DefendedPods {
  /** False while the engine does not answer: nothing can be done then. */
  readonly engineReady: boolean;
  readonly isEvicting: boolean;
  evictable(): readonly RunningPod[];
  /** Those of them that have limits of local storage; costs nothing while there are none. */
  limited(): readonly RunningPod[];
  evict(podUid: string, eviction: Eviction): Promise<void>;
  setLean(isLean: boolean): void;
  neededImages(): ReadonlySet<string>;
  tellNode(type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** When the node defends itself; from the profile. */
export interface DefenceLimits extends EvictionLimits {
  readonly sampleMs: number;
  readonly evictionGraceMs: number;
  readonly imageGcHighRatio: number;
  readonly imageGcLowRatio: number;
  readonly imageGcMinAgeMs: number;
}

/** One look at the machine. */
export interface Reading {
  readonly input: PressureInput;
  readonly state: PressureState;
}

/** Figures of single containers from the kernel; undefined when a container has just ended. */
export interface Meter {
  memoryOf(containerId: string, nowMs: number): number | undefined;
  processesOf(containerId: string, nowMs: number): number | undefined;
}

export interface DefenceOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: ImageStore;
  readonly pods: DefendedPods;
  readonly meter: Meter;
  nodeName(): string;
  limits(): DefenceLimits;
  reading(): Reading;
  /** Used share of the disk now. */
  diskUsedRatio(): number;
  /** Reads the machine's figures again; the answer is a call of `look`. */
  refresh(): void;
  /** What images can run here. */
  readonly platform: NodePlatform;
  /** References of images that the agent itself needs. */
  readonly ownImages: readonly string[];
  /** What the node reports of its images is other than before. */
  onImagesChanged(): void;
}
