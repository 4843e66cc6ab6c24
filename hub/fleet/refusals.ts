import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { HelloReport, RefusedReport } from '../../protocol/wire/messages.ts';
import type { Change } from '../cluster.ts';
import { CONDITION_REFUSED } from '../decide/assess-node.ts';
import { withCondition } from '../decide/node-object.ts';
import { type LoopDeps, loopQueue, momentOf, referenceTo } from '../loop.ts';

/** A person sets this on a Node to have the device follow this hub after all. */
export const ACCEPT = 'coxswain.dev/accept-desired-state';
/** Generation the device held when it refused. */
const REFUSED_GENERATION = 'coxswain.dev/refused-generation';
/** Added to the store's revision for this node, so that its generations go on from where an earlier store had got. */
const GENERATION_FLOOR = 'coxswain.dev/generation-floor';
const MAX_NAMED_PODS = 10;

/** What to add to the store's revision to get the node's generation; 0 for almost every node. */
export function generationFloor(node: Node | undefined): number {
  const floor = Number(node?.metadata.annotations?.[GENERATION_FLOOR] ?? 0);
  return Number.isSafeInteger(floor) && floor > 0 ? floor : 0;
}

/** True while the node's device is not to be told what to do: it refused, or came as a stranger. */
export function isRefusing(node: Node | undefined): boolean {
  return node?.metadata.annotations?.[REFUSED_GENERATION] !== undefined;
}

/**
 * True for a device of this very cluster that runs pods while the store knows neither it nor them: the store was lost. Generations
 * cannot tell, because a new store's revisions may be above the device's. A node that was deleted while its device was
 * away looks the same; nothing is stopped then that a person has not given up.
 */
export function isStranger(
  hello: HelloReport,
  clusterId: string,
  node: Node | undefined,
  knowsPod: (uid: string) => boolean,
): boolean {
  if (node !== undefined || hello.cluster !== clusterId) return false;
  return Object.keys(hello.have).some((key) => key.startsWith('pod/') && !knowsPod(key.slice(4)));
}

/** What a node is created with when its device is a stranger: durable together with the node itself. */
export function strangerAnnotations(hello: HelloReport): Record<string, string> {
  return { [REFUSED_GENERATION]: String(hello.gen) };
}

/**
 * What happens when a device will not follow: a hub whose store is empty or older than what the device holds must not stop a running
 * fleet. The Node says so, an Event names the pods, and nothing is sent until a person restores the store or accepts the loss by
 * the annotation. The state is kept in the Node, so that it also holds after restarts and when revisions have caught up.
 */
export class Refusals {
  readonly #deps: LoopDeps;
  readonly #accepted: (node: string) => void;
  readonly #reports = new Map<string, RefusedReport>();
  readonly #queue: KeyedQueue;

  /** `accepted` is called when a person has decided that the node shall follow. */
  constructor(deps: LoopDeps, accepted: (node: string) => void) {
    this.#deps = deps;
    this.#accepted = accepted;
    this.#queue = loopQueue((node) => this.#reconcile(node), deps, 8);
  }

  put(node: string, report: RefusedReport): void {
    this.#reports.set(node, report);
    this.#queue.add(node);
  }

  onChange(change: Change): void {
    if (change.kind !== 'Node' || change.type === 'deleted') return;
    const node = change.object as Node;
    if (node.metadata.annotations?.[ACCEPT] !== undefined) this.#queue.add(node.metadata.name);
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #reconcile(name: string): Promise<void> {
    const report = this.#reports.get(name);
    if (report !== undefined) {
      await this.#note(name, report);
      this.#reports.delete(name);
    }
    const node = this.#deps.view.get('Node', '', name);
    if (node?.metadata.annotations?.[ACCEPT] !== undefined) await this.#accept(node);
  }

  async #note(name: string, report: RefusedReport): Promise<void> {
    const { view, client, clock, events, log } = this.#deps;
    const node = view.get('Node', '', name);
    // The registrar is still at it: the queue tries again.
    if (node === undefined) throw new Error(`node ${name} is not registered yet`);
    const message = textOf(name, report);
    log.error('device refuses the desired state', {
      node: name,
      reason: report.reason,
      gen: report.gen,
      offeredGen: report.offeredGen,
      pods: report.pods.length,
    });
    const { time } = momentOf(clock);
    await client.modify('Node', '', name, (draft) => {
      draft.metadata.annotations = {
        ...draft.metadata.annotations,
        [REFUSED_GENERATION]: String(report.gen),
      };
      return true;
    });
    await this.#setCondition(name, 'True', report.reason, message, time);
    events.record({
      involved: referenceTo(node),
      type: 'Warning',
      reason: CONDITION_REFUSED,
      message,
      replaces: true,
    });
  }

  async #accept(node: Node): Promise<void> {
    const { client, clock, log } = this.#deps;
    const { name } = node.metadata;
    await client.modify('Node', '', name, (draft) => {
      const { [ACCEPT]: _accept, [REFUSED_GENERATION]: refused, ...rest } = draft.metadata.annotations ?? {};
      const floor = Math.max(generationFloor(draft), Number(refused ?? 0) || 0);
      draft.metadata.annotations = floor > 0 ? { ...rest, [GENERATION_FLOOR]: String(floor) } : rest;
      return true;
    });
    if (node.status?.conditions?.some((c) => c.type === CONDITION_REFUSED)) {
      const message = 'A person decided that the device follows this hub.';
      await this.#setCondition(name, 'False', 'Accepted', message, momentOf(clock).time);
    }
    log.info('device shall follow this hub', { node: name });
    this.#accepted(name);
  }

  async #setCondition(
    name: string,
    status: 'True' | 'False',
    reason: string,
    message: string,
    time: string,
  ): Promise<void> {
    await this.#deps.client.modify(
      'Node',
      '',
      name,
      (draft) => {
        const present = draft.status?.conditions?.find((c) => c.type === CONDITION_REFUSED);
        const since = present?.status === status ? present.lastTransitionTime : undefined;
        const condition = {
          type: CONDITION_REFUSED,
          status,
          reason,
          message,
          lastTransitionTime: since ?? time,
        };
        draft.status = { ...draft.status, conditions: withCondition(draft.status?.conditions, condition) };
        return true;
      },
      'status',
    );
  }
}

function textOf(node: string, report: RefusedReport): string {
  const named = report.pods.slice(0, MAX_NAMED_PODS).map((p) => `${p.namespace}/${p.name}`);
  const more = report.pods.length > named.length ? ` and ${report.pods.length - named.length} more` : '';
  const pods = named.length === 0 ? 'no pods' : `${named.join(', ')}${more}`;
  if (report.reason === 'OtherCluster') {
    return `The device belongs to cluster ${report.cluster} and keeps running ${pods}. Join it to this cluster again to have it follow this hub.`;
  }
  return `The device holds generation ${report.gen} of a desired state that this hub does not know: the hub's store was lost or is older, or the node was deleted while its device was away. The device keeps running ${pods}. Restore the hub's store; or, to have the device follow this hub and stop what it does not know: kubectl annotate node ${node} ${ACCEPT}=true`;
}
