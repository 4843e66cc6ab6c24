import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Change, ClusterView } from '../cluster.ts';
import { PodTally, tallyOf } from '../decide/pod-tally.ts';

const NONE = new PodTally();

/**
 * An index of the view: what the pods of each controller come to. Fed by the view's changes alone, so that it says at every moment
 * what counting the view's pods would say, at a cost that does not grow with them.
 */
export class OwnedPods {
  readonly #view: Pick<ClusterView, 'list'>;
  readonly #ownerKind: string;
  readonly #tallies = new Map<string, PodTally>();

  /** `ownerKind`: only pods whose controller is of this kind count. */
  constructor(view: Pick<ClusterView, 'list'>, ownerKind: string) {
    this.#view = view;
    this.#ownerKind = ownerKind;
  }

  /** Counts what is there; in the same instant as the first change may come. */
  start(): void {
    this.#tallies.clear();
    for (const pod of this.#view.list('Pod')) this.#put(pod);
  }

  onChange({ kind, type, object, previous }: Change): void {
    if (kind !== 'Pod') return;
    if (previous !== undefined) this.#take(previous as Pod);
    if (type !== 'deleted') this.#put(object as Pod);
  }

  /** Of the pods whose controller has this uid; not to be changed by the caller. */
  of(ownerUid: string): PodTally {
    return this.#tallies.get(ownerUid) ?? NONE;
  }

  #put(pod: Pod): void {
    const uid = this.#owner(pod);
    if (uid === undefined) return;
    const tally = this.#tallies.get(uid);
    if (tally === undefined) this.#tallies.set(uid, tallyOf([pod]));
    else tally.add(pod);
  }

  #take(pod: Pod): void {
    const uid = this.#owner(pod);
    const tally = uid === undefined ? undefined : this.#tallies.get(uid);
    if (uid === undefined || tally === undefined) return;
    tally.remove(pod);
    if (tally.total === 0) this.#tallies.delete(uid);
  }

  #owner({ metadata }: Pod): string | undefined {
    return metadata.ownerReferences?.find((o) => o.controller === true && o.kind === this.#ownerKind)?.uid;
  }
}
