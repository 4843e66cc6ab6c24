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
