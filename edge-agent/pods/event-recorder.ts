import { randomUUID } from 'node:crypto';
import { type Clock, toTime } from '../../kit/clock.ts';
import type { ObjectReference } from '../../protocol/kinds/meta.ts';
import type { DesiredPod, EventReport } from '../../protocol/wire/messages.ts';

/** Repetitions within this time raise the count of the first instead of making a new event, as in Kubernetes. */
const REPEAT_MS = 10 * 60_000;
/** Events remembered for counting; the oldest are forgotten first. */
const REMEMBERED = 512;

interface Remembered {
  readonly report: EventReport;
  readonly sinceMs: number;
}

/** Turns what happens to pods into reports; the same thing happening again raises `count` under the same `id`. */
export class EventRecorder {
  readonly #clock: Clock;
  readonly #sink: (event: EventReport) => void;
  readonly #recent = new Map<string, Remembered>();

  constructor(clock: Clock, sink: (event: EventReport) => void) {
    this.#clock = clock;
    this.#sink = sink;
  }

  /** Something that is as it should be. `container` names the container it happened to. */
  normal(pod: DesiredPod, reason: string, message: string, container?: string): void {
    this.#record(pod, 'Normal', reason, message, container);
  }

  /** Something a person may have to look at. */
  warning(pod: DesiredPod, reason: string, message: string, container?: string): void {
    this.#record(pod, 'Warning', reason, message, container);
  }

  /** Something that happened to the node itself. */
  node(nodeName: string, type: EventReport['type'], reason: string, message: string): void {
    this.#put({ kind: 'Node', apiVersion: 'v1', name: nodeName, uid: nodeName }, type, reason, message);
  }

  #record(
    pod: DesiredPod,
    type: EventReport['type'],
    reason: string,
    message: string,
    container: string | undefined,
  ): void {
    const { uid, name, namespace = 'default' } = pod.metadata;
    const fields = container === undefined ? {} : { fieldPath: fieldPath(pod, container) };
    this.#put({ apiVersion: 'v1', kind: 'Pod', name, namespace, uid, ...fields }, type, reason, message);
  }

  #put(involved: ObjectReference, type: EventReport['type'], reason: string, message: string): void {
    const key = [involved.uid, involved.fieldPath ?? '', type, reason, message].join('\n');
    const nowMs = this.#clock.monotonicMs();
    const time = toTime(this.#clock.nowMs());
    const known = this.#recent.get(key);
    const repeated = known !== undefined && nowMs - known.sinceMs < REPEAT_MS;
    const report: EventReport = repeated
      ? { ...known.report, count: known.report.count + 1, lastTimestamp: time }
      : {
          id: randomUUID(),
          involved,
          type,
          reason,
          message,
          count: 1,
          firstTimestamp: time,
          lastTimestamp: time,
        };
    this.#recent.delete(key);
    this.#recent.set(key, { report, sinceMs: repeated ? known.sinceMs : nowMs });
    if (this.#recent.size > REMEMBERED) this.#forgetOldest();
    this.#sink(report);
  }

  #forgetOldest(): void {
    for (const key of this.#recent.keys()) {
      this.#recent.delete(key);
      return;
    }
  }
}

function fieldPath(pod: DesiredPod, container: string): string {
  const lists = ['initContainers', 'ephemeralContainers'] as const;
  const list = lists.find((name) => pod.spec[name]?.some((c) => c.name === container));
  return `spec.${list ?? 'containers'}{${container}}`;
}
