import type { NodeSelectorTerm } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import type { ClusterView } from '../cluster.ts';
import { isTerminal } from '../decide/pod-facts.ts';
import { claimVolume } from '../decide/volumes/binding.ts';
import { fitsOn } from '../decide/volumes/claim-step.ts';
import { findVolume, termsOf } from '../decide/volumes/match.ts';
import {
  claimsOf,
  isBound,
  type VolumeLimit,
  type VolumeLookup,
  volumeNeeds,
} from '../decide/volumes/pod-volumes.ts';
import {
  classNameOf,
  LOCAL_PROVISIONER,
  SELECTED_NODE,
  STORAGE_PROVISIONER,
} from '../decide/volumes/words.ts';
import type { LoopDeps } from '../loop.ts';
import { ClaimListeners } from './claim-listeners.ts';

/** How long a pod waits for its claims to be bound before the scheduler looks again, in ms. */
const BIND_MS = 30_000;

/** Where a pod's volumes let it go: of each entry one term must hold; or why nowhere yet. */
export type AllowedNodes =
  | { readonly ok: true; readonly required: readonly (readonly NodeSelectorTerm[])[] }
  | { readonly ok: false; readonly why: string };

const ANYWHERE: AllowedNodes = { ok: true, required: [] };

/** What the scheduler asks about volumes: where they let a pod go, and to make them real on the node it has chosen. */
export class VolumeBinder {
  readonly #deps: Pick<LoopDeps, 'view' | 'client' | 'clock'>;
  readonly #lookup: VolumeLookup;
  readonly #claims: ClaimListeners;

  constructor(deps: Pick<LoopDeps, 'view' | 'client' | 'clock'>) {
    this.#deps = deps;
    const { view } = deps;
    this.#claims = new ClaimListeners(view);
    this.#lookup = {
      claim: (namespace, name) => view.get('PersistentVolumeClaim', namespace, name),
      volume: (name) => view.get('PersistentVolume', '', name),
      storageClass: (name) => view.get('StorageClass', '', name),
      volumes: (claim) => volumesFor(view, claim),
      usedByOther: (claim, pod) => this.#usedByOther(claim, pod),
    };
  }

  /** Reads the state of now. A volume whose node is gone or away is named, because no other node will ever do. Never throws. */
  allowed(pod: Pod): AllowedNodes {
    if (claimsOf(pod.spec).length === 0) return ANYWHERE;
    const needs = volumeNeeds(pod, this.#lookup);
    if (!needs.ok) return { ok: false, why: needs.reason };
    const away = needs.limits.map((limit) => this.#whyAway(limit)).find((why) => why !== undefined);
    if (away !== undefined) return { ok: false, why: away };
    return { ok: true, required: needs.limits.map((limit) => limit.terms) };
  }

  /** Has the pod's claims bound on the node. Rejects when they are not within half a minute, and when a claim goes or is bound elsewhere meanwhile. */
  async prepare(pod: Pod, nodeName: string): Promise<void> {
    const { namespace = '' } = pod.metadata;
    const names = claimsOf(pod.spec).map((use) => use.claim);
    if (names.length === 0) return;
    for (const name of names) {
      const claim = this.#lookup.claim(namespace, name);
      if (claim !== undefined && !isBound(claim)) await this.#choose(claim, nodeName);
    }
    await this.#allBound(namespace, names);
    const elsewhere = names.find((name) => !this.#isOn(namespace, name, nodeName));
    // Another pod of the claim was faster on another node: the next look knows where the volume is.
    if (elsewhere !== undefined)
      throw new Error(`persistentvolumeclaim "${elsewhere}" was bound on another node`);
  }

  #isOn(namespace: string, claim: string, nodeName: string): boolean {
    const volume = this.#lookup.volume(this.#lookup.claim(namespace, claim)?.spec.volumeName ?? '');
    const node = this.#deps.view.get('Node', '', nodeName);
    return volume !== undefined && node !== undefined && fitsOn(node)(termsOf(volume));
  }

  #whyAway({ terms, node: name, detail, reason }: VolumeLimit): string | undefined {
    if (terms.length === 0) return `${detail}, and none is free`;
    if (name === undefined) return undefined;
    const node = this.#deps.view.get('Node', '', name);
    if (node === undefined) return `${detail}, which is gone (${reason})`;
    const ready = node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
    return ready === true ? undefined : `${detail}, which is not ready (${reason})`;
  }

  /** Says on the claim where its volume shall be; a free volume of that node is taken at once. */
  async #choose(claim: PersistentVolumeClaim, nodeName: string): Promise<void> {
    const { view, client } = this.#deps;
    const node = view.get('Node', '', nodeName);
    if (node === undefined) throw new Error(`node "${nodeName}" is gone`);
    const volume = findVolume(claim, volumesFor(view, claim), fitsOn(node));
    if (volume !== undefined && volume.spec.claimRef?.uid === undefined)
      await client.modify('PersistentVolume', '', volume.metadata.name, (draft) => claimVolume(draft, claim));
    const { namespace = '', name, uid } = claim.metadata;
    const provisioner = this.#lookup.storageClass(classNameOf(claim) ?? '')?.provisioner;
    // What the controller would write next anyway.
    const made = provisioner === LOCAL_PROVISIONER ? { [STORAGE_PROVISIONER]: provisioner } : {};
    await client.modify('PersistentVolumeClaim', namespace, name, (draft) => {
      const chosen = draft.metadata.annotations?.[SELECTED_NODE];
      const isTaken = chosen !== undefined && view.get('Node', '', chosen) !== undefined;
      if (draft.metadata.uid !== uid || isBound(draft) || isTaken) return false;
      draft.metadata.annotations = { ...draft.metadata.annotations, ...made, [SELECTED_NODE]: nodeName };
      return true;
    });
  }

  #allBound(namespace: string, names: readonly string[]): Promise<void> {
    const { view, clock } = this.#deps;
    const missing = (): string | undefined =>
      names.find((name) => {
        const claim = view.get('PersistentVolumeClaim', namespace, name);
        return claim === undefined || !isBound(claim);
      });
    if (missing() === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        timer.cancel();
        unsubscribe();
        if (error === undefined) resolve();
        else reject(error);
      };
      const late = (): void =>
        end(new Error(`persistentvolumeclaim "${missing() ?? ''}" was not bound in time`));
      const timer = clock.after(BIND_MS, late);
      const keys = names.map((name) => `${namespace}/${name}`);
      const unsubscribe = this.#claims.listen(keys, ({ type, object }) => {
        if (type === 'deleted') end(new Error(`persistentvolumeclaim "${object.metadata.name}" is gone`));
        else if (missing() === undefined) end();
      });
    });
  }

  #usedByOther(claim: PersistentVolumeClaim, pod: Pod): boolean {
    const { namespace = '', name } = claim.metadata;
    return this.#deps.view
      .podsUsingClaim(namespace, name)
      .some(
        (other) =>
          other.metadata.uid !== pod.metadata.uid && other.spec.nodeName !== undefined && !isTerminal(other),
      );
  }
}

/** The volumes a claim may come to: those that name it, and those that name none. */
export function volumesFor(
  view: Pick<ClusterView, 'volumesNaming'>,
  { metadata: { namespace = '', name } }: PersistentVolumeClaim,
): readonly PersistentVolume[] {
  return [...view.volumesNaming(namespace, name), ...view.volumesNaming('', '')];
}
