import { inParallel } from '../../kit/parallel.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ControllerRevision, StatefulSet } from '../../protocol/kinds/workloads.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import type { Change } from '../cluster.ts';
import { revisionTemplate } from '../decide/controller-revisions.ts';
import { controllerUid } from '../decide/pod-facts.ts';
import { claimName, isStaleClaim, ordinalOf, podName, templateNames } from '../decide/stateful-pod.ts';
import { planStatefulSet, revisionOf, type StatefulStep } from '../decide/stateful-set.ts';
import { type Revisions, rollUpStatefulSet } from '../decide/stateful-set-status.ts';
import { keyOf, type Loop, type LoopDeps, momentOf, splitKey, tolerant } from '../loop.ts';
import { controllerDeps, ObjectLoop, spacingForPods } from './object-loop.ts';
import { orphansIn } from './ownership.ts';
import { PodControl } from './pod-control.ts';
import { RevisionHistory } from './revision-history.ts';
import { StatefulPods } from './stateful-pods.ts';

const WRITES_IN_FLIGHT = 64;

/**
 * Gives every StatefulSet its pods, each with a name and claims of its own. Invariant: never two pods of one ordinal, because the name
 * is the identity and an object is made anew only when the one before is gone: a pod on a lost node is not replaced until the device
 * confirms, or a person deletes it by force.
 */
export class StatefulSetController implements Loop {
  readonly #deps: LoopDeps;
  readonly #pods: PodControl;
  readonly #members: StatefulPods;
  readonly #history: RevisionHistory;
  readonly #loop: ObjectLoop;

  constructor(deps: LoopDeps) {
    this.#deps = controllerDeps(deps, 'stateful-set');
    this.#pods = new PodControl(deps);
    this.#members = new StatefulPods(deps);
    this.#history = new RevisionHistory(deps);
    this.#loop = new ObjectLoop(deps, {
      name: 'stateful-set',
      kind: 'StatefulSet',
      reconcile: (key) => this.#reconcile(key),
      spacingMs: (key) => this.#spacingMs(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#loop.start(signal);
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  #onChange({ kind, type, object, previous }: Change): void {
    if (kind === 'Pod') {
      for (const pod of previous === undefined ? [object] : [object, previous]) this.#onPod(pod as Pod);
    }
    // A claim that is gone may have held an ordinal back, or be missed by a pod that waits for it.
    if (kind === 'PersistentVolumeClaim' && type === 'deleted') {
      const { name, namespace } = object.metadata;
      for (const set of this.#deps.view.list('StatefulSet', namespace))
        if (templateNames(set).some((template) => name.startsWith(claimName(template, set.metadata.name))))
          this.#loop.add(keyOf(set));
    }
  }

  #spacingMs(key: string): number {
    const { namespace, name } = splitKey(key);
    return spacingForPods(this.#deps.view.get('StatefulSet', namespace, name)?.status?.replicas ?? 0);
  }

  #onPod(pod: Pod): void {
    const { view } = this.#deps;
    const uid = controllerUid(pod);
    const owner = uid === undefined ? undefined : view.byUid('StatefulSet', uid);
    if (owner !== undefined) this.#loop.add(keyOf(owner));
    // A pod without owner may be one to adopt; one of another owner may hold a name that is wanted.
    const { namespace, name } = pod.metadata;
    const set = view.get('StatefulSet', namespace ?? '', name.replace(/-\d+$/, ''));
    if (owner === undefined && set !== undefined) this.#loop.add(keyOf(set));
  }

  async #reconcile(key: string): Promise<void> {
    const { view } = this.#deps;
    const { namespace, name } = splitKey(key);
    const set = view.get('StatefulSet', namespace, name);
    if (set === undefined) return;
    if (set.metadata.deletionTimestamp === undefined) {
      await this.#claimPods(set);
      await this.#history.adopt(set);
    }
    const revisions = await this.#revisions(set);
    let failure: unknown;
    try {
      await this.#work(set, revisions);
    } catch (error) {
      // The status is written first; then it rises, so that the queue tries again.
      failure = error;
    }
    await this.#writeStatus(key, revisions);
    if (failure !== undefined) throw failure;
    await this.#truncate(set, revisions);
  }

  async #work(set: StatefulSet, revisions: Revisions): Promise<void> {
    if (set.metadata.deletionTimestamp !== undefined) return;
    const pods = this.#owned(set);
    await this.#members.keepClaims(set, pods);
    const plan = planStatefulSet(set, {
      pods,
      currentRevision: revisions.current,
      updateRevision: revisions.update,
      isBlocked: (ordinal) => this.#isBlocked(set, ordinal),
      nowMs: momentOf(this.#deps.clock).atMs,
    });
    if (plan.lookAgainMs !== undefined) this.#loop.queue.addAfter(keyOf(set), plan.lookAgainMs);
    await inParallel(plan.steps, WRITES_IN_FLIGHT, (step) => this.#perform(set, step));
  }

  async #perform(set: StatefulSet, step: StatefulStep): Promise<void> {
    switch (step.do) {
      case 'create':
        return this.#create(set, step.ordinal, step.revision);
      case 'recreate':
        return this.#members.recreate(set, step.pod);
      case 'scale-down':
      case 'update':
        return this.#members.remove(set, step.pod);
    }
  }

  #create(set: StatefulSet, ordinal: number, revision: string): Promise<void> {
    const kept = this.#history.owned(set).find(({ metadata }) => metadata.name === revision);
    const template = kept === undefined ? undefined : revisionTemplate(kept);
    return this.#members.create(set, template ?? set.spec.template, ordinal, revision);
  }

  #owned(set: StatefulSet): readonly Pod[] {
    return this.#deps.view.ownedBy('Pod', set.metadata.uid);
  }

  #isBlocked(set: StatefulSet, ordinal: number): boolean {
    const pod = podName(set, ordinal);
    return templateNames(set).some((template) => {
      const name = claimName(template, pod);
      const claim = this.#deps.view.get('PersistentVolumeClaim', set.metadata.namespace ?? '', name);
      return (
        claim !== undefined && (claim.metadata.deletionTimestamp !== undefined || isStaleClaim(claim, pod))
      );
    });
  }

  /** Takes over matching pods that have its names and no owner, and lets go of those that no longer match. */
  async #claimPods(set: StatefulSet): Promise<void> {
    const { metadata, spec } = set;
    const matches = (pod: Pod): boolean => selectorMatches(spec.selector, pod.metadata.labels);
    const orphans = orphansIn(this.#deps.view, 'Pod', metadata.namespace)
      .filter((pod) => pod.metadata.deletionTimestamp === undefined)
      .filter((pod) => matches(pod) && ordinalOf(metadata.name, pod.metadata.name) !== undefined);
    for (const pod of orphans) await this.#pods.adopt(set, pod);
    const strangers = this.#owned(set).filter(
      (pod) => !matches(pod) && pod.metadata.deletionTimestamp === undefined,
    );
    for (const pod of strangers) await this.#pods.release(set, pod);
  }

  async #revisions(set: StatefulSet): Promise<Revisions> {
    const { revision, collisionCount } = await this.#history.current(set, set.status?.collisionCount ?? 0);
    const update = revision.metadata.name;
    const noted = set.status?.currentRevision;
    const known = this.#history.owned(set).some(({ metadata }) => metadata.name === noted);
    return { current: noted !== undefined && known ? noted : update, update, collisionCount };
  }

  async #truncate(set: StatefulSet, { current, update }: Revisions): Promise<void> {
    if (set.metadata.deletionTimestamp !== undefined) return;
    const used = new Set([current, update, ...this.#owned(set).map(revisionOf)]);
    const isLive = ({ metadata }: ControllerRevision): boolean => used.has(metadata.name);
    await this.#history.truncate(set, isLive, set.spec.revisionHistoryLimit);
  }

  async #writeStatus(key: string, revisions: Revisions): Promise<void> {
    const { view, client, clock } = this.#deps;
    const { namespace, name } = splitKey(key);
    const set = view.get('StatefulSet', namespace, name);
    if (set === undefined) return;
    const { status, changed } = rollUpStatefulSet(set, this.#owned(set), revisions, momentOf(clock).atMs);
    if (changed) await tolerant(client.updateStatus('StatefulSet', { ...set, status }));
  }
}
