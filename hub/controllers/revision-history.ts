import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { ControllerRevision } from '../../protocol/kinds/workloads.ts';
import type { NewObject } from '../cluster.ts';
import {
  equalRevision,
  planRevision,
  type RevisionOwner,
  revisionAnnotations,
  revisionData,
  revisionHash,
  revisionLabels,
  revisionsToAdopt,
  revisionsToDrop,
} from '../decide/controller-revisions.ts';
import { controllerUid } from '../decide/pod-facts.ts';
import { isApiError, type LoopDeps, tolerant } from '../loop.ts';
import { adoptObject, controllerReference } from './ownership.ts';

/** An object whose past templates are kept as ControllerRevisions. */
export type HistoryOwner = KubeObject & RevisionOwner;

/** The revision of the present template, and the count of taken names to keep in the owner's status. */
export interface CurrentRevision {
  readonly revision: ControllerRevision;
  readonly collisionCount: number;
}

/** Tries for a free name in one pass; a name is taken only when somebody meant it to be. */
const NAME_TRIES = 16;

/** Keeps the ControllerRevisions of DaemonSets and StatefulSets. The caller works on one owner at a time. */
export class RevisionHistory {
  readonly #deps: Pick<LoopDeps, 'view' | 'client'>;

  constructor(deps: Pick<LoopDeps, 'view' | 'client'>) {
    this.#deps = deps;
  }

  /** Revisions the owner has, in no particular order. */
  owned(owner: HistoryOwner): readonly ControllerRevision[] {
    return this.#deps.view.ownedBy('ControllerRevision', owner.metadata.uid);
  }

  /** Takes over matching revisions that have no controller, as those of an owner that was deleted with its dependents kept. */
  async adopt(owner: HistoryOwner): Promise<void> {
    const { view, client } = this.#deps;
    const { namespace = '' } = owner.metadata;
    for (const revision of revisionsToAdopt(owner, view.list('ControllerRevision', namespace)))
      await adoptObject(client, 'ControllerRevision', owner, revision);
  }

  /**
   * The revision of the owner's present template, made when it is not there and given the highest number when it has not, as
   * after a rollback. `collisionCount` is that of the owner's status.
   */
  async current(owner: HistoryOwner, collisionCount = 0): Promise<CurrentRevision> {
    const plan = planRevision(owner, this.owned(owner));
    if (plan.do === 'create') return this.#create(owner, plan.number, collisionCount);
    const { revision } = plan;
    const { renumber } = plan;
    if (renumber === undefined) return { revision, collisionCount };
    const { namespace = '', name } = revision.metadata;
    const written = await this.#deps.client.modify('ControllerRevision', namespace, name, (draft) => {
      draft.revision = renumber;
      return true;
    });
    return { revision: written ?? revision, collisionCount };
  }

  /** Deletes the oldest revisions that are not live beyond `limit` (the owner's revisionHistoryLimit, 10 unless it says). */
  async truncate(
    owner: HistoryOwner,
    isLive: (revision: ControllerRevision) => boolean,
    limit = 10,
  ): Promise<void> {
    const { client } = this.#deps;
    for (const { metadata } of revisionsToDrop(this.owned(owner), isLive, limit))
      await tolerant(client.delete('ControllerRevision', metadata.namespace ?? '', metadata.name));
  }

  async #create(owner: HistoryOwner, number: number, firstCount: number): Promise<CurrentRevision> {
    const { view, client } = this.#deps;
    for (let count = firstCount; ; count++) {
      const object = revisionObject(owner, number, count);
      try {
        return { revision: await client.create('ControllerRevision', object), collisionCount: count };
      } catch (error) {
        if (!isApiError(error, 'AlreadyExists') || count - firstCount >= NAME_TRIES) throw error;
        const { namespace = '', name } = object.metadata;
        const present = view.get('ControllerRevision', namespace, name);
        if (present === undefined || controllerUid(present) !== owner.metadata.uid) continue;
        // Made by an earlier pass that was cut short.
        const equal = equalRevision(object.data, [present]);
        if (equal !== undefined) return { revision: equal, collisionCount: count };
      }
    }
  }
}

function revisionObject(
  owner: HistoryOwner,
  revision: number,
  collisionCount: number,
): NewObject<ControllerRevision> & { metadata: { name: string; namespace: string } } {
  const data = revisionData(owner.spec.template);
  const hash = revisionHash(data, collisionCount);
  return {
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      namespace: owner.metadata.namespace ?? '',
      labels: revisionLabels(owner, hash),
      annotations: revisionAnnotations(owner),
      ownerReferences: [controllerReference(owner)],
    },
    data,
    revision,
  };
}
