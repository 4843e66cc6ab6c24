import { apiVersionOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Change } from '../cluster.ts';
import { type ProjectOptions, projectOne } from './projection.ts';
import type { Filter } from './selection.ts';

/** What a watcher is told. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

/**
 * What a watcher with this filter is told of a change: entering the selection is ADDED, leaving it DELETED. Undefined when the
 * change is none of its business. Pure.
 */
export function eventType(
  { object, previous, type }: Change,
  namespace: string,
  filter: Filter | undefined,
): WatchEvent['type'] | undefined {
  if (namespace !== '' && object.metadata.namespace !== namespace) return undefined;
  const before = type !== 'added' && (filter?.(previous ?? object) ?? true);
  const after = type !== 'deleted' && (filter?.(object) ?? true);
  if (after) return before ? 'MODIFIED' : 'ADDED';
  return before ? 'DELETED' : undefined;
}

/** The object an event shows: one that leaves a selection as it was before, with the leaving change's version. Pure. */
function shownObject({ object, previous, type }: Change, event: WatchEvent['type']): KubeObject {
  if (event !== 'DELETED' || type === 'deleted') return object;
  const last = previous ?? object;
  const { resourceVersion } = object.metadata;
  return { ...last, metadata: { ...last.metadata, resourceVersion } };
}

/** A BOOKMARK that says "you have seen everything up to `revision`". */
export function bookmark(spec: KindSpec, revision: number, as: string, initialEnd: boolean): object {
  const metadata = {
    resourceVersion: String(revision),
    ...(initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
  };
  if (as === 'Table')
    return {
      type: 'BOOKMARK',
      object: { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions: null, rows: [] },
    };
  const head =
    as === 'PartialObjectMetadata'
      ? { kind: as, apiVersion: 'meta.k8s.io/v1' }
      : { kind: spec.kind, apiVersion: apiVersionOf(spec) };
  return { type: 'BOOKMARK', object: { ...head, metadata } };
}

/** Text of events that is kept for watchers who are a little behind the first; in characters. */
const KEPT_CHARS = 256 * 1024;

/**
 * Makes events and writes them as lines, once for all watchers: the store tells all of them one change in one go, and a thousand
 * want the same text.
 */
export class EventEncoder {
  /** Of the change told last; views hand out a change of their own to each watcher, but the same object. */
  #object: KubeObject | undefined;
  readonly #events = new Map<WatchEvent['type'], WatchEvent>();
  readonly #lines = new Map<WatchEvent, string>();
  #chars = 0;
  #batch: { readonly lines: readonly string[]; readonly bytes: Uint8Array } = {
    lines: [],
    bytes: Buffer.alloc(0),
  };

  /** The event a watcher sees of a change, the same one for all who see it alike; undefined when it sees none. */
  eventOf(change: Change, namespace: string, filter: Filter | undefined): WatchEvent | undefined {
    const type = eventType(change, namespace, filter);
    if (type === undefined) return undefined;
    if (this.#object !== change.object) {
      this.#object = change.object;
      this.#events.clear();
    }
    const event = this.#events.get(type) ?? { type, object: shownObject(change, type) };
    this.#events.set(type, event);
    return event;
  }

  /** The event's object as it is. */
  plain(event: WatchEvent): string {
    const known = this.#lines.get(event);
    if (known !== undefined) return known;
    const line = `{"type":"${event.type}","object":${JSON.stringify(event.object)}}\n`;
    this.#lines.set(event, line);
    this.#chars += line.length;
    for (const [oldest, { length }] of this.#lines) {
      if (this.#chars <= KEPT_CHARS) break;
      this.#lines.delete(oldest);
      this.#chars -= length;
    }
    return line;
  }

  /** The bytes of these lines; watchers who are equally far share them, so that a thousand of them hold one copy. */
  joined(lines: readonly string[]): Uint8Array {
    const { lines: known } = this.#batch;
    if (known.length !== lines.length || !lines.every((line, i) => line === known[i]))
      this.#batch = { lines, bytes: Buffer.from(lines.join('')) };
    return this.#batch.bytes;
  }

  /** A Table of one row, or metadata only; `headed` for the first Table of a watch. */
  projected(spec: KindSpec, event: WatchEvent, options: ProjectOptions, headed: boolean): string {
    if (options.as === 'object') return this.plain(event);
    const object = projectOne(spec, event.object, options, headed);
    return `${JSON.stringify({ type: event.type, object })}\n`;
  }
}
