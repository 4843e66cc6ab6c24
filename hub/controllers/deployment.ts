import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Deployment, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import type { Change } from '../cluster.ts';
import { planClaim } from '../decide/claim.ts';
import { rollUpDeployment } from '../decide/deployment-status.ts';
import { controllerUid } from '../decide/pod-facts.ts';
import { newReplicaSet, REVISION } from '../decide/revisions.ts';
import { planRollout, type RolloutAction, type RolloutMember } from '../decide/rollout.ts';
import { nextAvailableMs, rolloutMember } from '../decide/rollout-members.ts';
import type { RolloutOutcome } from '../decide/rollout-progress.ts';
import { replicaSetDraft } from '../decide/rollout-replica-set.ts';
import {
  isApiError,
  keyOf,
  type Loop,
  type LoopDeps,
  momentOf,
  referenceTo,
  splitKey,
  tolerant,
} from '../loop.ts';
import { controllerDeps, ObjectLoop, spacingForPods } from './object-loop.ts';
import { OwnedPods } from './owned-pods.ts';
import { adoptObject, controllerReference, orphansIn, releaseObject } from './ownership.ts';
import { errorText } from './pod-control.ts';

/**
 * Turns Deployments into ReplicaSets and rolls them over. Level-triggered, one pass per Deployment at a time. Looks at the pods
 * themselves, not at the ReplicaSets' statuses, so that a rollout does not wait for status writes.
 */
export class DeploymentController implements Loop {
  readonly #deps: LoopDeps;
  readonly #loop: ObjectLoop;
  readonly #owned: OwnedPods;

  constructor(deps: LoopDeps) {
    this.#deps = controllerDeps(deps, 'deployment');
    this.#owned = new OwnedPods(deps.view, 'ReplicaSet');
    this.#loop = new ObjectLoop(deps, {
      name: 'deployment',
      kind: 'Deployment',
      reconcile: (key) => this.#reconcile(key),
      spacingMs: (key) => this.#spacingMs(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#owned.start();
    this.#loop.start(signal);
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  #onChange(change: Change): void {
    const { view } = this.#deps;
    const { kind, object, previous } = change;
    this.#owned.onChange(change);
    if (kind === 'ReplicaSet') {
      for (const rs of previous === undefined ? [object] : [object, previous])
        this.#addOwner(rs as ReplicaSet);
    }
    if (kind === 'Pod') {
      const uid = controllerUid(object as Pod);
      const rs = uid === undefined ? undefined : view.byUid('ReplicaSet', uid);
      if (rs !== undefined) this.#addOwner(rs);
    }
  }

  #addOwner(rs: ReplicaSet): void {
    const { view } = this.#deps;
    const uid = controllerUid(rs);
    const deployment = uid === undefined ? undefined : view.byUid('Deployment', uid);
    if (deployment !== undefined) this.#loop.add(keyOf(deployment));
    if (uid !== undefined) return;
    // A ReplicaSet without owner may be one to adopt.
    for (const each of view.list('Deployment', rs.metadata.namespace))
      if (selectorMatches(each.spec.selector, rs.metadata.labels)) this.#loop.add(keyOf(each));
  }

  #spacingMs(key: string): number {
    const { namespace, name } = splitKey(key);
    return spacingForPods(this.#deps.view.get('Deployment', namespace, name)?.status?.replicas ?? 0);
  }

  async #reconcile(key: string): Promise<void> {
    const { view } = this.#deps;
    const { namespace, name } = splitKey(key);
    const deployment = view.get('Deployment', namespace, name);
    if (deployment === undefined) return;
    if (deployment.metadata.deletionTimestamp !== undefined) return this.#writeStatus(deployment);
    await this.#claim(deployment);
    const plan = planRollout(deployment, this.#members(deployment));
    if (plan.length > 0) this.#deps.log.debug('rollout plan', { key, plan });
    // All at once: the steps of one plan are safe in any order, and they share one flush of the store.
    const results = await Promise.allSettled(plan.map((action) => this.#apply(deployment, action)));
    await this.#writeStatus(deployment, outcomeOf(deployment, plan, results));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Takes over ReplicaSets that match and have no controller, lets go of those that no longer match. */
  async #claim(deployment: Deployment): Promise<void> {
    const { view, client } = this.#deps;
    const { uid, namespace } = deployment.metadata;
    const sets = [...view.ownedBy('ReplicaSet', uid), ...orphansIn(view, 'ReplicaSet', namespace)];
    const { adopt, release } = planClaim(deployment, deployment.spec.selector, sets);
    for (const rs of release) await releaseObject(client, 'ReplicaSet', deployment, rs);
    for (const rs of adopt) await adoptObject(client, 'ReplicaSet', deployment, rs);
  }

  #members(deployment: Deployment): RolloutMember[] {
    const { view, clock } = this.#deps;
    const minReady = deployment.spec.minReadySeconds ?? 0;
    const nowMs = clock.nowMs();
    return view
      .ownedBy('ReplicaSet', deployment.metadata.uid)
      .map((rs) => rolloutMember(rs, this.#owned.of(rs.metadata.uid), minReady, nowMs));
  }

  async #apply(deployment: Deployment, action: RolloutAction): Promise<void> {
    const { client } = this.#deps;
    const { namespace = '', name } = deployment.metadata;
    switch (action.do) {
      case 'create':
        return this.#create(deployment, action);
      case 'scale':
        return this.#scale(deployment, action);
      case 'delete':
        return tolerant(client.delete('ReplicaSet', namespace, action.name));
      case 'set-revision':
        await client.modify('Deployment', namespace, name, (draft) => {
          draft.metadata.annotations = {
            ...draft.metadata.annotations,
            [REVISION]: String(action.revision),
          };
          return true;
        });
    }
  }

  async #create(deployment: Deployment, action: RolloutAction & { do: 'create' }): Promise<void> {
    const { view, client, events } = this.#deps;
    const { name, labels, spec } = replicaSetDraft(deployment, action.replicas);
    const { namespace = '' } = deployment.metadata;
    const ownerReferences = [controllerReference(deployment)];
    try {
      const metadata = { name, namespace, labels, annotations: action.annotations, ownerReferences };
      await client.create('ReplicaSet', { metadata, spec });
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) {
        const message = `Failed to create new replica set "${name}": ${errorText(error)}`;
        events.record({
          involved: referenceTo(deployment),
          type: 'Warning',
          reason: 'ReplicaSetCreateError',
          message,
        });
        throw error;
      }
      const present = view.get('ReplicaSet', namespace, name);
      const ours = present !== undefined && controllerUid(present) === deployment.metadata.uid;
      if (ours && newReplicaSet(deployment, [present]) !== undefined) return; // Made by an earlier pass that was cut short.
      await this.#countCollision(deployment);
      throw error;
    }
    this.#noteScaled(deployment, name, 0, action.replicas);
  }

  /** Another ReplicaSet has the name: the next pass makes another one of a higher count. */
  async #countCollision(deployment: Deployment): Promise<void> {
    const { namespace = '', name } = deployment.metadata;
    await this.#deps.client.modify(
      'Deployment',
      namespace,
      name,
      (draft) => {
        draft.status = { ...draft.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
        return true;
      },
      'status',
    );
  }

  async #scale(deployment: Deployment, action: RolloutAction & { do: 'scale' }): Promise<void> {
    let before = action.replicas;
    const { minReadySeconds } = deployment.spec;
    await this.#deps.client.modify(
      'ReplicaSet',
      deployment.metadata.namespace ?? '',
      action.name,
      (draft) => {
        before = draft.spec.replicas ?? 0;
        draft.spec.replicas = action.replicas;
        if (minReadySeconds !== undefined) draft.spec.minReadySeconds = minReadySeconds;
        else delete draft.spec.minReadySeconds;
        draft.metadata.annotations = { ...draft.metadata.annotations, ...action.annotations };
        return true;
      },
    );
    this.#noteScaled(deployment, action.name, before, action.replicas);
  }

  #noteScaled(deployment: Deployment, name: string, from: number, to: number): void {
    if (from === to) return;
    const message = `Scaled ${to > from ? 'up' : 'down'} replica set ${name} from ${from} to ${to}`;
    this.#deps.events.record({
      involved: referenceTo(deployment),
      type: 'Normal',
      reason: 'ScalingReplicaSet',
      message,
    });
  }

  async #writeStatus(seen: Deployment, outcome: RolloutOutcome = {}): Promise<void> {
    const { view, client, clock } = this.#deps;
    const deployment = view.byUid('Deployment', seen.metadata.uid);
    // One that was changed meanwhile is not observed yet: the next pass tells of it.
    if (deployment === undefined || deployment.metadata.generation !== seen.metadata.generation) return;
    const key = keyOf(deployment);
    const now = momentOf(clock);
    const rollup = rollUpDeployment(deployment, this.#members(deployment), now, outcome);
    if (rollup.lookAgainMs !== undefined) this.#loop.queue.addAfter(key, rollup.lookAgainMs + 1);
    this.#lookWhenAvailable(key, deployment, now.atMs);
    if (rollup.changed)
      await tolerant(client.updateStatus('Deployment', { ...deployment, status: rollup.status }));
  }

  /** With minReadySeconds pods become available by time alone. */
  #lookWhenAvailable(key: string, { metadata: { uid }, spec }: Deployment, nowMs: number): void {
    const sets = this.#deps.view.ownedBy('ReplicaSet', uid);
    const owned = sets.map((rs) => this.#owned.of(rs.metadata.uid));
    const waitMs = nextAvailableMs(owned, spec.minReadySeconds ?? 0, nowMs);
    if (waitMs !== undefined) this.#loop.queue.addAfter(key, waitMs);
  }
}

/** What the steps of a plan came to, as far as the status tells it. */
function outcomeOf(
  deployment: Deployment,
  plan: readonly RolloutAction[],
  results: readonly PromiseSettledResult<void>[],
): RolloutOutcome {
  const at = plan.findIndex((action) => action.do === 'create');
  const result = results[at];
  if (result === undefined) return {};
  if (result.status === 'fulfilled') return { created: replicaSetDraft(deployment, 0).name };
  // A taken name is tried again at once under another.
  return isApiError(result.reason, 'AlreadyExists') ? {} : { failure: errorText(result.reason) };
}
