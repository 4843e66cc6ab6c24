import { type Clock, toTime } from '../../kit/clock.ts';
import { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Logger } from '../../kit/logger.ts';
import type { ObjectReference, Time } from '../../protocol/kinds/meta.ts';
import type { EventReport } from '../../protocol/wire/messages.ts';
import type { ClusterClient } from '../cluster.ts';
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
  /** What it has in common with events that differ in their message alone. */
  readonly group?: string;
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
/** As in Kubernetes: the tenth of those that differ in their message alone, within ten minutes, stands for all that follow. */
const SIMILAR = 10;
const SIMILAR_MS = 600_000;
const COMBINED = '(combined from similar events)';

/**
 * Writes Events: the same thing said again raises `count` of the one Event, and so do many that are alike. Memory only (the kind is not durable), bounded per
 * namespace. Invariant: `#entries` holds what was recorded since the start, in order of first sight, within the bound.
 */
export class EventRecorder implements EventSink {
  readonly #deps: EventRecorderDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #perNamespace = new Map<string, number>();
  /** How many of a group there are, and when the last was recorded. */
  readonly #groups = new Map<string, { count: number; lastMs: number }>();
  readonly #queue: KeyedQueue;
  #lastNanos = 0n;

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
    const { involved, type, reason } = note;
    const now = toTime(this.#deps.clock.nowMs());
    const group = [involved.kind, involved.uid ?? involved.name, involved.fieldPath, type, reason].join('|');
    const isOneOfMany = note.replaces !== true && this.#isOneOfMany(group, `${group}|${note.message}`);
    const message = isOneOfMany ? `${COMBINED}: ${note.message}` : note.message;
    const key = `${group}|${isOneOfMany ? COMBINED : note.replaces === true ? '' : message}`;
    const present = this.#entries.get(key);
    if (present !== undefined) {
      present.count++;
      present.message = message;
      present.lastTimestamp = now;
    } else {
      this.#insert(key, {
        ...this.#place(involved),
        group,
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
        ...this.#place(involved),
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

  /**
   * Names go up with time, as Kubernetes' do: within one second, as exact as the times of events are, `kubectl describe` shows
   * them by their names.
   */
  #place(involved: ObjectReference): { namespace: string; name: string } {
    const nanos = BigInt(Math.trunc(this.#deps.clock.nowMs())) * 1_000_000n;
    this.#lastNanos = nanos > this.#lastNanos ? nanos : this.#lastNanos + 1n;
    return {
      namespace:
        involved.namespace === undefined || involved.namespace === '' ? 'default' : involved.namespace,
      name: `${involved.name ?? 'unknown'}.${this.#lastNanos.toString(16).padStart(16, '0')}`,
    };
  }

  /** Notes that one more of the group was recorded. True when it differs from all there are, and there are many. */
  #isOneOfMany(group: string, key: string): boolean {
    const nowMs = this.#deps.clock.nowMs();
    const known = this.#groups.get(group);
    const count = known === undefined || nowMs - known.lastMs >= SIMILAR_MS ? 0 : known.count;
    this.#groups.set(group, { count, lastMs: nowMs });
    return count >= SIMILAR - 1 && !this.#entries.has(key);
  }

  #countInGroup(group: string | undefined, by: 1 | -1): void {
    const known = group === undefined ? undefined : this.#groups.get(group);
    if (group === undefined || known === undefined) return;
    const count = known.count + by;
    if (count > 0) this.#groups.set(group, { ...known, count });
    else this.#groups.delete(group);
  }

  #insert(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    this.#countInGroup(entry.group, 1);
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
    this.#countInGroup(entry.group, -1);
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
    const { namespace, name, involved, source, written: _written, group: _group, ...rest } = entry;
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
