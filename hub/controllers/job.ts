import { inParallel } from '../../kit/parallel.ts';
import type { Job } from '../../protocol/kinds/batch.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import type { Change } from '../cluster.ts';
import { type JobPlan, planJob } from '../decide/job.ts';
import { isTracked, JOB_TRACKING, type JobWorld, jobFinished } from '../decide/job-facts.ts';
import { controllerUid, isActive } from '../decide/pod-facts.ts';
import { keyOf, type Loop, type LoopDeps, momentOf, referenceTo, splitKey, tolerant } from '../loop.ts';
import { jobPod } from './job-pod.ts';
import { controllerDeps, ObjectLoop, spacingForPods } from './object-loop.ts';
import { orphansIn } from './ownership.ts';
import { controllerReference, PodControl } from './pod-control.ts';

/** Writes in flight per job: they share one flush of the store. */
const WRITES_IN_FLIGHT = 64;
/** Value of spec.managedBy that means this controller. */
const OURS = 'kubernetes.io/job-controller';
/** What a pass costs, as a multiple of what `spacingForPods` goes by. */
const PASS_COST = 4;
/** Keys of pods whose job is gone; no namespace has such a name. */
const STRAY = '!pod/';

/**
 * Runs Jobs to their end and counts the end of every pod exactly once, also over crashes of the hub between any two writes:
 * the status names a pod before its finalizer goes, and counts it after. Removes jobs that outlived their time to live.
 */
export class JobController implements Loop {
  readonly #deps: LoopDeps;
  readonly #pods: PodControl;
  readonly #loop: ObjectLoop;

  constructor(deps: LoopDeps) {
    this.#deps = controllerDeps(deps, 'job');
    this.#pods = new PodControl(deps);
    this.#loop = new ObjectLoop(deps, {
      name: 'job',
      kind: 'Job',
      reconcile: (key) =>
        key.startsWith(STRAY) ? this.#letGo(key.slice(STRAY.length)) : this.#reconcile(key),
      spacingMs: (key) => this.#spacingMs(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#loop.start(signal);
    for (const pod of this.#deps.view.list('Pod')) if (isTracked(pod)) this.#addOwner(pod);
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  #onChange({ kind, type, object, previous }: Change): void {
    const { view } = this.#deps;
    if (kind === 'Pod') {
      this.#addOwner(object as Pod, type === 'deleted');
      if (previous !== undefined) this.#addOwner(previous as Pod, true);
    }
    if (kind === 'Job' && type === 'deleted')
      for (const pod of view.ownedBy('Pod', object.metadata.uid)) this.#addOwner(pod);
    // A node that falls silent or comes back decides whether its pods hold up the end of a job.
    if (kind === 'Node' && isReadyNode(object) !== isReadyNode(previous))
      for (const pod of view.podsOnNode(object.metadata.name))
        if (pod.metadata.deletionTimestamp !== undefined) this.#addOwner(pod, true);
  }

  #addOwner(pod: Pod, isPast = false): void {
    const { view } = this.#deps;
    const uid = controllerUid(pod);
    const job = uid === undefined ? undefined : view.byUid('Job', uid);
    if (job !== undefined) this.#loop.add(keyOf(job));
    else if (!isPast && isTracked(pod)) this.#loop.queue.add(`${STRAY}${keyOf(pod)}`);
    if (uid !== undefined || isPast || pod.metadata.labels === undefined) return;
    // Somebody made it by hand; jobs whose selector was written by hand may take it.
    for (const other of view.list('Job', pod.metadata.namespace))
      if (other.spec.manualSelector === true) this.#loop.add(keyOf(other));
  }

  async #reconcile(key: string): Promise<void> {
    const { log, client } = this.#deps;
    const job = this.#job(key);
    if (job === undefined || (job.spec.managedBy !== undefined && job.spec.managedBy !== OURS)) return;
    await this.#claim(job);
    const plan = planJob(this.#world(job));
    log.debug('job plan', { key, ...summary(plan) });
    if (plan.isExpired) {
      const { namespace = '', name, uid, resourceVersion } = job.metadata;
      log.info('job outlived its time to live', { key });
      const options = { uid, resourceVersion, propagation: 'Foreground' } as const;
      return tolerant(client.delete('Job', namespace, name, options));
    }
    if (plan.isEnding) await this.#store(job, plan);
    const results = await Promise.allSettled([
      inParallel(plan.stop, WRITES_IN_FLIGHT, (pod) => this.#pods.remove(job, pod)),
      inParallel(plan.remove, WRITES_IN_FLIGHT, (pod) => this.#takeAway(job, pod)),
      inParallel(plan.create, WRITES_IN_FLIGHT, (pod) => this.#pods.create(job, jobPod(job, pod))),
    ]);
    // Told before what failed rises, so that a job that cannot make its pods has a start and a count all the same.
    await this.#settle(key);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** A pass of a job counts all its pods and those that ended, twice: several times what a ReplicaSet's costs. */
  #spacingMs(key: string): number {
    const uid = this.#job(key)?.metadata.uid;
    return uid === undefined ? 0 : PASS_COST * spacingForPods(this.#deps.view.ownedBy('Pod', uid).length);
  }

  #job(key: string): Job | undefined {
    const { namespace, name } = splitKey(key);
    return this.#deps.view.get('Job', namespace, name);
  }

  #world(job: Job): JobWorld {
    const { view, clock } = this.#deps;
    const isLost = (pod: Pod): boolean => {
      if (pod.metadata.deletionTimestamp === undefined || pod.spec.nodeName === undefined) return false;
      return !isReadyNode(view.get('Node', '', pod.spec.nodeName));
    };
    return { job, pods: view.ownedBy('Pod', job.metadata.uid), isLost, now: momentOf(clock) };
  }

  /** Writes down what the pods have come to, then takes off the finalizers of those that are written down. */
  async #settle(key: string): Promise<void> {
    const job = this.#job(key);
    if (job === undefined) return;
    const plan = planJob(this.#world(job));
    if (plan.lookAgainMs !== undefined) this.#loop.queue.addAfter(key, plan.lookAgainMs);
    await this.#store(job, plan);
    await inParallel(plan.release, WRITES_IN_FLIGHT, (pod) => this.#untrack(pod));
  }

  /** Rejects with Conflict when the plan was made from an older state: nothing may be built on it, the next pass plans anew. */
  async #store(job: Job, plan: JobPlan): Promise<void> {
    if (!plan.changed) return;
    await this.#deps.client.updateStatus('Job', { ...job, status: plan.status });
    for (const note of plan.notes) this.#deps.events.record({ involved: referenceTo(job), ...note });
  }

  /** A pod that is not wanted any more is no failure: it goes without being counted. */
  async #takeAway(job: Job, pod: Pod): Promise<void> {
    await this.#untrack(pod);
    await this.#pods.remove(job, pod);
  }

  async #untrack(pod: Pod): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    await this.#deps.client.modify('Pod', namespace, name, (draft) => {
      if (draft.metadata.uid !== uid || !isTracked(draft)) return false;
      const left = (draft.metadata.finalizers ?? []).filter((f) => f !== JOB_TRACKING);
      if (left.length > 0) draft.metadata.finalizers = left;
      else delete draft.metadata.finalizers;
      return true;
    });
  }

  /** Pods whose job is gone have nobody who counts them. */
  async #letGo(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const pod = this.#deps.view.get('Pod', namespace, name);
    const uid = pod === undefined ? undefined : controllerUid(pod);
    if (pod === undefined || (uid !== undefined && this.#deps.view.byUid('Job', uid) !== undefined)) return;
    await this.#untrack(pod);
  }

  /** Takes in pods that match and have no controller, gives up those that no longer match. */
  async #claim(job: Job): Promise<void> {
    const { view } = this.#deps;
    const { selector } = job.spec;
    if (selector === undefined || job.metadata.deletionTimestamp !== undefined) return;
    const matches = (pod: Pod): boolean => selectorMatches(selector, pod.metadata.labels);
    const strangers = view.ownedBy('Pod', job.metadata.uid).filter((pod) => !matches(pod));
    await inParallel(strangers, WRITES_IN_FLIGHT, async (pod) => {
      await this.#untrack(pod);
      await this.#pods.release(job, pod);
    });
    if (job.spec.manualSelector !== true || jobFinished(job) !== undefined) return;
    const orphans = orphansIn(view, 'Pod', job.metadata.namespace).filter(
      (pod) => isActive(pod) && matches(pod),
    );
    await inParallel(orphans, WRITES_IN_FLIGHT, (pod) => this.#adopt(job, pod));
  }

  async #adopt(job: Job, pod: Pod): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    await this.#deps.client.modify('Pod', namespace, name, (draft) => {
      if (draft.metadata.uid !== uid || controllerUid(draft) !== undefined || !isActive(draft)) return false;
      draft.metadata.ownerReferences = [...(draft.metadata.ownerReferences ?? []), controllerReference(job)];
      if (!isTracked(draft)) draft.metadata.finalizers = [...(draft.metadata.finalizers ?? []), JOB_TRACKING];
      return true;
    });
  }
}

function isReadyNode(object: KubeObject | undefined): boolean {
  const conditions = (object as Node | undefined)?.status?.conditions ?? [];
  return object !== undefined && !conditions.some((c) => c.type === 'Ready' && c.status === 'Unknown');
}

function summary(plan: JobPlan): Record<string, unknown> {
  const { create, remove, stop, release, changed, isEnding, lookAgainMs } = plan;
  const counts = { create: create.length, remove: remove.length, stop: stop.length, release: release.length };
  return { ...counts, changed, isEnding, lookAgainMs };
}
