import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { NodeFacts } from '../../protocol/wire/messages.ts';
import { sameJson } from '../decide/content-hash.ts';
import { carries, nodeAnnotations, nodeLabels, nodeStatus, withEntries } from '../decide/node-object.ts';
import { nextPodCidr } from '../decide/pod-cidr.ts';
import { isApiError, type LoopDeps, loopQueue, momentOf, referenceTo } from '../loop.ts';

/**
 * Keeps Node objects as the devices describe themselves: makes them at the first hello, gives each its own pod range, writes only
 * what changed. Invariant: two nodes never get the same range, because a range is reserved before its write begins.
 */
export class Registrar {
  readonly #deps: LoopDeps;
  readonly #clusterCidr: string;
  readonly #registered: (node: string) => void;
  readonly #facts = new Map<string, { facts: NodeFacts; birth: Readonly<Record<string, string>> }>();
  readonly #reserved = new Map<string, string>();
  readonly #queue: KeyedQueue;

  /** `registered` is called with the node's name whenever its object is there and says what the facts say. */
  constructor(deps: LoopDeps, clusterCidr: string, registered: (node: string) => void) {
    this.#deps = deps;
    this.#clusterCidr = clusterCidr;
    this.#registered = registered;
    this.#queue = loopQueue((node) => this.#reconcile(node), deps, 32);
  }

  /** A device says hello: its node is made if it is not there, with `birth` as annotations, and described by these facts. */
  register(node: string, facts: NodeFacts, birth: Readonly<Record<string, string>> = {}): void {
    this.#put(node, facts, birth);
  }

  /** The node's facts are now these. A node that was deleted since the last hello stays so. */
  update(node: string, facts: NodeFacts): void {
    const known = this.#facts.get(node);
    if (known !== undefined) this.#put(node, facts, known.birth);
  }

  /** The node was deleted: what is still under way for it must not make it again. */
  forget(node: string): void {
    this.#facts.delete(node);
  }

  #put(node: string, facts: NodeFacts, birth: Readonly<Record<string, string>>): void {
    // A device tells its images once a connection, and again when they change.
    const { images: told, ...rest } = facts;
    const images = told ?? this.#facts.get(node)?.facts.images;
    this.#facts.set(node, { facts: images === undefined ? rest : { ...rest, images }, birth });
    this.#queue.add(node);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #reconcile(name: string): Promise<void> {
    const known = this.#facts.get(name);
    if (known === undefined) return;
    const { facts, birth } = known;
    const node = this.#deps.view.get('Node', '', name);
    try {
      if (node === undefined) await this.#create(name, facts, birth);
      else await this.#bringUpToDate(node, facts);
      await this.#writeStatus(name, facts);
    } catch (err) {
      // What is no label today is none tomorrow: only other facts of the device help.
      if (!isApiError(err, 'Invalid')) throw err;
      this.#deps.log.warn('a device describes itself in a way that is refused', { node: name, err });
      return;
    }
    this.#registered(name);
  }

  async #create(name: string, facts: NodeFacts, birth: Readonly<Record<string, string>>): Promise<void> {
    const { client, events, log } = this.#deps;
    const podCIDR = this.#reserve(name);
    try {
      const node = await client.create('Node', {
        metadata: {
          name,
          labels: nodeLabels(name, facts),
          annotations: withEntries(birth, nodeAnnotations(facts)),
        },
        spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
      });
      log.info('node registered', { node: name, podCIDR, profile: facts.profile });
      events.record({
        involved: referenceTo(node),
        type: 'Normal',
        reason: 'RegisteredNode',
        message: `Node ${name} joined with pod range ${podCIDR ?? 'none: the cluster range is used up'}`,
      });
    } finally {
      this.#reserved.delete(name);
    }
  }

  async #bringUpToDate(node: Node, facts: NodeFacts): Promise<void> {
    const { name } = node.metadata;
    const labels = nodeLabels(name, facts);
    const annotations = nodeAnnotations(facts);
    const podCIDR = node.spec.podCIDR ?? this.#reserve(name);
    const settled =
      carries(node.metadata.labels, labels) &&
      carries(node.metadata.annotations, annotations) &&
      podCIDR === node.spec.podCIDR;
    try {
      if (settled) return;
      await this.#deps.client.modify('Node', '', name, (draft) => {
        draft.metadata.labels = { ...draft.metadata.labels, ...labels };
        draft.metadata.annotations = withEntries(draft.metadata.annotations, annotations);
        if (draft.spec.podCIDR === undefined && podCIDR !== undefined) {
          draft.spec.podCIDR = podCIDR;
          draft.spec.podCIDRs = [podCIDR];
        }
        return true;
      });
    } finally {
      this.#reserved.delete(name);
    }
  }

  async #writeStatus(name: string, facts: NodeFacts): Promise<void> {
    const now = momentOf(this.#deps.clock);
    const node = this.#deps.view.get('Node', '', name);
    const same = node?.status !== undefined && sameJson(nodeStatus(node.status, facts, now), node.status);
    if (same) return;
    await this.#deps.client.modify(
      'Node',
      '',
      name,
      (draft) => {
        draft.status = nodeStatus(draft.status, facts, now);
        return true;
      },
      'status',
    );
  }

  #reserve(name: string): string | undefined {
    const given = this.#deps.view.list('Node').flatMap((node) => node.spec.podCIDR ?? []);
    const cidr = nextPodCidr(this.#clusterCidr, [...given, ...this.#reserved.values()]);
    if (cidr !== undefined) this.#reserved.set(name, cidr);
    return cidr;
  }
}
