import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import { inParallel } from '../../kit/parallel.ts';
import type { EventReport, EventsReport, PodReport, StatusReport } from '../../protocol/wire/messages.ts';
import { judgePodReport } from '../decide/pod-report.ts';
import { isApiError, keyOf, type LoopDeps, loopQueue, referenceTo, tolerant } from '../loop.ts';
import type { DeviceLink } from './device-link.ts';
import type { Sessions } from './sessions.ts';

/** Takes a device's own events. */
export interface DeviceEventSink {
  recordFromDevice(node: string, report: EventReport): void;
}

type Kept = StatusReport | EventsReport;

const WRITES_IN_FLIGHT = 64;
/** Reports waiting per node; a device keeps what was not acknowledged, so more are simply not taken. */
const MAX_WAITING = 1000;

/**
 * Makes devices' reports durable, then acknowledges them. What arrives while a batch is being written makes the next batch, of which
 * only the newest status per pod is written. Invariant: a sequence number is acknowledged only when everything up to it is durable.
 */
export class ReportInbox {
  readonly #deps: LoopDeps;
  readonly #link: DeviceLink;
  readonly #sessions: Sessions;
  readonly #events: DeviceEventSink;
  readonly #sendAgain: (node: string) => void;
  readonly #waiting = new Map<string, Kept[]>();
  readonly #queue: KeyedQueue;

  /** `sendAgain` is called when a device dropped a pod that it should hold. */
  constructor(
    deps: LoopDeps,
    link: DeviceLink,
    sessions: Sessions,
    events: DeviceEventSink,
    sendAgain: (node: string) => void,
  ) {
    this.#deps = deps;
    this.#link = link;
    this.#sessions = sessions;
    this.#events = events;
    this.#sendAgain = sendAgain;
    this.#queue = loopQueue((node) => this.#drain(node), deps, 64);
  }

  /** Takes a report; false when too many wait and it was not taken. */
  put(node: string, report: Kept): boolean {
    const waiting = this.#waiting.get(node) ?? [];
    if (waiting.length >= MAX_WAITING) return false;
    waiting.push(report);
    this.#waiting.set(node, waiting);
    this.#queue.add(node);
    return true;
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  async #drain(node: string): Promise<void> {
    const taken = this.#waiting.get(node) ?? [];
    this.#waiting.delete(node);
    const { boot } = this.#sessions.get(node) ?? {};
    // A newer hello brings a full inventory: what an older boot said is void.
    const batch = taken.filter((report) => report.boot === boot);
    if (batch.length === 0) return;
    try {
      await this.#write(node, batch);
    } catch (error) {
      this.#waiting.set(node, [...batch, ...(this.#waiting.get(node) ?? [])]);
      throw error;
    }
    const seq = Math.max(...batch.map((report) => report.seq));
    await this.#acknowledge(node, batch[0]?.boot ?? '', seq);
  }

  async #write(node: string, batch: readonly Kept[]): Promise<void> {
    const newest = new Map<string, PodReport>();
    let inventory: ReadonlySet<string> | undefined;
    for (const report of batch) {
      if (report.t === 'events') {
        this.#takeEvents(node, report);
        continue;
      }
      for (const pod of report.pods) newest.set(pod.uid, pod);
      if (report.full === true) inventory = new Set(report.pods.map((pod) => pod.uid));
    }
    await inParallel(newest.values(), WRITES_IN_FLIGHT, (pod) => this.#writePod(node, pod));
    if (inventory !== undefined) await this.#removeUnheld(node, inventory, newest);
  }

  #takeEvents(node: string, { events, dropped }: EventsReport): void {
    for (const event of events) this.#events.recordFromDevice(node, event);
    const object = this.#deps.view.get('Node', '', node);
    if (dropped === undefined || dropped === 0 || object === undefined) return;
    this.#deps.events.record({
      involved: referenceTo(object),
      type: 'Warning',
      reason: 'EventsDropped',
      message: `The device kept only its newest events while it was cut off; ${dropped} are lost.`,
      replaces: true,
    });
  }

  async #writePod(node: string, report: PodReport): Promise<void> {
    const { view, client, log } = this.#deps;
    const pod = view.byUid('Pod', report.uid);
    if (pod === undefined || pod.spec.nodeName !== node) return;
    const verdict = judgePodReport(node, report, pod);
    const { namespace = '', name, uid } = pod.metadata;
    if (verdict.do === 'send-again') return this.#sendAgain(node);
    if (verdict.do === 'remove') {
      log.debug('pod gone', { pod: keyOf(pod), node });
      return tolerant(client.delete('Pod', namespace, name, { uid, gracePeriodSeconds: 0 }));
    }
    try {
      // Also when the view says the same already: a write of somebody else may be on its way to the disk.
      await client.modify(
        'Pod',
        namespace,
        name,
        (draft) => {
          const fresh = judgePodReport(node, report, draft);
          if (fresh.do !== 'write') return false;
          draft.status = fresh.status;
          return true;
        },
        'status',
      );
    } catch (err) {
      if (!isApiError(err, 'Invalid', 'NotFound')) throw err;
      // Trying again would never help, and must not hold up the reports of the other pods.
      log.warn('status of a pod refused', { pod: keyOf(pod), node, err });
    }
  }

  /** Pods being deleted that the device does not even hold: nothing of them runs, and nobody else would ever say so. */
  async #removeUnheld(
    node: string,
    inventory: ReadonlySet<string>,
    newest: ReadonlyMap<string, PodReport>,
  ): Promise<void> {
    const { view, client } = this.#deps;
    const unheld = view
      .podsOnNode(node)
      .filter(
        ({ metadata: m }) => m.deletionTimestamp !== undefined && !inventory.has(m.uid) && !newest.has(m.uid),
      );
    await inParallel(unheld, WRITES_IN_FLIGHT, ({ metadata: { namespace = '', name, uid } }) =>
      tolerant(client.delete('Pod', namespace, name, { uid, gracePeriodSeconds: 0 })),
    );
  }

  async #acknowledge(node: string, boot: string, seq: number): Promise<void> {
    try {
      await this.#link.sendControl(node, { t: 'ack', boot, seq });
    } catch (err) {
      // Safe: the device sends again what was not acknowledged, and writing it again changes nothing.
      this.#deps.log.debug('acknowledgement not sent', { node, seq, err });
    }
  }
}
