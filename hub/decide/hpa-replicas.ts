import type { Pod } from '../../protocol/kinds/pod.ts';
import type { MetricOutcome, PodUse } from './hpa-types.ts';

/** What one metric is aimed at: a share of the request in percent, or an average amount per pod. */
export type MetricAim =
  | { readonly by: 'utilization'; readonly percent: number }
  | { readonly by: 'average'; readonly amount: number };

/** One metric with what is known of it; amounts are thousandths of a core or bytes, requests in the same. */
export interface MetricQuestion {
  /** Only for CPU are pods left out that are still starting: their use is not that of serving. */
  readonly isCpu: boolean;
  readonly aim: MetricAim;
  readonly current: number;
  /** Pods that the target's selector matches, those ending included. */
  readonly pods: readonly Pod[];
  readonly useOf: (pod: Pod) => PodUse | undefined;
  /** Undefined where a container has none: then no share can be told. */
  readonly requestOf: (pod: Pod) => number | { readonly missing: string };
  /** Relative distance from the aim that is let be, 0..1. */
  readonly tolerance: { readonly up: number; readonly down: number };
  readonly nowMs: number;
}

const CPU_INITIALIZATION_MS = 300_000;
const INITIAL_READINESS_DELAY_MS = 30_000;
/** Clocks of devices may be ahead by this; what is further ahead is a broken clock, and counts as long ago. */
const CLOCK_SKEW_MS = 60_000;

interface Groups {
  readonly ready: readonly string[];
  readonly unready: readonly string[];
  readonly missing: readonly string[];
}

/**
 * How many replicas a metric asks for, by Kubernetes' documented algorithm
 * (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details): the ratio of what is to what should
 * be, with pods that say nothing taken as full when that would scale down and as idle when it would scale up, pods that are not
 * ready as idle, and never a change of direction by such guesses. Pure; never throws.
 */
export function proposeReplicas(question: MetricQuestion): MetricOutcome {
  const { pods, aim, current, tolerance } = question;
  if (pods.length === 0) return failed('no pods returned by selector while calculating replica count');
  const known = new Map(pods.map((pod) => [pod.metadata.name, question.useOf(pod)]));
  if ([...known.values()].every((use) => use === undefined))
    return failed(undefined, 'no metrics returned from resource metrics API');
  const requests = aim.by === 'utilization' ? requestsOf(question) : new Map<string, number>();
  if (typeof requests === 'string') return failed(requests);
  const groups = groupPods(question);
  const values = new Map(groups.ready.map((name) => [name, known.get(name)?.amount ?? 0]));
  if (values.size === 0) return failed('did not receive metrics for any ready pods');
  const seen = ratioOf(values, requests, aim);
  if (seen === undefined) return failed('no metrics returned matched known pods');
  const shown = { percent: seen.percent, average: seen.average };
  const stay: MetricOutcome = { ok: true, replicas: current, ...shown };

  const isRebalanced = groups.unready.length > 0 && seen.ratio > 1;
  if (!isRebalanced && groups.missing.length === 0) {
    if (isClose(seen.ratio, tolerance)) return stay;
    return { ok: true, replicas: ceil(seen.ratio * groups.ready.length), ...shown };
  }
  const guessed = withGuesses(values, groups, requests, question, seen.ratio, isRebalanced);
  const ratio = ratioOf(guessed, requests, aim)?.ratio ?? seen.ratio;
  const isTurned = (seen.ratio < 1 && ratio > 1) || (seen.ratio > 1 && ratio < 1);
  if (isClose(ratio, tolerance) || isTurned) return stay;
  const replicas = ceil(ratio * guessed.size);
  const isAgainst = (ratio < 1 && replicas > current) || (ratio > 1 && replicas < current);
  return isAgainst ? stay : { ok: true, replicas, ...shown };
}

const failed = (why: string | undefined, noMetrics?: string): MetricOutcome => ({
  ok: false,
  why: why ?? '',
  ...(noMetrics === undefined ? {} : { noMetrics }),
});

/** Products of shares and counts come out a hair above a whole number; that hair is no replica. */
const ceil = (n: number): number => Math.ceil(n - 1e-9);

const isClose = (ratio: number, { up, down }: MetricQuestion['tolerance']): boolean =>
  ratio >= 1 - down - 1e-9 && ratio <= 1 + up + 1e-9;

function requestsOf({ pods, requestOf }: MetricQuestion): Map<string, number> | string {
  const requests = new Map<string, number>();
  for (const pod of pods) {
    const request = requestOf(pod);
    if (typeof request !== 'number') return request.missing;
    requests.set(pod.metadata.name, request);
  }
  return requests;
}

function groupPods(question: MetricQuestion): Groups {
  const groups = { ready: [] as string[], unready: [] as string[], missing: [] as string[] };
  for (const pod of question.pods) {
    const phase = pod.status?.phase ?? 'Pending';
    const { name, deletionTimestamp } = pod.metadata;
    if (deletionTimestamp !== undefined || phase === 'Failed') continue;
    const use = question.useOf(pod);
    if (phase === 'Pending') groups.unready.push(name);
    else if (use === undefined) groups.missing.push(name);
    else if (question.isCpu && isStarting(pod, use, question.nowMs)) groups.unready.push(name);
    else groups.ready.push(name);
  }
  return groups;
}

/** True while a pod's CPU says nothing of its serving: not ready yet, or ready for less than one window of the figures. */
function isStarting({ status }: Pod, use: PodUse, nowMs: number): boolean {
  const ready = status?.conditions?.find((c) => c.type === 'Ready');
  if (ready === undefined || status?.startTime === undefined) return true;
  const startedMs = hubTime(status.startTime, nowMs);
  const turnedMs = hubTime(ready.lastTransitionTime, nowMs);
  if (startedMs + CPU_INITIALIZATION_MS > nowMs)
    return ready.status === 'False' || use.atMs < turnedMs + use.windowMs;
  return ready.status === 'False' && startedMs + INITIAL_READINESS_DELAY_MS > turnedMs;
}

function hubTime(time: string | undefined, nowMs: number): number {
  const atMs = Date.parse(time ?? '');
  if (Number.isNaN(atMs) || atMs > nowMs + CLOCK_SKEW_MS) return 0;
  return Math.min(atMs, nowMs);
}

interface Seen {
  readonly ratio: number;
  /** Whole percent of the requests; only for shares. */
  readonly percent: number | undefined;
  readonly average: number;
}

function ratioOf(
  values: ReadonlyMap<string, number>,
  requests: ReadonlyMap<string, number>,
  aim: MetricAim,
): Seen | undefined {
  const used = [...values.values()].reduce((sum, n) => sum + n, 0);
  const average = Math.floor(used / values.size);
  if (aim.by === 'average') return { ratio: average / aim.amount, percent: undefined, average };
  const requested = [...values.keys()].reduce((sum, name) => sum + (requests.get(name) ?? 0), 0);
  if (requested <= 0) return undefined;
  const percent = Math.floor((used * 100) / requested);
  return { ratio: percent / aim.percent, percent, average };
}

function withGuesses(
  values: ReadonlyMap<string, number>,
  groups: Groups,
  requests: ReadonlyMap<string, number>,
  { aim }: MetricQuestion,
  ratio: number,
  isRebalanced: boolean,
): Map<string, number> {
  const guessed = new Map(values);
  for (const name of groups.missing) {
    if (ratio > 1 || (ratio === 1 && aim.by === 'average')) guessed.set(name, 0);
    else if (ratio < 1) {
      const full =
        aim.by === 'average' ? aim.amount : ((requests.get(name) ?? 0) * Math.max(100, aim.percent)) / 100;
      guessed.set(name, full);
    }
  }
  if (isRebalanced) for (const name of groups.unready) guessed.set(name, 0);
  return guessed;
}
