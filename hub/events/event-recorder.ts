import { type Clock, toTime } from '../../kit/clock.ts';
import { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Logger } from '../../kit/logger.ts';
import type { ObjectReference, Time } from '../../protocol/kinds/meta.ts';
import type { EventReport } from '../../protocol/wire/messages.ts';
import type { ClusterClient } from '../cluster.ts';
import { hashText } from '../decide/content-hash.ts';
import { type EventNote, type EventSink, isApiError } from '../loop.ts';

/** What the recorder is built from; `component` names the writer of the hub's own events. */
export interface EventRecorderDeps {
  readonly client: Pick<ClusterClient, 'create' | 'modify' | 'delete'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly component: string;
  /** Events kept per namespace; the oldest go. Default 1000. */
  readonly maxPerNamespace?: number;
}

interface Entry {
  readonly namespace: string;
  readonly name: string;
  readonly involved: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly source: { readonly component: string; readonly host?: string };
  message: string;
  count: number;
  firstTimestamp: Time;
  lastTimestamp: Time;
  written: boolean;
}

const MAX_PER_NAMESPACE = 1000;

/**
 * Writes Events: the same thing said again raises `count` of the one Event. Memory only (the kind is not durable), bounded per
 * namespace. Invariant: `#entries` holds what was recorded since the start, in order of first sight, within the bound.
 */
export class EventRecorder implements EventSink {
  readonly #deps: EventRecorderDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #perNamespace = new Map<string, number>();
  readonly #queue: KeyedQueue;

  constructor(deps: EventRecorderDeps) {
    this.#deps = deps;
    this.#queue = new KeyedQueue((key) => this.#write(key), {
      clock: deps.clock,
      concurrency: 16,
      backoff: { baseMs: 100, maxMs: 10_000 },
      onError: (key, err, failures) => this.#failed(key, err, failures),
    });
  }

  record(note: EventNote): void {
    const { involved, type, reason, message } = note;
    const now = toTime(this.#deps.clock.nowMs());
    const what = note.replaces === true ? '' : message;
    const key = [involved.kind, involved.uid ?? involved.name, involved.fieldPath, type, reason, what].join(
      '|',
    );
    const present = this.#entries.get(key);
    if (present !== undefined) {
      present.count++;
      present.message = message;
      present.lastTimestamp = now;
    } else {
      this.#insert(key, {
        ...this.#place(involved, key),
        involved,
        type,
        reason,
        message,
        source: { component: this.#deps.component },
        count: 1,
        firstTimestamp: now,
        lastTimestamp: now,
        written: false,
      });
    }
    this.#queue.add(key);
  }

  /** An event of a device, with the device's own times. The same `id` again only brings it up to date. */
  recordFromDevice(node: string, report: EventReport): void {
    const key = `device|${node}|${report.id}`;
    const { involved, type, reason, message, count, firstTimestamp, lastTimestamp } = report;
    const present = this.#entries.get(key);
    if (present !== undefined) {
      if (report.count <= present.count) return;
      Object.assign(present, { count, message, lastTimestamp });
    } else {
      this.#insert(key, {
        ...this.#place(involved, key),
        involved: involved.kind === 'Node' ? { ...involved, name: node, uid: node } : involved,
        type,
        reason,
        message,
        source: { component: 'coxswain-agent', host: node },
        count,
        firstTimestamp,
        lastTimestamp,
        written: false,
      });
    }
    this.#queue.add(key);
  }

  /** Takes no more events and waits for the writes under way. */
  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #place(involved: ObjectReference, key: string): { namespace: string; name: string } {
    return {
      namespace:
        involved.namespace === undefined || involved.namespace === '' ? 'default' : involved.namespace,
      name: `${involved.name ?? 'unknown'}.${hashText(key)}`,
    };
  }

  #insert(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    const count = (this.#perNamespace.get(entry.namespace) ?? 0) + 1;
    this.#perNamespace.set(entry.namespace, count);
    if (count > (this.#deps.maxPerNamespace ?? MAX_PER_NAMESPACE)) this.#dropOldest(entry.namespace);
  }

  #dropOldest(namespace: string): void {
    for (const [key, entry] of this.#entries) {
      if (entry.namespace !== namespace) continue;
      this.#forget(key);
      // In a storm most are gone before their turn comes: there is nothing to remove.
      if (entry.written) this.#queue.add(`-${entry.namespace}/${entry.name}`);
      return;
    }
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined || !this.#entries.delete(key)) return;
    this.#perNamespace.set(entry.namespace, (this.#perNamespace.get(entry.namespace) ?? 1) - 1);
  }

  async #write(key: string): Promise<void> {
    if (key.startsWith('-')) return this.#remove(key.slice(1));
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (!entry.written) {
      entry.written = true;
      await this.#create(entry);
      return;
    }
    const { namespace, name } = entry;
    const done = await this.#deps.client.modify('Event', namespace, name, (draft) => {
      draft.count = entry.count;
      draft.message = entry.message;
      draft.lastTimestamp = entry.lastTimestamp;
      return true;
    });
    // Somebody deleted it (`kubectl delete events --all`): what happens from now on is a new event.
    if (done === undefined) await this.#create(entry);
  }

  async #create(entry: Entry): Promise<void> {
    const { namespace, name, involved, source, written: _written, ...rest } = entry;
    try {
      await this.#deps.client.create('Event', {
        metadata: { name, namespace },
        involvedObject: involved,
        ...rest,
        source,
        reportingComponent: source.component,
        reportingInstance: source.host ?? '',
      });
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
    }
  }

  async #remove(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    try {
      await this.#deps.client.delete('Event', namespace, name);
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  /** An event that cannot be written is dropped: its namespace is gone, or it is malformed; neither heals by trying again. */
  #failed(key: string, err: unknown, failures: number): void {
    if (failures < 3 && !isApiError(err, 'NotFound', 'Forbidden', 'Invalid')) return;
    this.#deps.log.debug('event dropped', { key, err, failures });
    this.#forget(key);
  }
}
