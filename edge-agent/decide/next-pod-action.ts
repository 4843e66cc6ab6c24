import type { ContainerView } from './container.ts';
import { newest } from './container.ts';
import { appStep, ephemeralStep, initStep, nextAttempt, podOutcome, sidecarStep } from './container-step.ts';
import { containerMemory, SANDBOX, type TerminationReason } from './pod-memory.ts';
import { needsSandbox, type PlannedContainer, plannedContainers } from './pod-shape.ts';
import {
  act,
  BLOCKED,
  blockedUntil,
  generationOf,
  isInitialized,
  OK,
  type PodAction,
  type PodView,
  type Step,
  sandboxOf,
} from './pod-view.ts';
import { restartAtMs } from './restart.ts';
import { LEAST_GRACE_MS, podGraceMs, stopStep } from './stop-step.ts';

/**
 * Chooses the ONE next action that brings a pod nearer to its desired state; `idle` means nothing is left to do, `wait`
 * that nothing is before a moment. Phases go one way: syncing, terminating, gone. Pure; never throws.
 */
export function nextPodAction(view: PodView): PodAction {
  const { memory } = view;
  if (memory.gone) return { do: 'idle' };
  const why = terminationReason(view);
  if (why !== undefined && (memory.terminating === undefined || isStronger(why, memory.terminating.why)))
    return { do: 'begin-termination', why };
  if (memory.terminating !== undefined) return settle(view, terminationStep(view));
  if (memory.ended !== undefined) return settle(view, endedStep(view));
  const planned = plannedContainers(view.pod.spec);
  const outcome = podOutcome(view, planned);
  if (outcome !== undefined) return settle(view, finishStep(view, outcome));
  return settle(view, runStep(view, planned));
}

function terminationReason(view: PodView): TerminationReason | undefined {
  if (view.removed) return 'Removed';
  if (view.pod.metadata.deletionTimestamp !== undefined) return 'Deleted';
  if (view.memory.eviction !== undefined && view.memory.ended === undefined) return 'Evicted';
  const deadlineMs = deadlineOf(view);
  const late = deadlineMs !== undefined && view.nowMs >= deadlineMs && view.memory.ended === undefined;
  return late ? 'DeadlineExceeded' : undefined;
}

/** A pod past its deadline or evicted keeps its remains; a deleted or removed one does not. */
export function keepsRemains(why: TerminationReason): boolean {
  return why === 'DeadlineExceeded' || why === 'Evicted';
}

function isStronger(why: TerminationReason, than: TerminationReason): boolean {
  if (why === than || keepsRemains(why)) return false;
  return keepsRemains(than) || why === 'Removed';
}

function deadlineOf(view: PodView): number | undefined {
  const seconds = view.pod.spec.activeDeadlineSeconds;
  return seconds === undefined ? undefined : view.memory.startMs + seconds * 1000;
}

/** Turns the last step of a round into an action, minding the pod's deadline. */
function settle(view: PodView, step: Step): PodAction {
  if (step.step === 'act') return step.action;
  const untilMs = step.step === 'blocked' ? step.untilMs : undefined;
  const running = view.memory.terminating === undefined && view.memory.ended === undefined;
  const deadlineMs = running ? deadlineOf(view) : undefined;
  const times = [untilMs, deadlineMs].filter((t) => t !== undefined);
  return times.length === 0 ? { do: 'idle' } : { do: 'wait', untilMs: Math.min(...times) };
}

/** First step that is not `ok`; a blocked step does not hide a later one that can act. */
function combine(steps: Iterable<Step>): Step {
  let untilMs: number | undefined;
  let blocked = false;
  for (const step of steps) {
    if (step.step === 'act') return step;
    if (step.step !== 'blocked') continue;
    blocked = true;
    if (step.untilMs !== undefined) untilMs = Math.min(untilMs ?? step.untilMs, step.untilMs);
  }
  if (!blocked) return OK;
  return untilMs === undefined ? BLOCKED : blockedUntil(untilMs);
}

function chain(steps: Iterable<() => Step>): Step {
  for (const next of steps) {
    const step = next();
    if (step.step !== 'ok') return step;
  }
  return OK;
}

/** Stops apps at once, then sidecars in reverse order, then the sandbox. */
function stopAll(view: PodView, why: TerminationReason | 'PodEnded', graceMs: number): Step {
  const sidecars = plannedContainers(view.pod.spec).filter((p) => p.sidecar);
  const isSidecar = (c: ContainerView): boolean => sidecars.some((s) => s.spec.name === c.name);
  const mains = view.containers.filter((c) => c.role !== 'sandbox' && !isSidecar(c));
  return chain([
    () => stopStep(view, mains, why, graceMs),
    ...sidecars.toReversed().map((sidecar) => () => {
      const own = view.containers.filter((c) => c.role !== 'sandbox' && c.name === sidecar.spec.name);
      return stopStep(view, own, why, graceMs);
    }),
    () => killSandboxes(view),
  ]);
}

/** The sandbox holds nothing worth a grace period. */
function killSandboxes(view: PodView): Step {
  return stopStep(
    view,
    view.containers.filter((c) => c.role === 'sandbox'),
    'PodEnded',
    0,
  );
}

function terminationStep(view: PodView): Step {
  const { terminating, ended, released } = view.memory;
  if (terminating === undefined) return OK;
  const { why, sinceMs } = terminating;
  const longestMs = why === 'Evicted' ? view.memory.eviction?.graceMs : undefined;
  const wholeMs = Math.min(podGraceMs(view.pod), longestMs ?? Number.POSITIVE_INFINITY);
  const stopped = stopAll(view, why, Math.max(0, sinceMs + wholeMs - view.nowMs));
  if (stopped.step !== 'ok') return stopped;
  if (keepsRemains(why)) {
    // Before the end is written down: a full disk may take it only then.
    if (why === 'Evicted' && view.memory.volumes.discarded !== true) return act({ do: 'discard' });
    if (ended !== undefined) return endedStep(view);
    return act({ do: 'end', phase: 'Failed', reason: why, message: endMessage(view) });
  }
  if (ended === undefined) return act({ do: 'end', phase: undefined });
  if (view.containers.length > 0) return act({ do: 'remove', ids: view.containers.map((c) => c.id) });
  return act(released ? { do: 'gone' } : { do: 'release' });
}

function endMessage(view: PodView): string {
  return view.memory.eviction?.message ?? 'Pod was active on the node longer than the specified deadline';
}

/** All main containers have ended for good: sidecars go, then the final status is written down. */
function finishStep(view: PodView, phase: 'Succeeded' | 'Failed'): Step {
  const stopped = stopAll(view, 'PodEnded', podGraceMs(view.pod));
  return stopped.step === 'ok' ? act({ do: 'end', phase }) : stopped;
}

/** Of a pod that ended only its last containers are kept, for their logs; when room is short its volumes go as well. */
function endedStep(view: PodView): Step {
  const stopped = stopAll(view, 'PodEnded', podGraceMs(view.pod));
  if (stopped.step !== 'ok') return stopped;
  const { ended, volumes } = view.memory;
  const isUseless = ended?.reason === 'Evicted' || view.isLean === true;
  return isUseless && volumes.discarded !== true ? act({ do: 'discard' }) : pruneStep(view);
}

function runStep(view: PodView, planned: readonly PlannedContainer[]): Step {
  return chain([
    () => strandedStep(view, planned),
    () => prepareStep(view),
    () => sandboxStep(view),
    () => combine([containersStep(view, planned), pruneStep(view)]),
  ]);
}

/**
 * Containers that should not run: those whose sandbox died, which share namespaces that nobody owns, and those that are
 * not the newest of a name of the spec. Nobody reaches them any more, so the pod does not wait for their whole grace.
 */
function strandedStep(view: PodView, planned: readonly PlannedContainer[]): Step {
  const names = planned.map((p) => p.spec.name);
  const newestIds = new Set(names.map((name) => newest(view.containers, name)?.id));
  const sandboxed = needsSandbox(view.pod.spec);
  const generation = generationOf(view);
  const stranded = view.containers.filter((c) => {
    if (c.role === 'sandbox') return !sandboxed || c !== sandboxOf(view.containers);
    return !newestIds.has(c.id) || (sandboxed && c.generation !== generation);
  });
  const graceMs = Math.min(podGraceMs(view.pod), LEAST_GRACE_MS);
  return stopStep(view, stranded, 'SandboxChanged', graceMs);
}

/** Volumes and address before anything is made. A refresh that fails later leaves the pod with what it has. */
function prepareStep(view: PodView): Step {
  const { volumes, ip, addressFailure } = view.memory;
  const current = volumes.revision === view.volumeRevision;
  const failed = volumes.failed?.revision === view.volumeRevision ? volumes.failed : undefined;
  if (!current && (failed === undefined || view.nowMs >= failed.retryAtMs)) return act({ do: 'mount' });
  if (volumes.revision === undefined && failed !== undefined) return blockedUntil(failed.retryAtMs);
  if (view.pod.spec.hostNetwork === true || ip !== undefined) return OK;
  if (addressFailure !== undefined && view.nowMs < addressFailure.retryAtMs)
    return blockedUntil(addressFailure.retryAtMs);
  return act({ do: 'address' });
}

function sandboxStep(view: PodView): Step {
  if (!needsSandbox(view.pod.spec)) return OK;
  const sandbox = sandboxOf(view.containers);
  const memory = containerMemory(view.memory, SANDBOX);
  const { failure } = memory;
  if (sandbox?.state === 'running') return OK;
  if (failure !== undefined && view.nowMs < failure.retryAtMs) return blockedUntil(failure.retryAtMs);
  if (sandbox?.state === 'created') return act({ do: 'start', id: sandbox.id });
  if (sandbox !== undefined) {
    const dueMs = restartAtMs(memory.backoff, sandbox.exitedMs ?? view.nowMs);
    if (view.nowMs < dueMs) return blockedUntil(dueMs);
  }
  const attempt = nextAttempt(memory, sandbox);
  return act({ do: 'create', name: SANDBOX, role: 'sandbox', attempt, generation: view.bootId });
}

function containersStep(view: PodView, planned: readonly PlannedContainer[]): Step {
  const initialized = isInitialized(view);
  const waiting: Step[] = [];
  for (const init of planned.filter((p) => p.role === 'init')) {
    const step = init.sidecar ? sidecarStep(view, init) : initStep(view, init);
    if (step.step === 'act') return step;
    if (step.step === 'blocked' && !initialized) return step;
    waiting.push(step);
  }
  for (const app of planned.filter((p) => p.role === 'app')) {
    const step = appStep(view, app);
    if (step.step === 'act') return step;
    waiting.push(step);
    if (isStarting(view, app)) break;
  }
  for (const ephemeral of planned.filter((p) => p.role === 'ephemeral')) {
    const step = ephemeralStep(view, ephemeral);
    if (step.step === 'act') return step;
    waiting.push(step);
  }
  return combine(waiting);
}

/** The next container is made only after the post-start hook of the one before has ended, as in Kubernetes. */
function isStarting(view: PodView, app: PlannedContainer): boolean {
  const container = newest(view.containers, app.spec.name);
  return container !== undefined && view.memory.runs[container.id]?.postStart === 'running';
}

/**
 * Removes dead containers but the newest of each name and the one before it, which `logs --previous` shows. On a node that is lean
 * only the newest stays, and of a pod that ended none.
 */
function pruneStep(view: PodView): Step {
  const keep = view.isLean !== true ? 2 : view.memory.ended === undefined ? 1 : 0;
  const kept = new Set<string>();
  const names = new Set(view.containers.filter((c) => c.role !== 'sandbox').map((c) => c.name));
  for (const name of names) {
    const own = view.containers.filter((c) => c.role !== 'sandbox' && c.name === name);
    const byAge = own.toSorted((a, b) => b.attempt - a.attempt);
    for (const container of byAge.slice(0, keep)) kept.add(container.id);
  }
  const sandbox = sandboxOf(view.containers);
  if (sandbox !== undefined && view.memory.ended === undefined) kept.add(sandbox.id);
  const ids = view.containers.filter((c) => !kept.has(c.id) && c.state !== 'running').map((c) => c.id);
  return ids.length > 0 ? act({ do: 'remove', ids }) : OK;
}
