import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { jsonEqual } from '../../protocol/json.ts';
import type { ConfigMap, Secret } from '../../protocol/kinds/core.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import { type DesiredPod, type Item, MAX_PACKET_BYTES } from '../../protocol/wire/messages.ts';
import type { Change } from '../cluster.ts';
import { assignment, isSameForDevice, itemOf } from '../decide/assignment.ts';
import { indexOf, planDesired } from '../decide/desired-delta.ts';
import { claimedVolumes, isBound } from '../decide/volumes/pod-volumes.ts';
import { removalsAmong } from '../decide/volumes/volume-step.ts';
import { nodeOfVolume } from '../decide/volumes/words.ts';
import { type LoopDeps, loopQueue } from '../loop.ts';
import type { DeviceLink } from './device-link.ts';
import type { PodTokens } from './pod-tokens.ts';
import { type ReferencedKind, ReferenceIndex } from './reference-index.ts';
import { generationFloor } from './refusals.ts';
import type { Sessions } from './sessions.ts';

/** Who this hub is to the devices. */
export interface FleetIdentity {
  readonly clusterId: string;
  /** All pod addresses of the fleet, for example 10.42.0.0/16. */
  readonly clusterCidr: string;
}

/** Topic, packet head and what MQTT adds. */
const PACKET_MARGIN_BYTES = 4096;

/**
 * Brings every connected device to the desired state that the view shows, which is durable by then. Level-triggered per node: a
 * burst of changes makes one step. Invariant: `session.held` is what the device holds if every message sent so far arrived; when it
 * is not, the device says so and gets the whole index.
 */
export class Dispatcher {
  readonly #deps: LoopDeps;
  readonly #link: DeviceLink;
  readonly #sessions: Sessions;
  readonly #identity: FleetIdentity;
  readonly #tokens: PodTokens;
  readonly #queue: KeyedQueue;
  /** Objects of the view are frozen: their items never change. */
  readonly #items = new WeakMap<object, Item>();
  /** Items of pods with claims, as they were resolved last. */
  readonly #claiming = new WeakMap<object, Item>();
  readonly #references = new ReferenceIndex();

  constructor(
    deps: LoopDeps,
    link: DeviceLink,
    sessions: Sessions,
    identity: FleetIdentity,
    tokens: PodTokens,
  ) {
    this.#deps = deps;
    this.#link = link;
    this.#sessions = sessions;
    this.#identity = identity;
    this.#tokens = tokens;
    this.#queue = loopQueue((node) => this.#dispatch(node), deps, 64);
  }

  /** Takes note of what is there; before the first change. */
  start(): void {
    for (const pod of this.#deps.view.list('Pod')) this.#references.note(pod, true);
  }

  /** Looks at the node's desired state again. */
  trigger(node: string): void {
    this.#queue.add(node);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  /** A change of the view that may concern devices. */
  onChange(change: Change): void {
    this.#tokens.onChange(change);
    switch (change.kind) {
      case 'Pod':
        this.#onPod(change as Change<Pod>);
        return;
      case 'Node':
        this.#onNode(change as Change<Node>);
        return;
      case 'ConfigMap':
        this.#onReferenced('ConfigMap', change.object);
        return;
      case 'Secret':
        this.#onReferenced('Secret', change.object);
        return;
      case 'PersistentVolumeClaim':
        this.#onClaim(change as Change<PersistentVolumeClaim>);
        return;
      case 'PersistentVolume':
        this.#onVolume(change as Change<PersistentVolume>);
        return;
    }
  }

  #onPod({ type, object, previous }: Change<Pod>): void {
    if (type === 'deleted') this.#references.note(previous ?? object, false);
    else if (previous?.spec !== object.spec) {
      if (previous !== undefined) this.#references.note(previous, false);
      this.#references.note(object, true);
    }
    if (type === 'modified' && previous !== undefined && this.#isSame(previous, object)) return;
    for (const name of new Set([object.spec.nodeName, previous?.spec.nodeName])) {
      if (name !== undefined) this.#queue.add(name);
    }
  }

  /** True when a device is told the same of both. Most changes are of status, and share all else: their item is the one before. */
  #isSame(previous: Pod, object: Pod): boolean {
    const item = this.#item(previous);
    if (isSameForDevice(previous, object)) this.#items.set(object, item);
    return item.rev === this.#item(object).rev;
  }

  #onNode({ object, previous }: Change<Node>): void {
    const same =
      previous !== undefined &&
      previous.metadata.annotations === object.metadata.annotations &&
      previous.spec.podCIDR === object.spec.podCIDR;
    if (!same) this.#queue.add(object.metadata.name);
  }

  #onReferenced(kind: ReferencedKind, { metadata: { namespace = '', name } }: KubeObject): void {
    for (const node of this.#references.nodesUsing(kind, namespace, name)) this.#queue.add(node);
  }

  /** Devices care which volume a claim has, and nothing else of it. */
  #onClaim({ object, previous }: Change<PersistentVolumeClaim>): void {
    if (previous === undefined || isBound(object) === isBound(previous)) return;
    this.#triggerUsers(object);
  }

  #triggerUsers({ metadata: { namespace, name } }: PersistentVolumeClaim): void {
    for (const { spec } of this.#deps.view.podsUsingClaim(namespace ?? '', name)) {
      if (spec.nodeName !== undefined) this.#queue.add(spec.nodeName);
    }
  }

  #onVolume({ object: volume, previous, type }: Change<PersistentVolume>): void {
    const node = nodeOfVolume(volume);
    const isRemoval = (of: PersistentVolume | undefined): boolean =>
      of !== undefined && removalsAmong([of]).length > 0;
    // Beside its use by pods a device only cares to be told that a volume goes, and that this is over.
    const after = type === 'deleted' ? undefined : volume;
    if (node !== undefined && isRemoval(previous) !== isRemoval(after)) this.#queue.add(node);
    const { namespace = '', name = '', uid } = volume.spec.claimRef ?? {};
    if (type === 'modified' && previous?.spec.claimRef?.uid === uid) return;
    const claim = this.#deps.view.get('PersistentVolumeClaim', namespace, name);
    if (claim !== undefined) this.#triggerUsers(claim);
  }

  async #dispatch(name: string): Promise<void> {
    const { view, log } = this.#deps;
    const session = this.#sessions.get(name);
    if (session === undefined || session.refused) return;
    const node = view.get('Node', '', name);
    // Before its first registration a node has no pod range, and without it no pod can start: the registrar calls us.
    if (node === undefined && session.needsFull) return;
    const wanted = assignment(node, view.podsOnNode(name), {
      configMap: (ns, n) => view.get('ConfigMap', ns, n),
      secret: (ns, n) => view.get('Secret', ns, n),
      claims: (pod) =>
        claimedVolumes(pod, {
          claim: (ns, n) => view.get('PersistentVolumeClaim', ns, n),
          volume: (n) => view.get('PersistentVolume', '', n),
        }),
      removeVolumes: (of) => removalsAmong(view.volumesOnNode(of)),
      clusterCidr: this.#identity.clusterCidr,
      itemOf: (object, claims) => this.#itemWith(object, claims),
    });
    for (const item of this.#tokens.bring(name, view.podsOnNode(name))) wanted.set(item.key, item);
    const before = session.held;
    const full = session.needsFull;
    const gen = view.revision + generationFloor(node);
    const messages = planDesired(before, wanted, {
      cluster: this.#identity.clusterId,
      gen,
      full,
      maxBytes: MAX_PACKET_BYTES - PACKET_MARGIN_BYTES,
    });
    if (messages.length === 0) return;
    session.held = { gen, index: indexOf(before, wanted) };
    session.needsFull = false;
    try {
      for (const message of messages) await this.#link.sendControl(name, message);
    } catch (error) {
      // What arrived is unknown: everything that may be missing goes again, with the whole index.
      session.held = before;
      session.needsFull = true;
      throw error;
    }
    log.debug('desired state sent', { node: name, gen, full, messages: messages.length, items: wanted.size });
  }

  #item(object: Pod | ConfigMap | Secret): Item {
    const known = this.#items.get(object);
    if (known !== undefined) return known;
    const item = itemOf(object);
    this.#items.set(object, item);
    return item;
  }

  #itemWith(object: Pod | ConfigMap | Secret, claims: DesiredPod['claims']): Item {
    if (claims === undefined) return this.#item(object);
    const known = this.#claiming.get(object);
    if (known?.kind === 'pod' && jsonEqual(known.body.claims, claims)) return known;
    const item = itemOf(object, claims);
    this.#claiming.set(object, item);
    return item;
  }
}
