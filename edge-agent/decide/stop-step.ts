import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type { ContainerView } from './container.ts';
import type { StopReason } from './pod-memory.ts';
import { act, blockedUntil, OK, type PodView, plannedOf, type Step } from './pod-view.ts';

/** Least time between the polite signal and the kill, as Kubernetes grants it whatever the grace period. */
export const LEAST_GRACE_MS = 2_000;
/** A kill that shows no effect is sent again after this. */
export const KILL_AGAIN_MS = 10_000;

/** Grace of a pod that names none. */
export const DEFAULT_GRACE_SECONDS = 30;

/** Grace the pod's containers get to end, from the deletion if there is one. */
export function podGraceMs(pod: DesiredPod): number {
  const { metadata, spec } = pod;
  const own = metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds;
  return (own ?? DEFAULT_GRACE_SECONDS) * 1000;
}

/** Grace of a container that failed its liveness probe: the probe may have its own. */
export function probeGraceMs(pod: DesiredPod, name: string): number {
  const spec = plannedOf(pod, name)?.spec;
  const own =
    spec?.livenessProbe?.terminationGracePeriodSeconds ?? spec?.startupProbe?.terminationGracePeriodSeconds;
  return own === undefined ? podGraceMs(pod) : own * 1000;
}

/**
 * Brings these containers to their end, all at once: hook, signal, kill when the grace is over. `ok` when none runs.
 * A container whose hook still runs when the grace is over gets the signal and the least grace.
 */
export function stopStep(
  view: PodView,
  targets: readonly ContainerView[],
  why: StopReason,
  graceMs: number,
): Step {
  const running = targets.filter((c) => c.state === 'running');
  if (running.length === 0) return OK;
  const fresh = running.filter((c) => view.memory.runs[c.id]?.stop === undefined);
  if (fresh.length > 0) return act({ do: 'stop', ids: fresh.map((c) => c.id), why, graceMs });
  const stops = running.flatMap((c) => {
    const stop = view.memory.runs[c.id]?.stop;
    return stop === undefined ? [] : [{ id: c.id, stop }];
  });
  const due = (killAtMs: number): boolean => view.nowMs >= killAtMs;
  const toSignal = stops.filter(
    ({ stop }) => !stop.signalled && (stop.preStop !== 'running' || due(stop.killAtMs)),
  );
  if (toSignal.length > 0) return act({ do: 'signal', ids: toSignal.map((s) => s.id) });
  const toKill = stops.filter(({ stop }) => stop.signalled && due(stop.killAtMs));
  if (toKill.length > 0) return act({ do: 'kill', ids: toKill.map((s) => s.id) });
  return blockedUntil(Math.min(...stops.map(({ stop }) => stop.killAtMs)));
}
