/** Answers of container engines, common to all implementations. */

/** What the engine is and can do. */
export interface EngineFacts {
  readonly version: string;
  readonly memoryLimits: boolean;
  readonly cpuLimits: boolean;
  readonly architecture: string;
}

/** An image on the node; `user` and `stopSignal` are empty when the image sets none. */
export interface ImageFacts {
  readonly id: string;
  readonly digest?: string;
  readonly user: string;
  readonly stopSignal: string;
  readonly sizeBytes: number;
  /** `arm64` or `arm/v7`, with `linux` understood; empty when the image does not say. */
  readonly platform: string;
}

/** An image of the engine with all its names, as the node reports it. */
export interface StoredImage {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
}

/** Where a container writes, as far as the engine tells. */
export interface LayerPlace {
  /** Folder that takes what it writes beside its image; absent with storage drivers that have none. */
  readonly upperDir?: string;
  /** Its main process while it runs. */
  readonly pid?: number;
  /** The newest file of its log; older ones lie beside it. */
  readonly logPath?: string;
}

export interface ExecOutcome {
  readonly exitCode: number;
  readonly output: string;
}

export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
  readonly serverAddress: string;
}
