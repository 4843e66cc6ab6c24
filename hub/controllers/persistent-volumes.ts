import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import type { Change } from '../cluster.ts';
import { type Note, nextClaimStep } from '../decide/volumes/claim-step.ts';
import { claimsOf } from '../decide/volumes/pod-volumes.ts';
import { nextVolumeStep } from '../decide/volumes/volume-step.ts';
import { CLAIM_PROTECTION, classNameOf, nodeOfVolume } from '../decide/volumes/words.ts';
import { keyOf, type Loop, type LoopDeps, loopQueue, referenceTo, splitKey, tolerant } from '../loop.ts';
import { controllerDeps } from './object-loop.ts';
import { volumesFor } from './volume-binder.ts';
import { ensureLocalClass, VolumeWrites } from './volume-writes.ts';

const CLAIM = 'claim:';
const VOLUME = 'volume:';

/**
 * Brings claims and volumes together: binds hand-made volumes, makes local ones on the node the scheduler has chosen, reclaims those
 * whose claim is gone, and holds what is in use. Invariant: data on a device is given up only for a claim that is gone, and the
 * volume's object stays until the device has said that nothing of it is left.
 */
export class PersistentVolumeController implements Loop {
  readonly #deps: LoopDeps;
  readonly #writes: VolumeWrites;
  readonly #queue: KeyedQueue;
  /** What each device has said to hold nothing of any more, of what it was told to remove. */
  readonly #removed = new Map<string, ReadonlySet<string>>();
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps) {
    this.#deps = controllerDeps(deps, 'persistent-volumes');
    this.#writes = new VolumeWrites(this.#deps);
    this.#queue = loopQueue((key) => this.#reconcile(key), this.#deps, 16);
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#unsubscribe = view.subscribe((change) => this.#onChange(change));
    this.#queue.add('class');
    this.#addAllClaims();
    for (const volume of view.list('PersistentVolume')) this.#queue.add(VOLUME + volume.metadata.name);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#queue.stop();
  }

  /** A device's word: of what it was told to remove it holds nothing of these any more. */
  removed(node: string, volumes: readonly string[]): void {
    this.#removed.set(node, new Set(volumes));
    for (const name of volumes) this.#queue.add(VOLUME + name);
  }

  #onChange({ kind, type, object, previous }: Change): void {
    switch (kind) {
      case 'PersistentVolumeClaim':
        this.#onClaim(object as PersistentVolumeClaim, previous as PersistentVolumeClaim | undefined);
        return;
      case 'PersistentVolume':
        this.#queue.add(VOLUME + object.metadata.name);
        this.#onVolume(object as PersistentVolume, type === 'deleted');
        return;
      case 'StorageClass':
        this.#addAllClaims();
        return;
      case 'Node':
        if (type !== 'modified') this.#onNode(object.metadata.name);
        return;
      case 'Pod':
        this.#onPod(object as Pod, type === 'modified' ? (previous as Pod | undefined) : undefined);
    }
  }

  #onClaim(claim: PersistentVolumeClaim, previous: PersistentVolumeClaim | undefined): void {
    this.#queue.add(CLAIM + keyOf(claim));
    const { volumeName } = claim.spec;
    if (volumeName) this.#queue.add(VOLUME + volumeName);
    const isGone = this.#deps.view.byUid('PersistentVolumeClaim', claim.metadata.uid) === undefined;
    if (!isGone && volumeName === previous?.spec.volumeName) return;
    const { namespace = '', name, uid } = claim.metadata;
    for (const volume of this.#deps.view.volumesNaming(namespace, name))
      if (volume.spec.claimRef?.uid === uid) this.#queue.add(VOLUME + volume.metadata.name);
  }

  /** A volume that is free may suit any waiting claim of its class; one that is taken only concerns its own. */
  #onVolume(volume: PersistentVolume, isGone: boolean): void {
    const { namespace = '', name = '' } = volume.spec.claimRef ?? {};
    if (name !== '') this.#queue.add(`${CLAIM}${namespace}/${name}`);
    if (name !== '' && !isGone) return;
    const className = classNameOf(volume) ?? '';
    for (const claim of this.#deps.view.list('PersistentVolumeClaim')) {
      const { volumeName } = claim.spec;
      const waits = !volumeName && (classNameOf(claim) ?? '') === className;
      if (waits || volumeName === volume.metadata.name) this.#queue.add(CLAIM + keyOf(claim));
    }
  }

  #onNode(name: string): void {
    for (const volume of this.#deps.view.volumesOnNode(name)) this.#queue.add(VOLUME + volume.metadata.name);
  }

  /** Only coming, going and getting a node make a difference to a claim. */
  #onPod({ metadata, spec }: Pod, before: Pod | undefined): void {
    if (before !== undefined && before.spec.nodeName === spec.nodeName) return;
    for (const { claim } of claimsOf(spec)) this.#queue.add(`${CLAIM}${metadata.namespace ?? ''}/${claim}`);
  }

  #addAllClaims(): void {
    for (const claim of this.#deps.view.list('PersistentVolumeClaim')) this.#queue.add(CLAIM + keyOf(claim));
  }

  async #reconcile(key: string): Promise<void> {
    if (key === 'class') return ensureLocalClass(this.#deps);
    if (key.startsWith(VOLUME)) return this.#reconcileVolume(key.slice(VOLUME.length));
    const { namespace, name } = splitKey(key.slice(CLAIM.length));
    const claim = this.#deps.view.get('PersistentVolumeClaim', namespace, name);
    if (claim === undefined) return;
    if (claim.metadata.deletionTimestamp !== undefined) await this.#release(claim);
    else if (!(await this.#writes.giveClass(claim))) await this.#reconcileClaim(claim);
  }

  async #reconcileClaim(claim: PersistentVolumeClaim): Promise<void> {
    const { view } = this.#deps;
    const step = nextClaimStep(claim, {
      volumes: () => volumesFor(view, claim),
      volume: (name) => view.get('PersistentVolume', '', name),
      storageClass: (name) => view.get('StorageClass', '', name),
      node: (name) => view.get('Node', '', name),
      waitingPod: () => this.#podsOf(claim).find((pod) => pod.spec.nodeName === undefined)?.metadata.name,
    });
    if ('note' in step && step.note !== undefined) this.#tell(claim, step.note);
    switch (step.do) {
      case 'nothing':
      case 'wait':
        return;
      case 'bind':
        return this.#writes.bind(claim, step.volume);
      case 'provision':
        return this.#writes.provision(claim, step.storageClass, step.node);
      case 'ask':
        return this.#writes.ask(claim, step.provisioner);
      case 'forget-node':
        return this.#writes.forgetNode(claim);
      case 'lose':
        return this.#writes.lose(claim);
    }
  }

  /** A claim that is being deleted goes once no pod uses it. */
  async #release(claim: PersistentVolumeClaim): Promise<void> {
    if (claim.metadata.finalizers?.includes(CLAIM_PROTECTION) !== true) return;
    if (this.#podsOf(claim).some((pod) => pod.spec.nodeName !== undefined)) return;
    await this.#writes.dropFinalizers('PersistentVolumeClaim', claim, [CLAIM_PROTECTION]);
  }

  #podsOf({ metadata: { namespace = '', name } }: PersistentVolumeClaim): readonly Pod[] {
    return this.#deps.view.podsUsingClaim(namespace, name);
  }

  async #reconcileVolume(name: string): Promise<void> {
    const { view, client, log } = this.#deps;
    const volume = view.get('PersistentVolume', '', name);
    if (volume === undefined) return;
    const { claimRef } = volume.spec;
    const node = nodeOfVolume(volume);
    const step = nextVolumeStep(volume, {
      claim: view.get('PersistentVolumeClaim', claimRef?.namespace ?? '', claimRef?.name ?? ''),
      dataGone: node !== undefined && this.#removed.get(node)?.has(name) === true,
      nodeGone: node !== undefined && view.get('Node', '', node) === undefined,
    });
    if ('note' in step && step.note !== undefined) this.#tell(volume, step.note);
    switch (step.do) {
      case 'nothing':
      case 'tell-device':
        return;
      case 'phase':
        return this.#writes.phase(volume, step.phase, step.message);
      case 'free':
        return this.#writes.free(volume);
      case 'look-at-claim':
        this.#queue.add(`${CLAIM}${claimRef?.namespace ?? ''}/${claimRef?.name ?? ''}`);
        return;
      case 'delete':
        log.info('volume removed', { volume: name, node });
        return tolerant(client.delete('PersistentVolume', '', name, { uid: volume.metadata.uid }));
      case 'drop-finalizers':
        return this.#writes.dropFinalizers('PersistentVolume', volume, step.finalizers);
    }
  }

  #tell(about: PersistentVolume | PersistentVolumeClaim, note: Note): void {
    this.#deps.events.record({ involved: referenceTo(about), ...note });
  }
}
