import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Node, Taint, TaintEffect } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import {
  TAINT_DISK_PRESSURE,
  TAINT_MEMORY_PRESSURE,
  TAINT_NOT_READY,
  TAINT_PID_PRESSURE,
  TAINT_TEMPERATURE_PRESSURE,
  TAINT_UNREACHABLE,
  TAINT_UNSCHEDULABLE,
  toleratedForMs,
} from '../../protocol/taints.ts';
import { sameJson } from './content-hash.ts';
import type { Moment } from './moment.ts';
import { isTerminal } from './pod-facts.ts';

/** Set on a node whose device will not follow this hub: nothing bound to it would ever start. */
export const TAINT_REFUSED = 'coxswain.dev/desired-state-refused';
/** Condition of such a node; written by the fleet. */
export const CONDITION_REFUSED = 'DesiredStateRefused';
/** Condition a device reports: False while its container engine does not answer. */
export const CONDITION_ENGINE = 'EngineReady';

/** What the node lifecycle controller should write; `changed` is false when the node says so already. */
export interface NodeAssessment {
  readonly ready: Condition;
  readonly taints: readonly Taint[];
  readonly changed: boolean;
}

const EXECUTE: readonly TaintEffect[] = ['NoSchedule', 'NoExecute'];
const SCHEDULE: readonly TaintEffect[] = ['NoSchedule'];

const PRESSURES: readonly [condition: string, taint: string][] = [
  ['MemoryPressure', TAINT_MEMORY_PRESSURE],
  ['DiskPressure', TAINT_DISK_PRESSURE],
  ['PIDPressure', TAINT_PID_PRESSURE],
  ['TemperaturePressure', TAINT_TEMPERATURE_PRESSURE],
];

const MANAGED = new Set([
  TAINT_NOT_READY,
  TAINT_UNREACHABLE,
  TAINT_UNSCHEDULABLE,
  TAINT_REFUSED,
  ...PRESSURES.map(([, taint]) => taint),
]);

/**
 * Judges a node by whether its device is heard and by what the device says of itself: the condition Ready and the taints that
 * follow. Taints of other people stay; a taint that stays keeps its timeAdded. Pure; never throws.
 */
export function assessNode(node: Node, heard: boolean, now: Moment): NodeAssessment {
  const ready = readyCondition(node, heard, now);
  const present = node.spec.taints ?? [];
  const wanted = wantedTaints(node, ready);
  const taints = [
    ...present.filter((t) => !MANAGED.has(t.key)),
    ...wanted.map((t) => present.find((p) => p.key === t.key && p.effect === t.effect) ?? stamp(t, now)),
  ];
  const before = node.status?.conditions?.find((c) => c.type === 'Ready');
  const changed = !sameJson(before ?? null, ready) || !sameJson(present, taints);
  return { ready, taints, changed };
}

function readyCondition(node: Node, heard: boolean, now: Moment): Condition {
  const engine = conditionOf(node, CONDITION_ENGINE);
  const verdict = !heard
    ? ({ status: 'Unknown', reason: 'NodeStatusUnknown', message: 'The device has gone silent.' } as const)
    : engine?.status === 'False'
      ? ({
          status: 'False',
          reason: engine.reason ?? 'EngineNotReady',
          message: engine.message ?? 'The container engine does not answer.',
        } as const)
      : ({
          status: 'True',
          reason: 'AgentReady',
          message: 'The device is heard and its engine works.',
        } as const);
  const before = conditionOf(node, 'Ready');
  const same = before?.status === verdict.status;
  if (same && before.reason === verdict.reason && before.message === verdict.message) return before;
  return {
    type: 'Ready',
    ...verdict,
    lastTransitionTime: (same ? before.lastTransitionTime : undefined) ?? now.time,
    lastHeartbeatTime: now.time,
  };
}

function wantedTaints(node: Node, ready: Condition): Taint[] {
  const wanted: [string, readonly TaintEffect[]][] = [];
  if (ready.status === 'Unknown') wanted.push([TAINT_UNREACHABLE, EXECUTE]);
  if (ready.status === 'False') wanted.push([TAINT_NOT_READY, EXECUTE]);
  for (const [type, taint] of PRESSURES) {
    if (conditionOf(node, type)?.status === 'True') wanted.push([taint, SCHEDULE]);
  }
  if (node.spec.unschedulable === true) wanted.push([TAINT_UNSCHEDULABLE, SCHEDULE]);
  if (conditionOf(node, CONDITION_REFUSED)?.status === 'True') wanted.push([TAINT_REFUSED, SCHEDULE]);
  return wanted.flatMap(([key, effects]) => effects.map((effect) => ({ key, effect })));
}

function stamp(taint: Taint, now: Moment): Taint {
  return { ...taint, timeAdded: now.time };
}

function conditionOf(node: Node, type: string): Condition | undefined {
  return node.status?.conditions?.find((c) => c.type === type);
}

/** Pods that must leave a node now, and in how many ms the next one may have to. */
export interface EvictionPlan {
  readonly evict: readonly Pod[];
  readonly lookAgainMs: number | undefined;
}

/**
 * Chooses the pods that leave a node because of its NoExecute taints: each when the shortest of its tolerations has run out,
 * counted from the taint's timeAdded on the hub's own clock. Ended pods and those being deleted stay as they are.
 */
export function planEvictions(node: Node, pods: readonly Pod[], nowMs: number): EvictionPlan {
  const taints = (node.spec.taints ?? []).filter((t) => t.effect === 'NoExecute');
  const evict: Pod[] = [];
  let lookAgainMs: number | undefined;
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp !== undefined || isTerminal(pod)) continue;
    const leaveAtMs = Math.min(
      ...taints
        .filter((t) => !isPinnedSince(pod, t))
        .map((t) => addedAtMs(t, nowMs) + toleratedForMs(t, pod.spec.tolerations)),
    );
    if (leaveAtMs <= nowMs) evict.push(pod);
    else if (Number.isFinite(leaveAtMs)) {
      lookAgainMs = Math.min(lookAgainMs ?? Number.POSITIVE_INFINITY, leaveAtMs - nowMs);
    }
  }
  return { evict, lookAgainMs };
}

/**
 * True for a pod that was written for this very node, by name and past the scheduler, after the taint was there: its owner
 * would only make the next one, again and again. It waits for the node.
 */
function isPinnedSince(pod: Pod, taint: Taint): boolean {
  const placed = pod.status?.conditions?.some((c) => c.type === 'PodScheduled' && c.status === 'True');
  if (placed === true) return false;
  return Date.parse(pod.metadata.creationTimestamp) >= Date.parse(taint.timeAdded ?? '');
}

/** A taint without a readable time, or with one of the future, counts from now. */
function addedAtMs(taint: Taint, nowMs: number): number {
  const at = Date.parse(taint.timeAdded ?? '');
  return Number.isNaN(at) ? nowMs : Math.min(at, nowMs);
}
