import type { Condition } from '../../protocol/kinds/meta.ts';
import type { Pod, PodStatus } from '../../protocol/kinds/pod.ts';
import { withCondition } from '../decide/node-object.ts';
import type { Placed } from '../decide/place.ts';
import { placementText } from '../decide/placement-text.ts';
import { keyOf, type LoopDeps, momentOf, referenceTo, tolerant } from '../loop.ts';
import type { VolumeBinder } from './volume-binder.ts';

/** Everything the scheduler writes. Writes run beside the next decisions; what they fail with is told, never thrown into nowhere. */
export class SchedulerWrites {
  readonly #deps: LoopDeps;
  readonly #volumes: VolumeBinder;
  readonly #running = new Set<Promise<void>>();

  constructor(deps: LoopDeps, volumes: VolumeBinder) {
    this.#deps = deps;
    this.#volumes = volumes;
  }

  /** Lets a write run beside the next decisions. */
  run(write: Promise<void>): void {
    const tracked = write
      .catch((err: unknown) => this.#deps.log.warn('scheduler write failed', { err }))
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  /** Resolves when no write runs any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Binds the pod and says so. Rejects when it could not be bound. */
  async bind(pod: Pod, placement: Placed, nodes: number): Promise<void> {
    const { client, events, log } = this.#deps;
    const { namespace = '', name, uid } = pod.metadata;
    await this.#volumes.prepare(pod, placement.node);
    await client.bind(namespace, name, uid, placement.node);
    const { score, feasible, staleTelemetry } = placement;
    log.info('pod bound', { pod: keyOf(pod), node: placement.node, score, feasible, staleTelemetry });
    const message = `Successfully assigned ${keyOf(pod)} to ${placement.node} (${placementText(placement, nodes)})`;
    events.record({ involved: referenceTo(pod), type: 'Normal', reason: 'Scheduled', message });
  }

  /** Says why the pod waits: in full as an Event; in the condition only what does not change with every load figure. */
  async tellUnschedulable(pod: Pod, summary: string, text: string): Promise<void> {
    const involved = referenceTo(pod);
    this.#deps.events.record({
      involved,
      type: 'Warning',
      reason: 'FailedScheduling',
      message: text,
      replaces: true,
    });
    await this.#tellPending(pod, 'Unschedulable', summary);
  }

  /** Says that the pod's own gates keep it waiting. */
  async tellGated(pod: Pod): Promise<void> {
    await this.#tellPending(
      pod,
      'SchedulingGated',
      'Scheduling is blocked due to non-empty scheduling gates',
    );
  }

  /** Room is made for the pod on `node`; undefined takes the promise back. */
  async nominate(pod: Pod, node: string | undefined): Promise<void> {
    if ((pod.status?.nominatedNodeName ?? '') === (node ?? '')) return;
    await this.#changeStatus(pod, (status) => {
      const { nominatedNodeName: _before, ...rest } = status;
      return node === undefined ? rest : { ...rest, nominatedNodeName: node };
    });
  }

  /** Removes a pod for a more important one, with its own grace, and says for whom. */
  async preempt(victim: Pod, preemptor: Pod, node: string): Promise<void> {
    const { client, events, log } = this.#deps;
    const { namespace = '', name, uid, deletionTimestamp } = victim.metadata;
    if (deletionTimestamp !== undefined) return;
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
      lastTransitionTime: momentOf(this.#deps.clock).time,
    } as const;
    await tolerant(
      this.#changeStatus(victim, (status) => ({
        ...status,
        conditions: withCondition(status.conditions, condition),
      })),
    );
    await tolerant(client.delete('Pod', namespace, name, { uid }));
    log.info('pod preempted', { pod: keyOf(victim), for: keyOf(preemptor), node });
    const message = `Preempted by pod ${preemptor.metadata.uid} on node ${node}`;
    events.record({ involved: referenceTo(victim), type: 'Normal', reason: 'Preempted', message });
  }

  async #tellPending(pod: Pod, reason: string, message: string): Promise<void> {
    const present = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
    const pending = present?.status === 'False' ? present : undefined;
    if (pending?.reason === reason && pending.message === message) return;
    const condition: Condition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      lastTransitionTime: pending?.lastTransitionTime ?? momentOf(this.#deps.clock).time,
    };
    await this.#changeStatus(
      pod,
      (status) => ({ ...status, conditions: withCondition(status.conditions, condition) }),
      (draft) => draft.spec.nodeName === undefined,
    );
  }

  async #changeStatus(
    { metadata: { namespace = '', name, uid } }: Pod,
    change: (status: PodStatus) => PodStatus,
    only: (draft: Pod) => boolean = () => true,
  ): Promise<void> {
    const edit = (draft: Pod): boolean => {
      if (draft.metadata.uid !== uid || !only(draft)) return false;
      draft.status = change(draft.status ?? {});
      return true;
    };
    await this.#deps.client.modify('Pod', namespace, name, edit, 'status');
  }
}
