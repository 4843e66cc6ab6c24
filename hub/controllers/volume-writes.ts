import type { Node } from '../../protocol/kinds/node.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../protocol/kinds/storage.ts';
import { defaultClassOf } from '../decide/volumes/admit-storage.ts';
import { boundStatus, claimVolume, nameVolume, unclaimVolume } from '../decide/volumes/binding.ts';
import { provisionedName, provisionedVolume } from '../decide/volumes/provision.ts';
import {
  classNameOf,
  DEFAULT_CLASS,
  LOCAL_CLASS,
  LOCAL_PROVISIONER,
  SELECTED_NODE,
  STORAGE_PROVISIONER,
} from '../decide/volumes/words.ts';
import { isApiError, type LoopDeps, momentOf, referenceTo, tolerant } from '../loop.ts';

type Kind = 'PersistentVolume' | 'PersistentVolumeClaim';

/** Carries out the steps of claims and volumes: each write looks at the newest state and does nothing that is done already. */
export class VolumeWrites {
  readonly #deps: LoopDeps;

  constructor(deps: LoopDeps) {
    this.#deps = deps;
  }

  /** Both sides of a binding, volume first: a claim that says it is bound has its volume. */
  async bind(claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
    const { client } = this.#deps;
    const { namespace = '', name, uid } = claim.metadata;
    if (!volume.spec.claimRef?.uid) {
      const written = await client.modify('PersistentVolume', '', volume.metadata.name, (draft) =>
        claimVolume(draft, claim),
      );
      // Somebody else was faster: the volume's change brings this claim back.
      if (written?.spec.claimRef?.uid !== uid) return;
    }
    await this.phase(volume, 'Bound');
    await client.modify('PersistentVolumeClaim', namespace, name, (draft) =>
      draft.metadata.uid === uid ? nameVolume(draft, volume) : false,
    );
    await client.modify(
      'PersistentVolumeClaim',
      namespace,
      name,
      (draft) => {
        const isDone = draft.metadata.uid !== uid || draft.spec.volumeName !== volume.metadata.name;
        if (isDone || draft.status?.phase === 'Bound') return false;
        draft.status = { ...draft.status, ...boundStatus(volume) };
        return true;
      },
      'status',
    );
  }

  /** Makes the claim's folder exist as a volume; the device makes the folder with the first pod. */
  async provision(claim: PersistentVolumeClaim, storageClass: StorageClass, node: Node): Promise<void> {
    const { client, events, log } = this.#deps;
    await this.ask(claim, LOCAL_PROVISIONER);
    const name = provisionedName(claim);
    try {
      await client.create('PersistentVolume', provisionedVolume(claim, storageClass, node));
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
    log.info('volume made', { volume: name, node: node.metadata.name });
    const message = `Successfully provisioned volume ${name}`;
    const involved = referenceTo(claim);
    events.record({ involved, type: 'Normal', reason: 'ProvisioningSucceeded', message });
  }

  /** Names on the claim who is to make its volume. */
  async ask(claim: PersistentVolumeClaim, provisioner: string): Promise<void> {
    await this.#annotate(claim, STORAGE_PROVISIONER, provisioner);
  }

  /** The scheduler chooses another node. */
  async forgetNode(claim: PersistentVolumeClaim): Promise<void> {
    await this.#annotate(claim, SELECTED_NODE, undefined);
  }

  /** Gives a claim that names no class the default one; true when it did, and the claim's change calls again. */
  async giveClass(claim: PersistentVolumeClaim): Promise<boolean> {
    if (classNameOf(claim) !== undefined || claim.spec.volumeName) return false;
    const standard = defaultClassOf(this.#deps.view.list('StorageClass'));
    if (standard === undefined) return false;
    const { namespace = '', name, uid } = claim.metadata;
    await this.#deps.client.modify('PersistentVolumeClaim', namespace, name, (draft) => {
      if (draft.metadata.uid !== uid || classNameOf(draft) !== undefined) return false;
      draft.spec.storageClassName = standard.metadata.name;
      return true;
    });
    return true;
  }

  async lose(claim: PersistentVolumeClaim): Promise<void> {
    const { namespace = '', name } = claim.metadata;
    await this.#deps.client.modify(
      'PersistentVolumeClaim',
      namespace,
      name,
      (draft) => {
        if (draft.metadata.uid !== claim.metadata.uid || draft.status?.phase === 'Lost') return false;
        draft.status = { phase: 'Lost' };
        return true;
      },
      'status',
    );
  }

  async phase(volume: PersistentVolume, phase: string, message?: string): Promise<void> {
    const { time } = momentOf(this.#deps.clock);
    await this.#deps.client.modify(
      'PersistentVolume',
      '',
      volume.metadata.name,
      (draft) => {
        if (draft.metadata.uid !== volume.metadata.uid || draft.status?.phase === phase) return false;
        draft.status = {
          phase,
          lastPhaseTransitionTime: time,
          ...(message === undefined ? {} : { message }),
        };
        return true;
      },
      'status',
    );
  }

  async free(volume: PersistentVolume): Promise<void> {
    await this.#deps.client.modify('PersistentVolume', '', volume.metadata.name, (draft) => {
      if (draft.metadata.resourceVersion !== volume.metadata.resourceVersion) return false;
      unclaimVolume(draft);
      return true;
    });
  }

  async dropFinalizers(
    kind: Kind,
    of: PersistentVolume | PersistentVolumeClaim,
    finalizers: readonly string[],
  ): Promise<void> {
    const { namespace = '', name, uid } = of.metadata;
    const drop = (draft: PersistentVolume | PersistentVolumeClaim): boolean => {
      const present = draft.metadata.finalizers ?? [];
      const kept = present.filter((finalizer) => !finalizers.includes(finalizer));
      if (draft.metadata.uid !== uid || kept.length === present.length) return false;
      if (kept.length > 0) draft.metadata.finalizers = kept;
      else delete draft.metadata.finalizers;
      return true;
    };
    await this.#deps.client.modify(kind, namespace, name, drop);
  }

  async #annotate(claim: PersistentVolumeClaim, key: string, value: string | undefined): Promise<void> {
    const { namespace = '', name, uid, annotations } = claim.metadata;
    if (annotations?.[key] === value) return;
    await this.#deps.client.modify('PersistentVolumeClaim', namespace, name, (draft) => {
      if (draft.metadata.uid !== uid || draft.metadata.annotations?.[key] === value) return false;
      const { [key]: _, ...others } = draft.metadata.annotations ?? {};
      draft.metadata.annotations = value === undefined ? others : { ...others, [key]: value };
      return true;
    });
  }
}

/** The class every cluster starts with; made again at a start when it is missing. */
export async function ensureLocalClass({ view, client }: Pick<LoopDeps, 'view' | 'client'>): Promise<void> {
  if (view.get('StorageClass', '', LOCAL_CLASS) !== undefined) return;
  const others = defaultClassOf(view.list('StorageClass')) !== undefined;
  const created = client.create('StorageClass', {
    metadata: { name: LOCAL_CLASS, ...(others ? {} : { annotations: { [DEFAULT_CLASS]: 'true' } }) },
    provisioner: LOCAL_PROVISIONER,
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
  });
  try {
    await tolerant(created);
  } catch (error) {
    // A person made one of this name meanwhile: theirs counts.
    if (!isApiError(error, 'AlreadyExists')) throw error;
  }
}
