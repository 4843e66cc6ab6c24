import { ageSince } from '../human-duration.ts';
import type { Loose } from '../kinds/loose.ts';
import type { Condition } from '../kinds/meta.ts';
import type { ContainerStatus, Pod } from '../kinds/pod.ts';

/** What `kubectl get pods` shows of a pod: STATUS, READY and RESTARTS hang together and are computed in one pass. */
export interface PodCells {
  readonly status: string;
  readonly ready: string;
  readonly restarts: string;
}

interface Restarts {
  count: number;
  lastAtMs: number;
}

const conditionTrue = (conditions: Loose<Condition>[] | undefined, type: string): boolean =>
  (conditions ?? []).some((c) => c.type === type && c.status === 'True');

/** Computes STATUS, READY and RESTARTS as Kubernetes' own printer does; see the rules in docs of `kubectl get`. */
export function podCells(pod: Loose<Pod>, nowMs: number): PodCells {
  const sidecars = new Set(
    (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name),
  );
  const init = initProgress(pod, sidecars);
  let { restarts, ready } = init;
  let status = init.status ?? phaseText(pod);
  if (init.status === undefined || conditionTrue(pod.status?.conditions, 'Initialized')) {
    const main = mainProgress(pod, status);
    restarts = { ...init.sidecarRestarts };
    for (const container of pod.status?.containerStatuses ?? []) addRestarts(restarts, container);
    status = main.status;
    ready += main.ready;
  }
  const total = (pod.spec?.containers ?? []).length + sidecars.size;
  return {
    status: deletionText(pod) ?? status,
    ready: `${ready}/${total}`,
    restarts: restartsText(restarts, nowMs),
  };
}

function phaseText(pod: Loose<Pod>): string {
  const gated = (pod.status?.conditions ?? []).some(
    (c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated',
  );
  return gated ? 'SchedulingGated' : pod.status?.reason || pod.status?.phase || '';
}

/** A deletion outranks what the containers say, unless the pod is finished. */
function deletionText(pod: Loose<Pod>): string | undefined {
  if (pod.metadata?.deletionTimestamp === undefined) return undefined;
  if (pod.status?.reason === 'NodeLost') return 'Unknown';
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed' ? undefined : 'Terminating';
}

function addRestarts(sum: Restarts, container: Loose<ContainerStatus>): void {
  sum.count += container.restartCount ?? 0;
  const atMs = Date.parse(container.lastState?.terminated?.finishedAt ?? '');
  if (atMs > sum.lastAtMs) sum.lastAtMs = atMs;
}

function restartsText(restarts: Restarts, nowMs: number): string {
  if (restarts.count === 0 || restarts.lastAtMs < 0) return String(restarts.count);
  return `${restarts.count} (${ageSince(new Date(restarts.lastAtMs).toISOString(), nowMs)} ago)`;
}

/** Walks the init containers up to the first that holds the pod back; `status` is undefined when none does. */
function initProgress(
  pod: Loose<Pod>,
  sidecars: ReadonlySet<string | undefined>,
): { status: string | undefined; restarts: Restarts; sidecarRestarts: Restarts; ready: number } {
  const restarts: Restarts = { count: 0, lastAtMs: -1 };
  const sidecarRestarts: Restarts = { count: 0, lastAtMs: -1 };
  let ready = 0;
  for (const [i, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    addRestarts(restarts, container);
    const isSidecar = sidecars.has(container.name);
    if (isSidecar) addRestarts(sidecarRestarts, container);
    if (container.state?.terminated?.exitCode === 0) continue;
    if (isSidecar && container.started === true) {
      if (container.ready === true) ready++;
      continue;
    }
    const status = initText(container, i, (pod.spec?.initContainers ?? []).length);
    return { status, restarts, sidecarRestarts, ready };
  }
  return { status: undefined, restarts, sidecarRestarts, ready };
}

function initText(container: Loose<ContainerStatus>, index: number, count: number): string {
  const terminated = container.state?.terminated;
  if (terminated !== undefined) return `Init:${terminatedText(terminated)}`;
  const waiting = container.state?.waiting?.reason;
  return waiting && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${count}`;
}

function terminatedText(terminated: {
  reason?: string | undefined;
  signal?: number | undefined;
  exitCode?: number | undefined;
}): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode ?? 0}`;
}

/** The first container with something to say wins; a finished one beside a running one does not end the pod. */
function mainProgress(pod: Loose<Pod>, before: string): { status: string; ready: number } {
  let status = before;
  let ready = 0;
  for (const container of (pod.status?.containerStatuses ?? []).toReversed()) {
    const { waiting, terminated, running } = container.state ?? {};
    if (waiting?.reason) status = waiting.reason;
    else if (terminated !== undefined) status = terminatedText(terminated);
    else if (container.ready === true && running !== undefined) ready++;
  }
  if (status === 'Completed' && ready > 0)
    status = conditionTrue(pod.status?.conditions, 'Ready') ? 'Running' : 'NotReady';
  return { status, ready };
}
