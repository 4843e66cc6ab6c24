import { formatBytes } from '../../protocol/quantity.ts';
import type { PressureInput, PressureLimits, PressureSignal, PressureState } from './pressure.ts';

/** Pressures that stopping a pod relieves. Heat is left to the board, which slows itself down, and to the scheduler. */
export type EvictionSignal = Exclude<PressureSignal, 'temperature'>;

/** What a container uses of the pressed resource, and what it asked for: bytes, or processes. */
export interface ContainerUse {
  readonly name: string;
  readonly usage: number;
  readonly request: number;
}

/** A pod that runs here. `containers` holds what could be measured; without any the pod frees nothing and stays. */
export interface EvictionCandidate {
  readonly uid: string;
  readonly priority: number;
  readonly priorityClass?: string;
  readonly containers: readonly ContainerUse[];
  /** Use that belongs to the pod and no container, such as its volumes. */
  readonly sharedUsage?: number;
}

/** When to evict; from the profile. */
export interface EvictionLimits extends PressureLimits {
  readonly evictionHoldMs: number;
  readonly evictionIntervalMs: number;
}

/** What the moment of the next eviction depends on. Times are monotonic ms. */
export interface EvictionView {
  readonly pressure: PressureState;
  readonly nowMs: number;
  readonly lastEvictionMs?: number;
  /** An evicted pod has not ended yet: its memory is still taken. */
  readonly isEvicting: boolean;
  /** Disk only: images and dead containers were removed since the pressure began, and it was not enough. */
  readonly isDiskSwept: boolean;
}

/** Pods of this priority and above keep the node itself alive and are never evicted, as by the kubelet. */
export const CRITICAL_PRIORITY = 2_000_000_000;
const CRITICAL_CLASSES = ['system-node-critical', 'system-cluster-critical'];

/** The kubelet's order: memory first, because nothing works without. */
const ORDER: readonly EvictionSignal[] = ['memory', 'disk', 'pids'];

export const RESOURCES: Readonly<Record<EvictionSignal, string>> = {
  memory: 'memory',
  disk: 'ephemeral-storage',
  pids: 'pids',
};

/** What to do about the pressures: evict one pod for `signal` now, look again at a moment, or nothing. */
export type EvictionStep =
  | { readonly do: 'evict'; readonly signal: EvictionSignal }
  | { readonly do: 'wait'; readonly untilMs: number }
  | { readonly do: 'nothing' };

/**
 * Decides whether a pod has to go now: a pressure has been met for the hold time, no other eviction is under way or so recent
 * that its effect is not seen yet. At most one pod at a time, so a node never evicts everything at once. Pure; never throws.
 */
export function evictionStep(view: EvictionView, limits: EvictionLimits): EvictionStep {
  const met = ORDER.filter((signal) => view.pressure[signal].metSinceMs !== undefined);
  const signal = met.find((s) => s !== 'disk' || view.isDiskSwept);
  if (signal === undefined) return { do: 'nothing' };
  const since = view.pressure[signal].metSinceMs ?? view.nowMs;
  const restMs =
    view.lastEvictionMs === undefined ? 0 : view.lastEvictionMs + limits.evictionIntervalMs - view.nowMs;
  const waitMs = Math.max(since + limits.evictionHoldMs - view.nowMs, restMs);
  if (view.isEvicting) return { do: 'wait', untilMs: view.nowMs + Math.max(waitMs, EFFECT_MS) };
  return waitMs > 0 ? { do: 'wait', untilMs: view.nowMs + waitMs } : { do: 'evict', signal };
}

/** How soon to look again whether an evicted pod has ended. */
const EFFECT_MS = 1_000;

/**
 * The pods that may go, first the one to evict: those that use more than they requested, then the lower priority, then who uses
 * most above its request; processes have no requests. Critical pods, and pods that hold nothing, are not among them.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction
 */
export function rankForEviction(
  signal: EvictionSignal,
  pods: readonly EvictionCandidate[],
): EvictionCandidate[] {
  const excess = (pod: EvictionCandidate): number => usageOf(pod) - requestOf(pod);
  const exceeds = (pod: EvictionCandidate): number => (signal !== 'pids' && excess(pod) > 0 ? 1 : 0);
  return pods
    .filter((pod) => !isCritical(pod) && usageOf(pod) > 0)
    .toSorted(
      (a, b) =>
        exceeds(b) - exceeds(a) ||
        a.priority - b.priority ||
        excess(b) - excess(a) ||
        (a.uid < b.uid ? -1 : Number(a.uid > b.uid)),
    );
}

/** True for pods that the node cannot do without. */
export function isCritical(pod: Pick<EvictionCandidate, 'priority' | 'priorityClass'>): boolean {
  return pod.priority >= CRITICAL_PRIORITY || CRITICAL_CLASSES.includes(pod.priorityClass ?? '');
}

/** The kubelet's message of an eviction, for status, condition and event. */
export function evictionMessage(
  signal: EvictionSignal,
  pod: EvictionCandidate,
  input: PressureInput,
  limits: PressureLimits,
): string {
  const resource = RESOURCES[signal];
  const show = (amount: number): string => (signal === 'pids' ? String(Math.round(amount)) : kibText(amount));
  const { threshold, available } = figures(signal, input, limits);
  const larger = pod.containers
    .filter((c) => signal !== 'pids' && c.usage > c.request)
    .map(
      (c) =>
        `Container ${c.name} was using ${show(c.usage)}, request is ${c.request === 0 ? '0' : show(c.request)}, has larger consumption of ${resource}. `,
    );
  return (
    `The node was low on resource: ${resource}. ` +
    `Threshold quantity: ${show(threshold)}, available: ${show(available)}. ${larger.join('')}`
  );
}

function figures(
  signal: EvictionSignal,
  input: PressureInput,
  limits: PressureLimits,
): { threshold: number; available: number } {
  switch (signal) {
    case 'memory':
      return {
        threshold: limits.memoryPressureAvailableRatio * input.memoryTotalBytes,
        available: input.memoryAvailableRatio * input.memoryTotalBytes,
      };
    case 'disk':
      return {
        threshold: (1 - limits.diskPressureUsedRatio) * input.diskTotalBytes,
        available: (1 - input.diskUsedRatio) * input.diskTotalBytes,
      };
    case 'pids':
      return {
        threshold: (1 - limits.pidPressureUsedRatio) * input.pidLimit,
        available: (1 - input.pidUsedRatio) * input.pidLimit,
      };
    default:
      return signal satisfies never;
  }
}

const kibText = (bytes: number): string => formatBytes(Math.round(bytes / 1024) * 1024);

function usageOf(pod: EvictionCandidate): number {
  return pod.containers.reduce((n, c) => n + c.usage, pod.sharedUsage ?? 0);
}

function requestOf(pod: EvictionCandidate): number {
  return pod.containers.reduce((n, c) => n + c.request, 0);
}
