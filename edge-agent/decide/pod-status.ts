import type { Condition } from '../../protocol/kinds/meta.ts';
import type { ContainerStatus, PodPhase, PodStatus } from '../../protocol/kinds/pod.ts';
import type { ContainerView } from './container.ts';
import { containerStatus } from './container-status.ts';
import { podOutcome } from './container-step.ts';
import { type PlannedContainer, plannedContainers, qosClass } from './pod-shape.ts';
import type { PodView } from './pod-view.ts';
import { timeText } from './time.ts';

/** What a status needs beside the pod's own state. `wallMs` is epoch ms and only displayed. */
export interface StatusContext {
  readonly hostIp: string;
  readonly wallMs: number;
  /** Status reported last: conditions that still hold keep their transition times. */
  readonly previous?: PodStatus;
}

/**
 * The pod's whole status as the kubelet would report it. Of a pod that has ended: the status it ended with.
 * Equal inputs give equal statuses, so that a comparison tells whether there is news.
 */
export function podStatus(view: PodView, context: StatusContext): PodStatus {
  return view.memory.ended ?? liveStatus(view, context);
}

/** The final status of a pod whose containers have all ended, or were never made. */
export function finalStatus(
  view: PodView,
  context: StatusContext,
  end: { readonly phase: PodPhase | undefined; readonly reason?: string; readonly message?: string },
): PodStatus {
  const live = liveStatus(view, context);
  const statuses = live.containerStatuses ?? [];
  const clean = statuses.length > 0 && statuses.every((s) => s.state?.terminated?.exitCode === 0);
  const phase = end.phase ?? (clean ? 'Succeeded' : 'Failed');
  return {
    ...live,
    phase,
    conditions: conditions(view, context, phase, live),
    ...(end.reason === undefined ? {} : { reason: end.reason }),
    ...(end.message === undefined ? {} : { message: end.message }),
  };
}

function liveStatus(view: PodView, context: StatusContext): PodStatus {
  const planned = plannedContainers(view.pod.spec);
  const statuses = (role: PlannedContainer['role']): ContainerStatus[] =>
    planned.filter((p) => p.role === role).map((p) => containerStatus(view, p));
  const inits = statuses('init');
  const ephemerals = statuses('ephemeral');
  const podIp = view.pod.spec.hostNetwork === true ? context.hostIp : view.memory.ip;
  const status: PodStatus = {
    phase: phaseOf(view, planned),
    hostIP: context.hostIp,
    hostIPs: [{ ip: context.hostIp }],
    ...(podIp ? { podIP: podIp, podIPs: [{ ip: podIp }] } : {}),
    startTime: timeText(view.memory.startAtMs),
    qosClass: qosClass(view.pod.spec),
    ...(inits.length > 0 ? { initContainerStatuses: inits } : {}),
    containerStatuses: statuses('app'),
    ...(ephemerals.length > 0 ? { ephemeralContainerStatuses: ephemerals } : {}),
  };
  return { ...status, conditions: conditions(view, context, status.phase ?? 'Pending', status) };
}

/** Kubernetes' phase: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase */
function phaseOf(view: PodView, planned: readonly PlannedContainer[]): PodPhase {
  const outcome = podOutcome(view, planned);
  if (outcome !== undefined) return outcome;
  if (!initsDone(view, planned)) return 'Pending';
  const apps = planned.filter((p) => p.role === 'app').map((p) => containerStatus(view, p));
  const waiting = apps.some((s) => s.state?.waiting !== undefined && s.lastState?.terminated === undefined);
  return waiting ? 'Pending' : 'Running';
}

function initsDone(view: PodView, planned: readonly PlannedContainer[]): boolean {
  return incompleteInits(view, planned).length === 0;
}

/** Init containers that have not done their part; none once an app container was made. */
function incompleteInits(view: PodView, planned: readonly PlannedContainer[]): string[] {
  const appsExist = view.containers.some((c) => c.role === 'app');
  if (appsExist) return [];
  return planned
    .filter((p) => p.role === 'init')
    .filter((p) => {
      const status = containerStatus(view, p);
      return p.sidecar ? status.started !== true : status.state?.terminated?.exitCode !== 0;
    })
    .map((p) => p.spec.name);
}

type Claim = { readonly holds: boolean; readonly reason?: string; readonly message?: string };

function conditions(view: PodView, context: StatusContext, phase: PodPhase, status: PodStatus): Condition[] {
  const planned = plannedContainers(view.pod.spec);
  const incomplete = incompleteInits(view, planned);
  const started = view.containers.some((c) => c.state === 'running');
  const ready = readyClaim(planned, phase, status);
  const claims: Readonly<Record<string, Claim>> = {
    PodReadyToStartContainers: { holds: started },
    Initialized:
      incomplete.length === 0
        ? { holds: true, ...(phase === 'Succeeded' ? { reason: 'PodCompleted' } : {}) }
        : {
            holds: false,
            reason: 'ContainersNotInitialized',
            message: `containers with incomplete status: [${incomplete.join(' ')}]`,
          },
    Ready: ready,
    ContainersReady: ready,
    PodScheduled: { holds: true },
  };
  const { eviction } = view.memory;
  const all: Readonly<Record<string, Claim>> =
    eviction === undefined || eviction.isOverLimit === true
      ? claims
      : {
          DisruptionTarget: { holds: true, reason: 'TerminationByKubelet', message: eviction.message },
          ...claims,
        };
  return Object.entries(all).map(([type, claim]) => toCondition(view, context, type, claim));
}

function readyClaim(planned: readonly PlannedContainer[], phase: PodPhase, status: PodStatus): Claim {
  if (phase === 'Succeeded') return { holds: false, reason: 'PodCompleted' };
  if (phase === 'Failed') return { holds: false, reason: 'PodFailed' };
  const sidecars = new Set(planned.filter((p) => p.sidecar).map((p) => p.spec.name));
  const all = [
    ...(status.initContainerStatuses ?? []).filter((s) => sidecars.has(s.name)),
    ...(status.containerStatuses ?? []),
  ];
  const unready = all.filter((s) => !s.ready).map((s) => s.name);
  if (unready.length === 0) return { holds: true };
  return {
    holds: false,
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${unready.join(' ')}]`,
  };
}

function toCondition(view: PodView, context: StatusContext, type: string, claim: Claim): Condition {
  const status = claim.holds ? 'True' : 'False';
  const before = context.previous?.conditions?.find((c) => c.type === type && c.status === status);
  return {
    type,
    status,
    lastTransitionTime: before?.lastTransitionTime ?? firstTransition(view, context, type, claim.holds),
    ...(claim.reason === undefined ? {} : { reason: claim.reason }),
    ...(claim.message === undefined ? {} : { message: claim.message }),
  };
}

/** Without a report to go by (agent restarted), times come from the containers, so that nothing seems to have changed. */
function firstTransition(view: PodView, context: StatusContext, type: string, holds: boolean): string {
  const changed = context.previous?.conditions?.some((c) => c.type === type) === true;
  if (changed) return timeText(context.wallMs);
  const startedAtMs = Math.max(0, ...view.containers.map(lastStart));
  if (type === 'DisruptionTarget') return timeText(context.wallMs);
  if (type === 'PodScheduled' || !holds || startedAtMs === 0) return timeText(view.memory.startAtMs);
  return timeText(startedAtMs);
}

const lastStart = (c: ContainerView): number => (c.state === 'running' ? (c.startedAtMs ?? 0) : 0);
