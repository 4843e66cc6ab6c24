import type { BackoffPolicy } from '../../kit/backoff.ts';
import { inParallel } from '../../kit/parallel.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ControllerRevision, DaemonSet } from '../../protocol/kinds/workloads.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import type { Change } from '../cluster.ts';
import { planClaim } from '../decide/claim.ts';
import { contentHash } from '../decide/content-hash.ts';
import { CONTROLLER_REVISION_HASH } from '../decide/controller-revisions.ts';
import {
  type DaemonPlan,
  type DaemonWorld,
  planDaemonSet,
  type RemovalReason,
} from '../decide/daemon-set.ts';
import { daemonTemplate } from '../decide/daemon-set-pod.ts';
import { rollUpDaemonSet } from '../decide/daemon-set-status.ts';
import { controllerUid } from '../decide/pod-facts.ts';
import { keyOf, type Loop, type LoopDeps, referenceTo, splitKey, tolerant } from '../loop.ts';
import { Holds } from './holds.ts';
import { controllerDeps, ObjectLoop, spacingForPods } from './object-loop.ts';
import { orphansIn } from './ownership.ts';
import { PodControl, podFromTemplate } from './pod-control.ts';
import { type CurrentRevision, RevisionHistory } from './revision-history.ts';
import { slowStart } from './slow-start.ts';

const WRITES_IN_FLIGHT = 64;
/** Pods made at first when nothing is known of trouble; a failure stops there. */
const FIRST_BATCH = 16;
/** Pods made in one pass; the rest follows in the next, so that a huge number does not hold the queue. */
const BURST = 250;
/** How long a failed pod is left lying before it is replaced, from the second in a row on a node. */
const FAILED_PODS: BackoffPolicy = { baseMs: 1_000, maxMs: 15 * 60_000 };

/**
 * Keeps one pod of every DaemonSet on each node that fits it, replaces pods of earlier templates within bounds and keeps their
 * templates. Level-triggered, one pass per DaemonSet at a time.
 */
export class DaemonSetController implements Loop {
  readonly #deps: LoopDeps;
  readonly #pods: PodControl;
  readonly #history: RevisionHistory;
  readonly #holds: Holds;
  readonly #loop: ObjectLoop;

  constructor(deps: LoopDeps) {
    this.#deps = controllerDeps(deps, 'daemon-set');
    this.#pods = new PodControl(deps);
    this.#history = new RevisionHistory(deps);
    this.#holds = new Holds(deps.clock, FAILED_PODS);
    this.#loop = new ObjectLoop(deps, {
      name: 'daemon-set',
      kind: 'DaemonSet',
      reconcile: (key) => this.#reconcile(key),
      spacingMs: () => this.#spacingMs(),
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
    if (kind === 'Node') this.#onNode(type, object as Node, previous as Node | undefined);
    if (kind === 'DaemonSet' && type === 'deleted') this.#holds.forget(object.metadata.uid);
    if (kind !== 'Pod' && kind !== 'ControllerRevision') return;
    for (const dependent of previous === undefined ? [object] : [object, previous])
      this.#addOwner(dependent as Pod | ControllerRevision);
  }

  /** Devices report often; only what a DaemonSet judges a node by is worth a look. */
  #onNode(type: Change['type'], node: Node, previous: Node | undefined): void {
    const same = type === 'modified' && previous !== undefined && placeOf(node) === placeOf(previous);
    if (same) return;
    for (const set of this.#deps.view.list('DaemonSet')) this.#loop.add(keyOf(set));
  }

  #addOwner(dependent: Pod | ControllerRevision): void {
    const { view } = this.#deps;
    const { namespace, labels } = dependent.metadata;
    const uid = controllerUid(dependent);
    const owner = uid === undefined ? undefined : view.byUid('DaemonSet', uid);
    if (owner !== undefined) this.#loop.add(keyOf(owner));
    if (uid !== undefined) return;
    // Without owner it may be one to adopt.
    for (const set of view.list('DaemonSet', namespace))
      if (selectorMatches(set.spec.selector, labels)) this.#loop.add(keyOf(set));
  }

  /** A pass looks at every node and at every pod. */
  #spacingMs(): number {
    return spacingForPods(2 * this.#deps.view.list('Node').length);
  }

  async #reconcile(key: string): Promise<void> {
    const { view } = this.#deps;
    const { namespace, name } = splitKey(key);
    const set = view.get('DaemonSet', namespace, name);
    if (set === undefined || set.metadata.deletionTimestamp !== undefined) return;
    await this.#claim(set);
    const current = await this.#history.current(set, set.status?.collisionCount);
    const plan = planDaemonSet(this.#world(set, current));
    const create = plan.create.slice(0, BURST);
    try {
      await this.#remove(set, plan);
      await this.#create(set, create, hashOf(current));
    } finally {
      // What failed rises after the status is told; the queue tries again.
      await this.#writeStatus(set, current);
    }
    await this.#truncate(set, current);
    if (plan.lookAgainMs !== undefined) this.#loop.queue.addAfter(key, Math.max(1, plan.lookAgainMs));
    if (create.length < plan.create.length) this.#loop.queue.add(key);
  }

  #world(set: DaemonSet, current: CurrentRevision): DaemonWorld {
    const { view, clock } = this.#deps;
    const { uid } = set.metadata;
    return {
      set,
      nodes: view.list('Node'),
      pods: view.ownedBy('Pod', uid),
      hash: hashOf(current),
      nowMs: clock.nowMs(),
      holdMs: (node) => this.#holds.leftMs(uid, node),
    };
  }

  /** Takes over pods and revisions that match and have no controller, lets go of pods that no longer match. */
  async #claim(set: DaemonSet): Promise<void> {
    const { view } = this.#deps;
    const { uid, namespace } = set.metadata;
    const pods = [...view.ownedBy('Pod', uid), ...orphansIn(view, 'Pod', namespace)];
    const { adopt, release } = planClaim(set, set.spec.selector, pods);
    await inParallel(release, WRITES_IN_FLIGHT, (pod) => this.#pods.release(set, pod));
    await inParallel(adopt, WRITES_IN_FLIGHT, (pod) => this.#pods.adopt(set, pod));
    await this.#history.adopt(set);
  }

  async #remove(set: DaemonSet, { remove }: DaemonPlan): Promise<void> {
    await inParallel(remove, WRITES_IN_FLIGHT, async ({ pod, node, why }) => {
      if (!this.#isSame(set)) return;
      if (why === 'failed') this.#holds.note(set.metadata.uid, node);
      this.#tellEnded(set, pod, node, why);
      await this.#pods.remove(set, pod);
    });
  }

  #tellEnded(set: DaemonSet, pod: Pod, node: string, why: RemovalReason): void {
    if (why !== 'failed' && why !== 'succeeded') return;
    const involved = referenceTo(set);
    const found = `Found ${why} daemon pod ${keyOf(pod)} on node ${node}`;
    this.#deps.events.record(
      why === 'failed'
        ? { involved, type: 'Warning', reason: 'FailedDaemonPod', message: `${found}, will try to kill it` }
        : {
            involved,
            type: 'Normal',
            reason: 'SucceededDaemonPod',
            message: `${found}, will try to delete it`,
          },
    );
  }

  #create(set: DaemonSet, nodes: readonly string[], hash: string): Promise<void> {
    const waiting = nodes.values();
    return slowStart(nodes.length, { first: FIRST_BATCH, most: WRITES_IN_FLIGHT }, async () => {
      const { value: node } = waiting.next();
      if (node === undefined || !this.#isSame(set)) return;
      await this.#pods.create(set, podFromTemplate(set, daemonTemplate(set, node, hash)));
    });
  }

  /** True while nobody has changed what is asked for; a change has called for another pass. */
  #isSame({ metadata: { uid, generation } }: DaemonSet): boolean {
    const now = this.#deps.view.byUid('DaemonSet', uid)?.metadata;
    return now?.generation === generation && now?.deletionTimestamp === undefined;
  }

  async #writeStatus(set: DaemonSet, current: CurrentRevision): Promise<void> {
    const { view, client } = this.#deps;
    const now = view.byUid('DaemonSet', set.metadata.uid);
    // One that was changed meanwhile may have another revision: the next pass tells of it.
    if (now === undefined || !this.#isSame(set)) return;
    const { status, changed } = rollUpDaemonSet(this.#world(now, current), current.collisionCount);
    if (changed) await tolerant(client.updateStatus('DaemonSet', { ...now, status }));
  }

  /** Templates of which pods are left stay, whatever the limit. */
  async #truncate(set: DaemonSet, current: CurrentRevision): Promise<void> {
    const pods = this.#deps.view.ownedBy('Pod', set.metadata.uid);
    const inUse = new Set(pods.map((pod) => pod.metadata.labels?.[CONTROLLER_REVISION_HASH]));
    await this.#history.truncate(
      set,
      ({ metadata: { name, labels } }) =>
        name === current.revision.metadata.name || inUse.has(labels?.[CONTROLLER_REVISION_HASH]),
      set.spec.revisionHistoryLimit,
    );
  }
}

function hashOf({ revision: { metadata } }: CurrentRevision): string {
  return metadata.labels?.[CONTROLLER_REVISION_HASH] ?? metadata.name;
}

function placeOf({ metadata: { labels }, spec: { taints } }: Node): string {
  return contentHash({ labels, taints });
}
