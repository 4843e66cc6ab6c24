import type { PodPhase } from '../../protocol/kinds/pod.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type { ContainerRole, ContainerView } from './container.ts';
import type { GivenDevices } from './devices.ts';
import type { PodMemory, RunMemory, StopReason, TerminationReason } from './pod-memory.ts';
import { needsSandbox, type PlannedContainer, plannedContainers } from './pod-shape.ts';

/** Everything the next action of a pod depends on, at one instant. */
export interface PodView {
  readonly pod: DesiredPod;
  /** True when the accepted desired state no longer names the pod. */
  readonly removed: boolean;
  readonly containers: readonly ContainerView[];
  readonly memory: PodMemory;
  /** Names the content the pod's volumes should have. */
  readonly volumeRevision: string;
  /** Changes when the node boots; tells a container of before the power cut. */
  readonly bootId: string;
  /** The disk is nearly full: dead containers that only show their logs go. */
  readonly isLean?: boolean;
  /** Devices that are plugged in now; absent: none is configured. */
  readonly devices?: GivenDevices;
  /** Monotonic ms. */
  readonly nowMs: number;
}

/** The ONE next thing to do for a pod; `wait` and `idle` end a round. Times are monotonic ms. */
export type PodAction =
  | { readonly do: 'begin-termination'; readonly why: TerminationReason }
  | {
      readonly do: 'stop';
      readonly ids: readonly string[];
      readonly why: StopReason;
      readonly graceMs: number;
    }
  | { readonly do: 'signal'; readonly ids: readonly string[] }
  | { readonly do: 'kill'; readonly ids: readonly string[] }
  | { readonly do: 'remove'; readonly ids: readonly string[] }
  | {
      readonly do: 'end';
      readonly phase: PodPhase | undefined;
      readonly reason?: string;
      readonly message?: string;
    }
  | { readonly do: 'release' }
  | { readonly do: 'discard' }
  | { readonly do: 'gone' }
  | { readonly do: 'mount' }
  | { readonly do: 'address' }
  | { readonly do: 'fetch'; readonly name: string; readonly restart: boolean }
  | {
      readonly do: 'create';
      readonly name: string;
      readonly role: ContainerRole;
      readonly attempt: number;
      readonly generation: string;
    }
  | { readonly do: 'start'; readonly id: string }
  | { readonly do: 'post-start'; readonly id: string }
  | { readonly do: 'wait'; readonly untilMs: number }
  | { readonly do: 'idle' };

/** One container's or step's answer: act now, nothing to do, or not yet (until a time, or until something happens). */
export type Step =
  | { readonly step: 'act'; readonly action: PodAction }
  | { readonly step: 'ok' }
  | { readonly step: 'blocked'; readonly untilMs?: number };

export const OK: Step = { step: 'ok' };
export const BLOCKED: Step = { step: 'blocked' };
export const act = (action: PodAction): Step => ({ step: 'act', action });
export const blockedUntil = (untilMs: number): Step => ({ step: 'blocked', untilMs });

/** The newest sandbox container of the pod. */
export function sandboxOf(containers: readonly ContainerView[]): ContainerView | undefined {
  return containers
    .filter((c) => c.role === 'sandbox')
    .reduce<ContainerView | undefined>((best, c) => (best && best.attempt > c.attempt ? best : c), undefined);
}

/**
 * Names the pod's present namespaces: the running sandbox, or the boot for pods without one. Undefined while a
 * sandbox is missing. Init containers count as done only for the generation they ran in.
 */
export function generationOf(view: PodView): string | undefined {
  if (!needsSandbox(view.pod.spec)) return view.bootId;
  const sandbox = sandboxOf(view.containers);
  return sandbox?.state === 'running' ? sandbox.id : undefined;
}

/** True once an app container was made in the present generation: from then on init containers are history. */
export function isInitialized(view: PodView): boolean {
  const generation = generationOf(view);
  const sandboxed = needsSandbox(view.pod.spec);
  return view.containers.some(
    (c) => c.role === 'app' && (c.generation === generation || (!sandboxed && c.state === 'running')),
  );
}

/** What is known of a container's run; the defaults of a container without probes when nothing is. */
export function runOf(view: PodView, container: ContainerView): RunMemory {
  return view.memory.runs[container.id] ?? freshRun(plannedOf(view.pod, container.name));
}

/** A container that has just started: probes that exist must first succeed. */
export function freshRun(planned: PlannedContainer | undefined): RunMemory {
  return {
    started: planned?.spec.startupProbe === undefined,
    ready: planned?.spec.readinessProbe === undefined,
    healthy: true,
  };
}

/** The spec's container of this name. */
export function plannedOf(pod: DesiredPod, name: string): PlannedContainer | undefined {
  return plannedContainers(pod.spec).find((p) => p.spec.name === name);
}
