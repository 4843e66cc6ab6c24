/** Smoothed load of a node, all shares 0..1. */
export interface Load {
  /** Smoothed, moves with every sample. */
  readonly cpuRatio: number;
  readonly memoryRatio: number;
  /** What scores look at: follows the smoothed value only when that has left a band around it. */
  readonly heldCpuRatio: number;
  readonly heldMemoryRatio: number;
  /** Monotonic ms of the sample this stands for. */
  readonly atMs: number;
}

/** Load is believed quickly and forgiven slowly: what is busy on and off is busy for a newcomer. */
const RISE_MS = 1_500;
const FALL_MS = 30_000;
/** A held value moves when the smoothed one is further away than this; a saw-tooth within the band moves nothing. */
const BAND_RATIO = 0.05;

/**
 * Folds one sample into the load: exponentially weighted by the time since the last one, then held within a band. An empty
 * heartbeat counts as the last sample said again. Pure; samples out of order change nothing.
 */
export function nextLoad(
  previous: Load | undefined,
  sample: { readonly cpuRatio: number; readonly memoryRatio: number },
  atMs: number,
): Load {
  if (previous === undefined) {
    const { cpuRatio, memoryRatio } = sample;
    return { cpuRatio, memoryRatio, heldCpuRatio: cpuRatio, heldMemoryRatio: memoryRatio, atMs };
  }
  if (atMs <= previous.atMs) return previous;
  const elapsedMs = atMs - previous.atMs;
  const cpuRatio = smooth(previous.cpuRatio, sample.cpuRatio, elapsedMs);
  const memoryRatio = smooth(previous.memoryRatio, sample.memoryRatio, elapsedMs);
  return {
    cpuRatio,
    memoryRatio,
    heldCpuRatio: hold(previous.heldCpuRatio, cpuRatio),
    heldMemoryRatio: hold(previous.heldMemoryRatio, memoryRatio),
    atMs,
  };
}

function smooth(before: number, sample: number, elapsedMs: number): number {
  const constantMs = sample > before ? RISE_MS : FALL_MS;
  return sample + (before - sample) * Math.exp(-elapsedMs / constantMs);
}

function hold(held: number, smoothed: number): number {
  return Math.abs(smoothed - held) < BAND_RATIO ? held : smoothed;
}
