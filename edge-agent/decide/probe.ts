import type { Container, Probe } from '../../protocol/kinds/pod.ts';
import type { RunMemory } from './pod-memory.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
export type ProbeOutcome = 'success' | 'failure';

/** Consecutive results of one probe of one container. */
export interface ProbeTally {
  readonly successes: number;
  readonly failures: number;
}

export const NO_RESULTS: ProbeTally = { successes: 0, failures: 0 };

export const probeDelayMs = (probe: Probe): number => (probe.initialDelaySeconds ?? 0) * 1000;
export const probePeriodMs = (probe: Probe): number => Math.max(1, probe.periodSeconds ?? 10) * 1000;
export const probeTimeoutMs = (probe: Probe): number => Math.max(1, probe.timeoutSeconds ?? 1) * 1000;

/** The probe of this kind. */
export function probeOf(container: Container, kind: ProbeKind): Probe | undefined {
  return container[`${kind}Probe`];
}

/** The tally after one more result. */
export function tallyResult(tally: ProbeTally, outcome: ProbeOutcome): ProbeTally {
  return outcome === 'success'
    ? { successes: tally.successes + 1, failures: 0 }
    : { successes: 0, failures: tally.failures + 1 };
}

/** What the tally says: true, false, or undefined while neither threshold is reached (then the old verdict stands). */
export function probeVerdict(probe: Probe, tally: ProbeTally): boolean | undefined {
  if (tally.successes >= Math.max(1, probe.successThreshold ?? 1)) return true;
  if (tally.failures >= Math.max(1, probe.failureThreshold ?? 3)) return false;
  return undefined;
}

/** The run after a verdict: startup opens the gate or condemns, liveness condemns, readiness toggles. */
export function applyVerdict(run: RunMemory, kind: ProbeKind, verdict: boolean): RunMemory {
  switch (kind) {
    case 'startup':
      return verdict ? { ...run, started: true } : { ...run, healthy: false };
    case 'liveness':
      return verdict ? run : { ...run, healthy: false };
    case 'readiness':
      return run.ready === verdict ? run : { ...run, ready: verdict };
    default:
      return kind satisfies never;
  }
}

/** Whether a probe of this kind runs now: startup until it succeeded, the others only after that, none when condemned. */
export function probeRuns(run: RunMemory, kind: ProbeKind): boolean {
  if (!run.healthy || (run.stop !== undefined && kind !== 'readiness')) return false;
  return kind === 'startup' ? !run.started : run.started;
}
