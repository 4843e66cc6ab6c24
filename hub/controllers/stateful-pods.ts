import { jsonEqual } from '../../protocol/json.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import type { PodTemplateSpec, StatefulSet } from '../../protocol/kinds/workloads.ts';
import { isTerminal } from '../decide/pod-facts.ts';
import {
  claimName,
  claimOwners,
  claimsFor,
  hasIdentity,
  identityLabels,
  ordinalOf,
  podName,
  templateNames,
  withIdentity,
} from '../decide/stateful-pod.ts';
import { membersOf } from '../decide/stateful-set.ts';
import { keyOf, type LoopDeps, referenceTo, tolerant } from '../loop.ts';
import { errorText, podFromTemplate } from './pod-control.ts';

/** Makes and removes the pods of StatefulSets together with their claims, and tells it in Events of the set. */
export class StatefulPods {
  readonly #deps: Pick<LoopDeps, 'view' | 'client' | 'events'>;

  constructor(deps: Pick<LoopDeps, 'view' | 'client' | 'events'>) {
    this.#deps = deps;
  }

  /** The pod with this ordinal, its claims first. Rejects with what the API says; the set has an Event either way. */
  async create(
    set: StatefulSet,
    template: PodTemplateSpec,
    ordinal: number,
    revision: string,
  ): Promise<void> {
    const name = podName(set, ordinal);
    const what = `create Pod ${name} in StatefulSet ${set.metadata.name}`;
    try {
      await this.#createClaims(set, ordinal);
      await this.#deps.client.create(
        'Pod',
        withIdentity(set, podFromTemplate(set, template, name), ordinal, revision),
      );
    } catch (error) {
      this.#tell(set, 'Warning', 'FailedCreate', `${what} failed error: ${errorText(error)}`);
      throw error;
    }
    this.#tell(set, 'Normal', 'SuccessfulCreate', `${what} successful`);
  }

  /** Deletes exactly this pod, with its own grace; one that is gone already is fine. */
  async remove(set: StatefulSet, pod: Pod): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    await tolerant(this.#deps.client.delete('Pod', namespace, name, { uid }));
    this.#tell(
      set,
      'Normal',
      'SuccessfulDelete',
      `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`,
    );
  }

  /** Deletes a pod that has ended; the next pass makes its successor. */
  async recreate(set: StatefulSet, pod: Pod): Promise<void> {
    const failed = pod.status?.phase === 'Failed';
    const [type, reason, how] = failed
      ? (['Warning', 'RecreatingFailedPod', 'failed'] as const)
      : (['Normal', 'RecreatingTerminatedPod', 'terminated'] as const);
    this.#tell(set, type, reason, `StatefulSet ${keyOf(set)} is recreating ${how} Pod ${pod.metadata.name}`);
    await this.remove(set, pod);
  }

  /**
   * Keeps what belongs to the pods true: their labels of identity, the claims of those that wait for them, and who takes the claims
   * along. A surplus pod owns its claims before it is deleted, when the set says that scaling down takes them.
   */
  async keepClaims(set: StatefulSet, pods: readonly Pod[]): Promise<void> {
    const { replicas, condemned } = membersOf(set, pods);
    // Nearly always all is as it should be: waiting for nothing, a thousand times a pass, would cost more than looking.
    for (const pod of replicas) {
      if (pod === undefined || isTerminal(pod) || pod.metadata.deletionTimestamp !== undefined) continue;
      const ordinal = ordinalOf(set.metadata.name, pod.metadata.name) ?? 0;
      if (pod.status?.phase !== 'Running' && this.#lacksClaims(set, pod))
        await this.#createClaims(set, ordinal);
      if (!hasIdentity(pod, ordinal)) await this.#label(set, pod, ordinal);
    }
    for (const pod of replicas) {
      if (pod === undefined) continue;
      for (const claim of this.#claimsWronglyOwned(set, pod, undefined))
        await this.#ownClaims(set, claim, undefined);
    }
    for (const pod of condemned)
      for (const claim of this.#claimsWronglyOwned(set, pod, pod)) await this.#ownClaims(set, claim, pod);
  }

  #lacksClaims(set: StatefulSet, pod: Pod): boolean {
    const present = this.#claimsOf(set, pod).filter(
      (claim) => claim.metadata.deletionTimestamp === undefined,
    );
    return present.length < templateNames(set).length;
  }

  async #createClaims(set: StatefulSet, ordinal: number): Promise<void> {
    const { view, client } = this.#deps;
    const pod = podName(set, ordinal);
    for (const claim of claimsFor(set, ordinal)) {
      const { name } = claim.metadata;
      const present = view.get('PersistentVolumeClaim', set.metadata.namespace ?? '', name);
      if (present !== undefined && present.metadata.deletionTimestamp === undefined) continue;
      const what = `create Claim ${name} Pod ${pod} in StatefulSet ${set.metadata.name}`;
      try {
        if (present !== undefined) throw new Error(`pvc ${name} is being deleted`);
        await client.create('PersistentVolumeClaim', claim);
      } catch (error) {
        this.#tell(set, 'Warning', 'FailedCreate', `${what} failed error: ${errorText(error)}`);
        throw error;
      }
      this.#tell(set, 'Normal', 'SuccessfulCreate', `${what} success`);
    }
  }

  async #label(set: StatefulSet, pod: Pod, ordinal: number): Promise<void> {
    const { namespace = '', name, uid } = pod.metadata;
    await this.#deps.client.modify('Pod', namespace, name, (draft) => {
      if (draft.metadata.uid !== uid || hasIdentity(draft, ordinal)) return false;
      draft.metadata.labels = { ...draft.metadata.labels, ...identityLabels(set, ordinal) };
      return true;
    });
  }

  async #ownClaims(
    set: StatefulSet,
    claim: PersistentVolumeClaim,
    condemned: Pod | undefined,
  ): Promise<void> {
    const { namespace = '', name } = claim.metadata;
    await this.#deps.client.modify('PersistentVolumeClaim', namespace, name, (draft) => {
      const owners = claimOwners(set, condemned, draft.metadata.ownerReferences ?? []);
      if (owners.length > 0) draft.metadata.ownerReferences = owners;
      else delete draft.metadata.ownerReferences;
      return true;
    });
  }

  #claimsWronglyOwned(set: StatefulSet, pod: Pod, condemned: Pod | undefined): PersistentVolumeClaim[] {
    const { whenDeleted = 'Retain', whenScaled = 'Retain' } =
      set.spec.persistentVolumeClaimRetentionPolicy ?? {};
    const keepsAll = whenDeleted === 'Retain' && whenScaled === 'Retain';
    const claims = this.#claimsOf(set, pod);
    // As nearly every set and claim is: nobody owns it, and nobody shall.
    if (keepsAll && claims.every(({ metadata }) => metadata.ownerReferences === undefined)) return [];
    return claims.filter(
      ({ metadata: { ownerReferences = [] } }) =>
        !jsonEqual(claimOwners(set, condemned, ownerReferences), ownerReferences),
    );
  }

  #claimsOf(set: StatefulSet, pod: Pod): PersistentVolumeClaim[] {
    return templateNames(set).flatMap((template) => {
      const name = claimName(template, pod.metadata.name);
      return this.#deps.view.get('PersistentVolumeClaim', set.metadata.namespace ?? '', name) ?? [];
    });
  }

  #tell(set: StatefulSet, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.events.record({ involved: referenceTo(set), type, reason, message });
  }
}
