import type { TelemetryView } from './telemetry-view.ts';

/** Fresh telemetry of a node in the shape that placement reads. */
export interface LiveReading {
  readonly cpuRatio: number;
  readonly heldCpuRatio: number;
  readonly heldMemoryRatio: number;
  readonly memoryUsedBytes: number;
  readonly memoryTotalBytes: number;
  readonly temperatureCelsius?: number;
  readonly throttled?: boolean;
  readonly confirmedAtMs: number;
  readonly windowMs: number;
}

/** What the scheduler needs of telemetry; stale telemetry reads as undefined. */
export function liveSource(telemetry: TelemetryView): {
  read: (node: string) => LiveReading | undefined;
  subscribe: (listener: (node: string) => void) => () => void;
} {
  return {
    read: (node) => {
      const known = telemetry.fresh(node);
      if (known === undefined) return undefined;
      const { sample, load, confirmedAtMs } = known;
      const { memoryUsedBytes, memoryTotalBytes, temperatureCelsius, throttled, windowMs } = sample;
      const { cpuRatio, heldCpuRatio, heldMemoryRatio } = load;
      return {
        cpuRatio,
        heldCpuRatio,
        heldMemoryRatio,
        memoryUsedBytes,
        memoryTotalBytes,
        ...(temperatureCelsius === undefined ? {} : { temperatureCelsius }),
        ...(throttled === undefined ? {} : { throttled }),
        confirmedAtMs,
        windowMs,
      };
    },
    subscribe: (listener) => telemetry.subscribe(listener),
  };
}
