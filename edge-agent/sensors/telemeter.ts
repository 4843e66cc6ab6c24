import type { Telemetry } from '../../protocol/wire/messages.ts';
import { encodeTelemetry } from '../../protocol/wire/telemetry.ts';
import { decideTelemetry, TELEMETRY_STEPS, type TelemetryMemory } from '../decide/telemetry-policy.ts';
import type { MachineFiles } from './machine-files.ts';
import { NodeSampler } from './node-sampler.ts';
import { PodUsageSampler, type RunningContainer } from './pod-usage.ts';

export interface TelemeterOptions {
  readonly files: MachineFiles;
  /** Lies on the file system that holds images and pods. */
  readonly diskPath: string;
  cadence(): {
    readonly sampleMs: number;
    readonly telemetryKeepAliveMs: number;
    readonly telemetryMinIntervalMs: number;
  };
  containers(): readonly RunningContainer[];
}

/**
 * Samples at the profile's cadence when a heartbeat asks, and gives the payload when there is news. It has no timer of its own:
 * beats are often enough, and a device that is cut off has nobody to tell.
 */
export class Telemeter {
  readonly #options: TelemeterOptions;
  readonly #pods: PodUsageSampler;
  #node: NodeSampler;
  #memory: TelemetryMemory = {};
  #sampledMs: number;

  constructor(options: TelemeterOptions, nowMs: number) {
    this.#options = options;
    this.#pods = new PodUsageSampler(options.files);
    this.#node = new NodeSampler(options.files, options.diskPath, nowMs);
    this.#sampledMs = nowMs;
  }

  /** The newest smoothed sample, whether the hub was told or not. */
  get latest(): Telemetry | undefined {
    return this.#memory.smoothed;
  }

  /** A new connection: rates start from now, and the hub is told everything. `nowMs` is monotonic. */
  restart(nowMs: number): void {
    this.#node = new NodeSampler(this.#options.files, this.#options.diskPath, nowMs);
    this.#pods.sample(this.#options.containers(), nowMs);
    this.#sampledMs = nowMs;
    this.#memory = {};
  }

  /** Payload for a heartbeat; undefined when it is not time for a sample, or it brought no news. `nowMs` is monotonic. */
  take(nowMs: number): Uint8Array | undefined {
    const { sampleMs, telemetryKeepAliveMs, telemetryMinIntervalMs } = this.#options.cadence();
    // The first sample after a start goes with the first beat, so that the hub need not wait for figures.
    const isFirst = this.#memory.smoothed === undefined;
    if (!isFirst && nowMs - this.#sampledMs < sampleMs) return undefined;
    this.#sampledMs = nowMs;
    const node = this.#node.sample(nowMs);
    const pods = this.#pods.sample(this.#options.containers(), nowMs);
    const fresh = Object.keys(pods).length === 0 ? node : { ...node, pods };
    const verdict = decideTelemetry(this.#memory, fresh, nowMs, {
      ...TELEMETRY_STEPS,
      keepAliveMs: telemetryKeepAliveMs,
      minIntervalMs: telemetryMinIntervalMs,
    });
    this.#memory = verdict.memory;
    return verdict.send === undefined ? undefined : encodeTelemetry(verdict.send);
  }
}
