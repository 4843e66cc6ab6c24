/** A placement that telemetry may not show yet; all times monotonic ms of the hub. */
export interface Assumption {
  readonly node: string;
  /** When the hub saw the pod running; undefined while it is not. */
  readonly runningSinceMs: number | undefined;
}

/** Newest telemetry of a node: until when it speaks (an empty heartbeat moves that on) and the window it averages over. */
export interface Coverage {
  readonly confirmedAtMs: number;
  readonly windowMs: number;
}

/**
 * True when the node's telemetry covers the placement: its whole window lies after the pod's start. Until then the pod's
 * estimate is added to the live use, so that a burst of pods does not all go to the one node that looks idle.
 */
export function isCovered(assumption: Assumption, coverage: Coverage | undefined): boolean {
  if (assumption.runningSinceMs === undefined || coverage === undefined) return false;
  return coverage.confirmedAtMs - coverage.windowMs >= assumption.runningSinceMs;
}
